from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from campaigns.channels import push


class Command(BaseCommand):
    help = "Print the key with which browsers subscribe to this installation's push messages."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(push.public_key())
