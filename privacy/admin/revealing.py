"""What every reveal on a page shares: how often one may, and how a refusal is told."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from privacy import audit, throttling
from privacy.models import AuditEntry
from privacy.purposes import PurposeDeniedError
from privacy.throttling import Limit, TooManyError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Of all pages together. The day's limit is a use rule, which the shop may change.
A_HOUR: Final = Limit("reveal", 30, 3600)
REFUSALS: Final = {
    "no_rule": gettext_lazy("No use rule lets you open this; ask the privacy officer."),
    "rule_ended": gettext_lazy("The use rule that let you open this has ended."),
    "limit": gettext_lazy("You have opened as much today as your use rule allows."),
}


def count(actor: str, purpose: str, subject: bytes, *, now: datetime) -> None:
    """Count a reveal against the hour's limit; one too many is audited. Raises TooManyError."""
    try:
        throttling.take([(A_HOUR, actor)], now=now)
    except TooManyError:
        audit.append(
            "reveal.refused",
            actor=actor,
            at=now,
            purpose=purpose,
            subjects=[subject],
            reason="limit",
            outcome=AuditEntry.Outcome.REFUSED,
        )
        raise


def why(error: TooManyError | PurposeDeniedError) -> StrOrPromise:
    """Return the refusal in the words of the page."""
    if isinstance(error, TooManyError):
        return error.detail
    return REFUSALS.get(error.code, REFUSALS["no_rule"])
