"""When a campaign goes out: scheduled with time to undo, planned, launched, or expired."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from campaigns import approvals, asking, event_catalogue, local_time
from campaigns.models import Campaign, Delivery, Note, SendingRules
from privacy.models import Staff
from privacy.problems import DomainError

Status = Campaign.Status
# So many messages of expired campaigns are closed in one statement, and so often in one go.
REST, N_RESTS = 5_000, 20


def schedule(campaign: Campaign, *, staff: Staff | None, now: datetime) -> None:
    """Let an approved campaign go out by itself at `starts_at`, or after the time to undo.

    Raises DomainError if it was edited, or its times cannot be kept.
    """
    if approvals.void_if_edited(campaign, now=now):
        raise DomainError(
            "approval_void",
            _("The campaign was edited after its approval; have it approved again."),
            status=409,
        )
    if campaign.local_time and campaign.starts_at is None:
        raise DomainError(
            "start_needed",
            _("Choose a start: its day and hour count at each reader's own time."),
            pointer="/starts_at",
        )
    if campaign.starts_at is not None and campaign.starts_at < now:
        raise DomainError(
            "starts_in_the_past",
            _("The start is in the past: choose a later one, or none to send soon."),
            pointer="/starts_at",
        )
    soonest = now + timedelta(minutes=SendingRules.current().undo_minutes)
    goes_at = max(soonest, campaign.starts_at or soonest)
    last = goes_at
    if (local := local_time.dues(campaign, soonest)) is not None:
        goes_at, last = local.first, local.last
    if campaign.latest_start is not None and campaign.latest_start < last:
        raise DomainError(
            "latest_start_too_early",
            _("The campaign would have expired before it goes out; set “not after” later."),
            pointer="/latest_start",
        )
    with transaction.atomic():
        approvals.change(campaign, [Status.APPROVED], status=Status.SCHEDULED, goes_at=goes_at)
        approvals.note(campaign, Note.Kind.SCHEDULED, staff=staff, now=now)


def undo(campaign: Campaign) -> None:
    """Call a scheduled campaign back; it stays approved."""
    approvals.change(campaign, [Status.SCHEDULED], status=Status.APPROVED, goes_at=None)


def advance(now: datetime) -> int:
    """Move on what is scheduled or runs: expire it, plan it or launch it; returns how many moved.

    Safe to run in any number of processes: each move is one conditional statement, and a plan
    that is asked for twice is one job.
    """
    waiting = Campaign.objects.filter(
        status__in=[Status.SCHEDULED, Status.PLANNED], goes_at__lte=now
    )
    late = waiting.filter(latest_start__lt=now)
    n_moved = late.update(status=Status.EXPIRED, finished_at=now) + _expire_running(now)
    _close_the_rest(now)
    for pk in waiting.filter(status=Status.SCHEDULED).order_by("pk").values_list("pk", flat=True):
        asking.ask_for_plan(pk, now)
        n_moved += 1
    return n_moved + waiting.filter(status=Status.PLANNED).update(status=Status.SENDING)


def _expire_running(now: datetime) -> int:
    """End what is past its time and still has messages to send; returns how many."""
    still_open = Exists(Delivery.objects.open().filter(campaign=OuterRef("pk")))
    going = Q(status=Status.PLANNING) | Q(still_open, status__in=[Status.SENDING, Status.PAUSED])
    late = Campaign.objects.plans().filter(going, latest_start__lt=now)
    return late.update(status=Status.EXPIRED, finished_at=now)


def _close_the_rest(now: datetime) -> None:
    """Skip what expired campaigns have not sent; what is in a worker's hands comes next time."""
    waiting = Delivery.objects.filter(campaign=OuterRef("pk"), state=Delivery.State.PLANNED)
    expired = Campaign.objects.filter(Exists(waiting), status=Status.EXPIRED)
    for pk in expired.order_by("pk").values_list("pk", flat=True):
        for _go in range(N_RESTS):
            if _skip_some(pk, now) < REST:
                break


@transaction.atomic
def _skip_some(campaign: int, now: datetime) -> int:
    rest = Delivery.objects.filter(campaign=campaign, state=Delivery.State.PLANNED)
    free = rest.select_for_update(skip_locked=True).order_by("pk")
    picked = list(free.values_list("pk", flat=True)[:REST])
    Delivery.objects.filter(pk__in=picked).update(state=Delivery.State.SKIPPED, reason="expired")
    event_catalogue.tell({event_catalogue.SKIPPED: dict.fromkeys(picked, "expired")}, now)
    return len(picked)
