from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy import erasure, ledger
from privacy.ledger import DamagedLedgerError


class Command(BaseCommand):
    help = (
        "Erase again whom a restored backup brought back. Until this was done, a restored "
        "installation does not serve."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            missing = ledger.missing()
        except DamagedLedgerError as error:
            raise CommandError(str(error)) from error
        n_found = 0
        for entry in missing:
            replayed = erasure.replay(entry, now=timezone.now())
            n_found += replayed.subject_id is not None
        ledger.unmark_restored()
        self.stdout.write(
            f"{len(ledger.entries())} erasures in the ledger, {len(missing)} of them unknown to "
            f"this database; {n_found} persons were there again and are erased."
        )
