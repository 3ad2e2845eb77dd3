"""What a campaign may do next: approval bound to its content, and every change of state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from campaigns import asking, targeting, writing
from campaigns.models import Campaign
from jobs import queue
from privacy import roles
from privacy.models import Staff
from privacy.problems import DomainError, Fault
from profiles.models import Segment

if TYPE_CHECKING:
    from datetime import datetime

APPROVERS = [role for role in Staff.Role if roles.allows(role, roles.APPROVE)]
Status = Campaign.Status


def approve(campaign: Campaign, *, staff: Staff, now: datetime) -> None:
    """Approve a draft as it stands; any later edit voids it.

    Only an approver may, and their own campaign only where nobody else could: such an
    approval shows by `approved_by` being `created_by`. Raises DomainError with what is
    wrong with the campaign, the person or the state.
    """
    if staff.role not in APPROVERS:
        raise DomainError("not_an_approver", _("Your role may not approve campaigns."), status=403)
    others = Staff.objects.filter(is_active=True, role__in=APPROVERS).exclude(pk=staff.pk)
    if campaign.created_by_id == staff.pk and others.exists():
        raise DomainError(
            "own_campaign", _("Somebody else must approve a campaign you made."), status=403
        )
    if found := faults(campaign, now=now):
        raise DomainError(
            "campaign_not_ready",
            _("The campaign has faults; see errors."),
            status=409,
            errors=found,
        )
    _change(
        campaign,
        [Status.DRAFT],
        status=Status.APPROVED,
        approved_by=staff,
        approved_at=now,
        message_hash=message_hash(campaign),
        audience_hash=audience_hash(campaign),
    )


def faults(campaign: Campaign, *, now: datetime) -> list[Fault]:
    """Return everything that keeps the campaign from being approved, in the staff's language."""
    return [*targeting.faults(campaign), *writing.faults(campaign, now=now)]


def withdraw(campaign: Campaign) -> None:
    """Make an approved campaign a draft again, so that it can be edited."""
    _change(campaign, [Status.APPROVED], **_UNAPPROVED)


def void_if_edited(campaign: Campaign) -> bool:
    """Make an approved campaign a draft again if it is not what was approved; says if so."""
    campaign.refresh_from_db()
    if campaign.status != Status.APPROVED or is_as_approved(campaign):
        return False
    withdraw(campaign)
    return True


def is_as_approved(campaign: Campaign) -> bool:
    """Say whether message and audience are still the approved ones."""
    return has_approved_message(campaign) and campaign.audience_hash == audience_hash(campaign)


def has_approved_message(campaign: Campaign) -> bool:
    """Say whether the message is still the approved one."""
    return campaign.message_hash == message_hash(campaign)


def launch(campaign: Campaign) -> None:
    """Let a planned campaign's messages go out as they fall due."""
    _change(campaign, [Status.PLANNED], status=Status.SENDING)


def pause(campaign: Campaign, *, reason: str = "staff") -> None:
    """Stop the messages that are not under way; at most one small batch still goes out."""
    _change(campaign, [Status.SENDING], status=Status.PAUSED, pause_reason=reason)


def resume(campaign: Campaign) -> None:
    """Go on with a paused campaign; raises DomainError if its message was edited since."""
    if not has_approved_message(campaign):
        raise DomainError(
            "message_changed",
            _("The message was edited after its approval; put it back or cancel the campaign."),
            status=409,
        )
    _change(campaign, [Status.PAUSED], status=Status.SENDING, pause_reason="")


def cancel(campaign: Campaign, *, now: datetime) -> None:
    """End a campaign and its jobs; what is not under way is not sent any more.

    A plan stops before its next range: what it has planned stays where nobody sends it.
    """
    running = [status for status in Status if status not in {Status.FINISHED, Status.CANCELLED}]
    _change(campaign, running, status=Status.CANCELLED, finished_at=now)
    for job in asking.moving(campaign.pk):
        with suppress(queue.NotCancellableError):  # it came to its end meanwhile
            queue.cancel(job, now)


def message_hash(campaign: Campaign) -> str:
    """Return the SHA-256 of all that readers will see."""
    variants = campaign.variants.order_by("key")
    templates = ("locale", "subject", "body_html", "body_text")
    return _digest(
        [
            [variant.key, list(variant.templates.order_by("locale").values_list(*templates))]
            for variant in variants
        ]
    )


def audience_hash(campaign: Campaign) -> str:
    """Return the SHA-256 of who gets which part: rule, purpose, holdout, weights."""
    rule = Segment.objects.values_list("rule", flat=True).get(pk=campaign.segment_id)
    weights = list(campaign.variants.order_by("key").values_list("key", "weight"))
    return _digest([rule, campaign.purpose, campaign.channel, campaign.holdout_ppm, weights])


_UNAPPROVED: dict[str, Any] = {
    "status": Status.DRAFT,
    "approved_by": None,
    "approved_at": None,
    "message_hash": "",
    "audience_hash": "",
}


def _digest(facts: list[Any]) -> str:
    return sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _change(campaign: Campaign, allowed: Sequence[Status], **changes: Any) -> None:
    """Change the row if it is in an allowed state, whatever this copy of it says."""
    if not Campaign.objects.filter(pk=campaign.pk, status__in=allowed).update(**changes):
        campaign.refresh_from_db()
        raise DomainError(
            "wrong_status",
            _("The campaign is %(status)s, so this cannot be done.")
            % {"status": campaign.get_status_display().lower()},
            status=409,
        )
    campaign.refresh_from_db()
