from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from privacy import audit, checkpoints
from privacy.audit import Fault


class Command(BaseCommand):
    help = "Check every entry of the audit log against the chain and its signed checkpoints."

    def handle(self, *_args: Any, **_options: Any) -> None:
        verdict = checkpoints.verify()
        facts = {"entries": verdict.n_entries, "checkpoints": verdict.n_checkpoints}
        if verdict.fault is not None:
            raise CommandError(explain(verdict.fault) % {"entry": verdict.entry})
        if not audit.is_guarded():
            raise CommandError(
                _("The database no longer refuses changes of the audit log: its triggers are gone.")
            )
        self.stdout.write(_("%(entries)d entries and %(checkpoints)d checkpoints hold.") % facts)
        self.stdout.write(
            _("Last entry %(entry)d, %(hash)s") % {"entry": verdict.entry, "hash": verdict.hash}
        )


def explain(fault: Fault) -> str:
    """Return what a fault means, with a place for the entry's number."""
    return {
        Fault.CHANGED: _("Entry %(entry)d was changed."),
        Fault.DOES_NOT_FOLLOW: _(
            "Entry %(entry)d does not follow the one before: one was taken out or moved."
        ),
        Fault.MISSING: _("Entry %(entry)d was signed and is missing: the end was cut off."),
        Fault.RESEALED: _(
            "Entry %(entry)d is not the one that was signed: the chain was rewritten before it."
        ),
        Fault.FORGED: _("The checkpoint of entry %(entry)d does not hold: its file was changed."),
    }[fault]
