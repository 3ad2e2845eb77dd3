"""What a campaign may do next: approval bound to its content, and every change of state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import alerting, asking, cards, limits, occasions, targeting, texting, writing
from campaigns.models import Campaign, Delivery, Note, SendingRules
from jobs import queue
from jobs.models import Job
from privacy import roles
from privacy.models import Channel, Staff
from privacy.problems import DomainError, Fault
from profiles.models import Segment

if TYPE_CHECKING:
    from datetime import datetime

APPROVERS = [role for role in Staff.Role if roles.allows(role, roles.APPROVE)]
Status = Campaign.Status
# States in which an edit makes the campaign a draft again.
WATCHED = (Status.REVIEW, Status.APPROVED, Status.SCHEDULED)
OVER = (Status.FINISHED, Status.CANCELLED, Status.EXPIRED)
NOTE_LENGTH = 2000
FIRST_PART = "first_part"
NOT_SENT = (Delivery.State.SKIPPED, Delivery.State.FAILED)


def approve(campaign: Campaign, *, staff: Staff, now: datetime) -> None:
    """Approve a draft as it stands; any later edit voids it.

    Only an approver may, and their own campaign only where nobody else could and the audience
    is below the shop's limit for that: such an approval is noted as their own. Raises
    DomainError with what is wrong with the campaign, the person or the state.
    """
    if staff.role not in APPROVERS:
        raise DomainError("not_an_approver", _("Your role may not approve campaigns."), status=403)
    own = campaign.created_by_id == staff.pk
    if own:
        _check_own(campaign, staff, now)
    _check_ready(campaign, now)
    with transaction.atomic():
        change(
            campaign,
            [Status.DRAFT, Status.REVIEW],
            status=Status.APPROVED,
            approved_by=staff,
            approved_at=now,
            message_hash=message_hash(campaign),
            audience_hash=audience_hash(campaign),
        )
        note(campaign, Note.Kind.APPROVED, staff=staff, now=now, own=own)


def ask_for_review(campaign: Campaign, *, staff: Staff, now: datetime) -> None:
    """Show a draft to the approvers as it stands; an edit makes it a draft again."""
    _check_ready(campaign, now)
    with transaction.atomic():
        change(
            campaign,
            [Status.DRAFT],
            status=Status.REVIEW,
            message_hash=message_hash(campaign),
            audience_hash=audience_hash(campaign),
        )
        note(campaign, Note.Kind.ASKED, staff=staff, now=now)
        others = Staff.objects.filter(role__in=APPROVERS).exclude(pk=staff.pk)
        alerting.tell("review_asked", now, to=others, about=campaign.pk, campaign=campaign.name)


def send_back(campaign: Campaign, *, staff: Staff, text: str, now: datetime) -> None:
    """Make a campaign in review a draft again and say why. Raises DomainError `required`."""
    if not text.strip():
        raise DomainError("required", _("Say what to change."), pointer="/text")
    with transaction.atomic():
        change(campaign, [Status.REVIEW], **UNAPPROVED)
        note(campaign, Note.Kind.SENT_BACK, staff=staff, now=now, text=text)


def comment(campaign: Campaign, *, staff: Staff, text: str, now: datetime) -> None:
    """Keep what somebody says of a campaign. Raises DomainError `required`."""
    if not text.strip():
        raise DomainError("required", _("Write the comment."), pointer="/text")
    note(campaign, Note.Kind.COMMENT, staff=staff, now=now, text=text)


def note(
    campaign: Campaign,
    kind: Note.Kind,
    *,
    staff: Staff | None,
    now: datetime,
    text: str = "",
    own: bool = False,
) -> None:
    kept = text.strip()[:NOTE_LENGTH]
    Note.objects.create(campaign=campaign, kind=kind, staff=staff, text=kept, own=own, at=now)


def _check_own(campaign: Campaign, staff: Staff, now: datetime) -> None:
    others = Staff.objects.filter(is_active=True, role__in=APPROVERS).exclude(pk=staff.pk)
    if others.exists():
        raise DomainError(
            "own_campaign", _("Somebody else must approve a campaign you made."), status=403
        )
    limit = SendingRules.current().two_persons_from
    if limit is None or targeting.faults(campaign):
        return
    if (n := targeting.audience(campaign, now).count()) >= limit:
        raise DomainError(
            "second_person_needed",
            _(
                "The audience of %(n)s is above the limit for approving one's own campaign; let a "
                "second person approve it."
            )
            % {"n": n},
            status=403,
        )


def _check_ready(campaign: Campaign, now: datetime) -> None:
    if found := faults(campaign, now=now):
        raise DomainError(
            "campaign_not_ready",
            _("The campaign has faults; see errors."),
            status=409,
            errors=found,
        )


def faults(campaign: Campaign, *, now: datetime) -> list[Fault]:
    """Return everything that keeps the campaign from being approved, in the staff's language."""
    found = [*targeting.faults(campaign), *message_faults(campaign, now)]
    if limits.budgeted(campaign) == 0:
        found.append(
            Fault(
                "budget_too_small",
                _("The budget does not pay for one message beside the fixed cost; raise it."),
                "/budget_minor",
            )
        )
    return found


