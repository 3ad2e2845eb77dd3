from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS

from privacy import purposes


class Command(migrate.Command):
    help = f"{migrate.Command.help} Then brings the stored purposes and use rules up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        # Only a whole database has the tables: not one migrated back, or to a named migration.
        if options["database"] == DEFAULT_DB_ALIAS and not options["app_label"]:
            purposes.mirror()
