"""When a campaign goes out: scheduled with time to undo, planned, launched, or expired."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import approvals, asking
from campaigns.models import Campaign, Note, SendingRules
from privacy.models import Staff
from privacy.problems import DomainError

Status = Campaign.Status


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
    if campaign.starts_at is not None and campaign.starts_at < now:
        raise DomainError(
            "starts_in_the_past",
            _("The start is in the past: choose a later one, or none to send soon."),
            pointer="/starts_at",
        )
    soonest = now + timedelta(minutes=SendingRules.current().undo_minutes)
    goes_at = max(soonest, campaign.starts_at or soonest)
    if campaign.latest_start is not None and campaign.latest_start < goes_at:
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
    """Move on what is scheduled: expire it, plan it or launch it; returns how many moved.

    Safe to run in any number of processes: each move is one conditional statement, and a plan
    that is asked for twice is one job.
    """
    waiting = Campaign.objects.filter(
        status__in=[Status.SCHEDULED, Status.PLANNED], goes_at__lte=now
    )
    late = waiting.filter(latest_start__lt=now)
    n_moved = late.update(status=Status.EXPIRED, finished_at=now)
    for pk in waiting.filter(status=Status.SCHEDULED).order_by("pk").values_list("pk", flat=True):
        asking.ask_for_plan(pk, now)
        n_moved += 1
    return n_moved + waiting.filter(status=Status.PLANNED).update(status=Status.SENDING)
