from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from privacy import audit, checkpoints


class Command(BaseCommand):
    help = "Check every entry of the audit log against the chain and its signed checkpoints."

    def handle(self, *_args: Any, **_options: Any) -> None:
        verdict = checkpoints.verify()
        facts = {"entries": verdict.n_entries, "checkpoints": verdict.n_checkpoints}
        if verdict.fault is not None:
            raise CommandError(checkpoints.explain(verdict.fault, verdict.entry))
        if not audit.is_guarded():
            raise CommandError(
                _("The database no longer refuses changes of the audit log: its triggers are gone.")
            )
        self.stdout.write(_("%(entries)d entries and %(checkpoints)d checkpoints hold.") % facts)
        self.stdout.write(
            _("Last entry %(entry)d, %(hash)s") % {"entry": verdict.entry, "hash": verdict.hash}
        )