def withdraw(campaign: Campaign) -> None:
    """Make a campaign that is in review, approved or scheduled a draft again."""
    change(campaign, WATCHED, **UNAPPROVED)


def void_if_edited(campaign: Campaign, *, now: datetime) -> bool:
    """Make the campaign a draft again if it is not what was shown or approved; says if so."""
    campaign.refresh_from_db()
    if campaign.status not in WATCHED or is_as_approved(campaign):
        return False
    with transaction.atomic():
        withdraw(campaign)
        note(campaign, Note.Kind.VOIDED, staff=None, now=now)
    return True


def is_as_approved(campaign: Campaign) -> bool:
    """Say whether message and audience are still the approved ones."""
    return has_approved_message(campaign) and campaign.audience_hash == audience_hash(campaign)


def has_approved_message(campaign: Campaign) -> bool:
    """Say whether the message is still the approved one."""
    return campaign.message_hash == message_hash(campaign)


def launch(campaign: Campaign) -> None:
    """Let a planned campaign's messages go out as they fall due."""
    change(campaign, [Status.PLANNED], status=Status.SENDING)


def pause(campaign: Campaign, *, reason: str = "staff") -> None:
    """Stop the messages that are not under way; at most one small batch still goes out."""
    change(campaign, [Status.SENDING], status=Status.PAUSED, pause_reason=reason)


def resume(campaign: Campaign, *, now: datetime) -> None:
    """Go on with a paused campaign, with all of it if its first part is out.

    Raises DomainError if its message was edited since.
    """
    _check_message(campaign)
    if campaign.pause_reason == FIRST_PART:
        change(campaign, [Status.PAUSED], status=Status.SENDING, pause_reason="", continued_at=now)
    else:
        change(campaign, [Status.PAUSED], status=Status.SENDING, pause_reason="")


def cancel(campaign: Campaign, *, now: datetime) -> None:
    """End a campaign and its jobs; what is not under way is not sent any more.

    A plan stops before its next range: what it has planned stays where nobody sends it.
    """
    running = [status for status in Status if status not in OVER]
    change(campaign, running, status=Status.CANCELLED, finished_at=now)
    for job in asking.moving(campaign.pk):
        with suppress(queue.NotCancellableError):  # it came to its end meanwhile
            queue.cancel(job, now)


@transaction.atomic
def hold_restored(now: datetime) -> None:
    """Let nothing go out by itself after a restore: what was sent since looks unsent again.

    What was being sent is paused, what was scheduled is approved, what was planned waits for
    somebody; the jobs that move campaigns on are cancelled.
    """
    going = Campaign.objects.filter(status=Status.SENDING)
    going.update(status=Status.PAUSED, pause_reason="restored")
    scheduled = Campaign.objects.filter(status=Status.SCHEDULED)
    scheduled.update(status=Status.APPROVED, goes_at=None)
    Campaign.objects.filter(status__in=[Status.PLANNING, Status.PLANNED]).update(goes_at=None)
    for job in Job.objects.open().filter(kind__in=[asking.PLAN, asking.SEND]):
        with suppress(queue.NotCancellableError):
            queue.cancel(job, now)


