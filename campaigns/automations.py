"""Welcome, abandoned cart, accessory: switched on and off, and whom they reach and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import approvals, planning, targeting, triggers, writing
from campaigns.models import Automation, Campaign, Delivery, Step, Variant
from campaigns.planning import Cut
from privacy.problems import DomainError
from profiles import segmentation
from profiles.models import Segment

if TYPE_CHECKING:
    from privacy.models import Staff

# What is told late, such as a cart that an hour's rest shows to be left, is looked for again.
OVERLAP = timedelta(days=2)
EVERYBODY = {"combinator": "and", "not": False, "rules": []}
OFF = "automation_off"
TOKEN = "{token}"  # noqa: S105 -- where a token goes
# Starter and delay in minutes of each step.
READY: Mapping[str, tuple[tuple[str, int], ...]] = {
    Automation.Kind.WELCOME: (("welcome", 0), ("welcome_picks", 3 * 1440)),
    Automation.Kind.CART: (("cart_left", 60), ("cart_last_call", 1440)),
    Automation.Kind.ACCESSORY: (("accessory", 7 * 1440),),
}
Status = Campaign.Status
State = Delivery.State


@dataclass(frozen=True, slots=True)
class StepCounts:
    """A step with how many deliveries it has in each state, states without any left out."""

    step: Step
    by_state: Mapping[str, int]

    @property
    def n_entered(self) -> int:
        return sum(self.by_state.values())

    def n(self, *states: str) -> int:
        return sum(self.by_state.get(state, 0) for state in states)


@transaction.atomic
def prepare(kind: str, *, staff: Staff | None, now: datetime) -> Automation:
    """Return the automation of that kind; the first time it is made with its steps, switched off."""
    automation, is_new = Automation.objects.get_or_create(kind=kind)
    if not is_new:
        return automation
    segment = Segment.objects.filter(rule=EVERYBODY).order_by("pk").first()
    segment = segment or segmentation.create(_("All customers"), EVERYBODY, now=now)
    for position, (starter, delay) in enumerate(READY[kind], start=1):
        campaign = Campaign.objects.create(
            name=_free_name(automation, position),
            kind=Campaign.Kind.AUTOMATION,
            segment=segment,
            salt=automation.salt,
            holdout_ppm=automation.holdout_ppm,
            created_by=staff,
            created_at=now,
        )
        writing.start_from(Variant.objects.create(campaign=campaign, key="A"), starter)
        Step.objects.create(
            automation=automation, position=position, delay_minutes=delay, campaign=campaign
        )
    return automation


def _free_name(automation: Automation, position: int) -> str:
    name = f"{automation} · {position}"
    taken = Campaign.objects.filter(name__startswith=name).count()
    return f"{name} ({taken + 1})" if taken else name


def steps(automation: Automation) -> list[Step]:
    return list(automation.steps.select_related("campaign").order_by("position"))


@transaction.atomic
def set_up(
    automation: Automation,
    *,
    delays: Mapping[int, int],
    holdout_ppm: int,
    restore_url: str,
) -> None:
    """Set how long each step (by position) waits, the holdout, and where a cart is brought back.

    Counts for whoever enters from now on. The holdout of a running automation stays: another
    one would move people between the arms. Raises DomainError.
    """
    if automation.is_on and holdout_ppm != automation.holdout_ppm:
        raise DomainError(
            "automation_on",
            _("Switch the automation off before you change its holdout."),
            status=409,
            pointer="/holdout",
        )
    waits = [delays[position] for position in sorted(delays)]
    if waits != sorted(waits):
        raise DomainError(
            "steps_out_of_order",
            _("A later step waits longer than one before it."),
            pointer="/delays",
        )
    for step in automation.steps.all():
        Step.objects.filter(pk=step.pk).update(
            delay_minutes=delays.get(step.position, step.delay_minutes)
        )
    if holdout_ppm != automation.holdout_ppm:
        Campaign.objects.filter(step__automation=automation).update(holdout_ppm=holdout_ppm)
    automation.holdout_ppm, automation.restore_url = holdout_ppm, restore_url
    automation.save(update_fields=["holdout_ppm", "restore_url"])


@transaction.atomic
def switch_on(automation: Automation, *, staff: Staff, now: datetime) -> None:
    """Approve each step's message as it stands and reach whoever the trigger meets from now on.

    Raises DomainError with what is wrong with a step, the person or the state.
    """
    row = Automation.objects.select_for_update().get(pk=automation.pk)
    if row.is_on:
        raise DomainError("automation_on", _("The automation is on already."), status=409)
    if row.kind == Automation.Kind.CART and TOKEN not in row.restore_url:
        raise DomainError(
            "no_restore_url",
            _("Say which page of the shop brings a cart back, with “{token}” in its address."),
            pointer="/restore_url",
        )
    for step in steps(row):
        _skip_open(step.campaign)
        approvals.approve(step.campaign, staff=staff, now=now)
        approvals.change(
            step.campaign,
            [Status.APPROVED],
            status=Status.SENDING,
            planned_at=now,
            finished_at=None,
        )
    row.is_on, row.since, row.entered_until = True, now, now
    row.save(update_fields=["is_on", "since", "entered_until"])
    automation.refresh_from_db()


@transaction.atomic
def switch_off(automation: Automation) -> None:
    """Let nobody in any more and send nothing that is still to come; drafts can be edited again."""
    row = Automation.objects.select_for_update().get(pk=automation.pk)
    row.is_on = False
    row.save(update_fields=["is_on"])
    for step in steps(row):
        approvals.change(
            step.campaign,
            [Status.DRAFT, Status.APPROVED, Status.SENDING, Status.PAUSED],
            **approvals.UNAPPROVED,
            pause_reason="",
        )
        _skip_open(step.campaign)
    automation.refresh_from_db()


def _skip_open(campaign: Campaign) -> None:
    waiting = campaign.deliveries.filter(state=State.PLANNED)
    waiting.update(state=State.SKIPPED, reason=OFF)


def enter(automation: Automation, now: datetime) -> int:
    """Give whoever the trigger met a delivery at each step; returns how many were added.

    One statement a step, all in one transaction with up to when was looked. Safe to run again
    and in any number of processes: a delivery is unique by customer, step and occurrence.
    """
    with transaction.atomic():
        row = Automation.objects.select_for_update().get(pk=automation.pk)
        if not row.is_on or row.since is None or row.entered_until is None:
            return 0
        after = max(row.since, row.entered_until - OVERLAP)
        n_added = sum(_enter_step(row, step, after=after, now=now) for step in steps(row))
        row.entered_until = max(now, row.entered_until)
        row.save(update_fields=["entered_until"])
        return n_added


def _enter_step(automation: Automation, step: Step, *, after: datetime, now: datetime) -> int:
    campaign = step.campaign
    if campaign.status != Status.SENDING:
        return 0
    found = triggers.entrants(
        automation.kind,
        targeting.audience(campaign, now),
        after=after,
        until=now,
        delay=timedelta(minutes=step.delay_minutes),
    )
    return planning.insert_entrants(found, _cut(campaign, now)) if found.exists() else 0


def _cut(campaign: Campaign, now: datetime) -> Cut:
    variants = {variant.key: variant for variant in campaign.variants.all()}
    chosen, default = writing.spoken(campaign)
    return Cut(
        campaign=campaign.pk,
        salt=str(campaign.salt),
        holdout_ppm=campaign.holdout_ppm,
        variants={key: variant.pk for key, variant in variants.items()},
        weights={key: variant.weight for key, variant in variants.items()},
        locales=chosen,
        default_locale=default,
        planned_at=now,
        due_at=None,
    )


def running() -> list[Automation]:
    return list(Automation.objects.filter(is_on=True).order_by("pk"))


def counts(automation: Automation) -> list[StepCounts]:
    """Return each step with what became of those who entered; two queries."""
    mine = steps(automation)
    found = Delivery.objects.counted(step.campaign_id for step in mine)
    return [StepCounts(step, found.get(step.campaign_id, {})) for step in mine]
