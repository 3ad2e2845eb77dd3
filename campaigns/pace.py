"""How far a campaign is, how fast it goes and when it will be through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from campaigns.models import Campaign, Delivery

WINDOW = timedelta(minutes=5)
UNDER_WAY = (Campaign.Status.SENDING, Campaign.Status.PAUSED)
_OPEN = (Delivery.State.PLANNED, Delivery.State.CLAIMED, Delivery.State.SENDING)


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_minute` is of the last minutes; `ends_at` is None while nothing goes out."""

    n_done: int
    n_total: int
    per_minute: float
    ends_at: datetime | None


def of(campaign: Campaign, now: datetime) -> Pace:
    """Return the campaign's pace as of `now`; messages skipped or failed are done too."""
    counts = campaign.counts()
    n_total = sum(n for state, n in counts.items() if state != Delivery.State.HOLDOUT)
    n_open = sum(counts.get(state, 0) for state in _OPEN)
    recent = campaign.deliveries.filter(
        state=Delivery.State.SENT, sent_at__gt=now - WINDOW, sent_at__lte=now
    )
    began = recent.aggregate(began=Min("sent_at"))["began"]
    if began is None:
        return Pace(n_total - n_open, n_total, 0.0, None)
    # A start within the window, not its whole length; and no rate out of a single second.
    elapsed = max(now - began, timedelta(seconds=1))
    per_minute = recent.count() / (elapsed / timedelta(minutes=1))
    ends_at = now + timedelta(minutes=n_open / per_minute) if n_open else None
    return Pace(n_total - n_open, n_total, per_minute, ends_at)