def archive(campaign: Campaign, *, now: datetime) -> None:
    """Take a campaign that is over, or never began, out of the lists; nothing is deleted."""
    change(campaign, [Status.DRAFT, *OVER], archived_at=now)


def take_back(campaign: Campaign) -> None:
    """Put an archived campaign back into the lists."""
    change(campaign, list(Status), archived_at=None)


def send_to_the_rest(campaign: Campaign, *, now: datetime) -> int:
    """Try again whoever was skipped or refused; returns how many.

    Every rule is read anew, so who is still barred is skipped again. What was sent, or may
    have arrived, is not sent again, and nobody of the holdout gets a message. Raises DomainError
    if there is nobody, or the message was edited since.
    """
    _check_message(campaign)
    rest = campaign.deliveries.filter(state__in=NOT_SENT)
    with transaction.atomic():
        change(campaign, [Status.FINISHED, Status.SENDING], status=Status.SENDING, finished_at=None)
        n = rest.update(state=Delivery.State.PLANNED, reason="", n_attempts=0, due_at=now)
        if not n:
            raise DomainError("nobody_left", _("Everybody has had the message."), status=409)
    return n


def _check_message(campaign: Campaign) -> None:
    if not has_approved_message(campaign):
        raise DomainError(
            "message_changed",
            _("The message was edited after its approval; put it back or cancel the campaign."),
            status=409,
        )


def message_faults(campaign: Campaign, now: datetime) -> list[Fault]:
    """Return what keeps the campaign's message from being sent, whatever its channel."""
    if campaign.channel == Channel.SMS:
        return texting.faults(campaign, now=now)
    if campaign.channel in cards.CHANNELS:
        return cards.faults(campaign)
    return writing.faults(campaign, now=now, facts=occasions.sample(campaign))


def message_hash(campaign: Campaign) -> str:
    """Return the SHA-256 of all that readers will see."""
    if campaign.channel in cards.CHANNELS:
        return _digest(cards.approved(campaign))
    variants = campaign.variants.order_by("key")
    templates = ("locale", "subject", "body_html", "body_text")
    if campaign.channel == Channel.SMS:
        told = ("locale", "text", "template_id", "parameters")
        rows = [(one.key, one.sms_texts.order_by("locale").values_list(*told)) for one in variants]
        return _digest([[key, list(texts)] for key, texts in rows])
    return _digest(
        [
            [variant.key, list(variant.templates.order_by("locale").values_list(*templates))]
            for variant in variants
        ]
    )


def audience_hash(campaign: Campaign) -> str:
    """Return the SHA-256 of who gets which part: rule, purpose, holdout, weights, budget."""
    rule = Segment.objects.values_list("rule", flat=True).get(pk=campaign.segment_id)
    weights = list(campaign.variants.order_by("key").values_list("key", "weight"))
    facts = [rule, campaign.purpose, campaign.channel, campaign.holdout_ppm, weights]
    others = {
        name: list(segments.order_by("uuid").values_list("rule", flat=True))
        for name, segments in (("also", campaign.also), ("excluded", campaign.excluded))
    }
    if any(others.values()):
        facts.append(others)
    if campaign.topic is not None:
        facts.append({"topic": campaign.topic.key})
    return _digest(facts if campaign.budget_minor is None else [*facts, campaign.budget_minor])


UNAPPROVED: dict[str, Any] = {
    "status": Status.DRAFT,
    "approved_by": None,
    "approved_at": None,
    "message_hash": "",
    "audience_hash": "",
    "goes_at": None,
}


def _digest(facts: list[Any]) -> str:
    return sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def change(campaign: Campaign, allowed: Sequence[Status], **changes: Any) -> None:
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
