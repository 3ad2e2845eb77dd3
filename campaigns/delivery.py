"""From an approved campaign to messages in the hand: plan, claim, gate, intent, send, result.

The row is the truth. A message is `sending` in a committed transaction before its first byte
goes out, so a crash leaves it `unknown` at worst, and `unknown` is never sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q
from django.utils.translation import gettext as _

from campaigns import (
    alerting,
    approvals,
    event_catalogue,
    gate,
    limits,
    local_time,
    planning,
    targeting,
    throttling,
    writing,
)
from campaigns.bounces.codes import is_hard
from campaigns.channels import ways
from campaigns.channels.base import Channel as Way
from campaigns.channels.base import Message, Outcome, Result
from campaigns.composing import Composer
from campaigns.models import Campaign, Delivery, SendingRules
from campaigns.pushing import PushComposer
from campaigns.texting import TextComposer
from privacy import announcing, suppression
from privacy.models import Channel, Consent, Staff, Subject, Suppression
from privacy.problems import DomainError
from profiles.bulk import Among, learn_sizes, planned_for_many
from profiles.models import Customer
from profiles.models.customer import ADDRESS_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

log = logging.getLogger(__name__)

FILLED = 1_000  # from as many new rows on the tables are looked at anew
# Each range looks at everybody's consent again; SQLite lets nobody else write meanwhile.
PLAN_RANGE, PLAN_RANGE_SQLITE = 200_000, 50_000
BATCH = 1_000
# What may go out before a rule is read again, and may be unknown after a crash.
INTENT_BATCH = 50
LEASE = timedelta(seconds=settings.SENDING_LEASE_SECONDS)
MAX_ATTEMPTS = 5
DOMAIN_WAIT = timedelta(seconds=10)
RETRY_AFTER = timedelta(minutes=5)
# What gateways of text messages call a number that is none.
NO_NUMBER = "no_number"

State = Delivery.State
Status = Campaign.Status
Clock = Callable[[], datetime]


# Planning ---------------------------------------------------------------------------------


def plan(
    campaign: Campaign,
    now: datetime,
    *,
    progress: Callable[[int, int], None] | None = None,
    range_size: int = 0,
) -> int:
    """Give every customer of the audience one delivery; returns how many were added.

    Runs in ranges of `range_size` customers, by default as many as suit the database; each range
    and the plan's cursor commit together, so a killed plan goes on where it stopped and adds
    nobody twice. Arms and due times are those of the first start. Raises DomainError unless the
    campaign is approved as it stands.
    """
    _begin_plan(campaign, now)
    is_large = connection.vendor == "postgresql"
    range_size = range_size or (PLAN_RANGE if is_large else PLAN_RANGE_SQLITE)
    if campaign.channel == Channel.ONSITE:  # people come to it, page by page
        Campaign.objects.filter(pk=campaign.pk).update(status=Status.PLANNED)
        campaign.refresh_from_db()
        return 0
    made = cut(campaign)
    n_added, last = 0, Customer.objects.aggregate(last=Max("pk"))["last"] or 0
    while (low := campaign.plan_cursor) < last:
        high = min(low + range_size, last)
        with planned_for_many():
            _move_cursor(campaign, low, high)
            audience = targeting.audience(campaign, made.planned_at)
            n_added += planning.insert(audience.filter(pk__gt=low, pk__lte=high), made)
        campaign.plan_cursor = high
        if progress:
            progress(high, last)
    if n_added >= FILLED:
        # The gate asks these for a few people at a time, in plans made for their true sizes.
        learn_sizes(Customer, Subject, Consent, Suppression, Delivery)
    Campaign.objects.filter(pk=campaign.pk, status=Status.PLANNING).update(status=Status.PLANNED)
    campaign.refresh_from_db()
    return n_added


def _begin_plan(campaign: Campaign, now: datetime) -> None:
    if approvals.void_if_edited(campaign, now=now):
        raise DomainError(
            "approval_void",
            _("The campaign was edited after its approval; have it approved again."),
            status=409,
        )
    started = Campaign.objects.filter(
        pk=campaign.pk, status__in=[Status.APPROVED, Status.SCHEDULED]
    ).update(status=Status.PLANNING, planned_at=now, plan_cursor=0)
    campaign.refresh_from_db()
    if not started and campaign.status != Status.PLANNING:
        raise DomainError("not_approved", _("Have the campaign approved first."), status=409)


def _move_cursor(campaign: Campaign, low: int, high: int) -> None:
    mine = Campaign.objects.filter(pk=campaign.pk, status=Status.PLANNING, plan_cursor=low)
    if not mine.update(plan_cursor=high):
        raise DomainError(
            "plan_stopped",
            _("The plan was stopped or is made by another worker."),
            status=409,
        )


def cut(
    campaign: Campaign,
    *,
    due_at: datetime | None = None,
    spoken: tuple[Mapping[str, str], str] | None = None,
) -> planning.Cut:
    """Return what the plan's statement is told: arms, holdout, languages, when it is due."""
    variants = {variant.key: variant for variant in campaign.variants.all()}
    chosen, default = spoken or writing.spoken(campaign)
    planned_at = campaign.planned_at
    if planned_at is None:
        raise ValueError("the plan has not begun")
    local = None if due_at else local_time.dues(campaign, campaign.goes_at or planned_at)
    return planning.Cut(
        campaign=campaign.pk,
        salt=str(campaign.salt),
        holdout_ppm=campaign.holdout_ppm,
        variants={key: variant.pk for key, variant in variants.items()},
        weights={key: variant.weight for key, variant in variants.items()},
        locales=chosen,
        default_locale=default,
        planned_at=planned_at,
        due_at=due_at or max(planned_at, campaign.starts_at or planned_at),
        due_by_place=local.by_place if local else {},
    )


# Sending ----------------------------------------------------------------------------------


def send_due(
    now: datetime,
    limit: int = BATCH,
    *,
    campaign: Campaign | None = None,
    channel: Way | None = None,
) -> int:
    """Send up to `limit` messages that are due; returns how many were taken.

    Safe to run in any number of processes: a row is claimed by one of them. First puts
    right what dead workers left, last closes campaigns that have nothing open.
    """
    began = monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=monotonic() - began)

    recover(now)
    sending = Campaign.objects.sending(now).exclude(channel=Channel.ONSITE)
    if campaign is not None:
        sending = sending.filter(pk=campaign.pk)
    n_taken = 0
    for name in sorted(set(sending.order_by().values_list("channel", flat=True).distinct())):
        way = channel or ways.way(name)
        some = sending.filter(channel=name)
        n_taken += _send_some(some, name, way, now=now, limit=limit - n_taken, clock=clock)
    finish(clock())
    return n_taken


def _send_some(
    sending: QuerySet[Campaign],
    name: str,
    way: Way,
    *,
    now: datetime,
    limit: int,
    clock: Clock,
) -> int:
    """Send up to `limit` due messages of one channel; returns how many were taken."""
    allowed = throttling.allowance(limit, now, channel=name)
    token = _claim(now, allowed, sending)
    taken = list(
        Delivery.objects.held(token, State.CLAIMED)
        .prefetch_related("campaign")
        .order_by("campaign_id", "due_at", "pk")
    )
    n_tried = 0
    for _pk, group in groupby(taken, key=lambda row: row.campaign_id):
        rows = list(group)
        with ways.kept_open(way):
            n_tried += _send_claimed(rows[0].campaign, rows, token, way, clock)
    throttling.give_back(allowed - n_tried, channel=name)
    return len(taken)


def recover(now: datetime) -> None:
    """Put right what dead workers held: not begun is planned again, begun is unknown."""
    lost = Delivery.objects.lost(now)
    # A transactional message goes out at least once, a campaign's never twice.
    again = lost.filter(state=State.SENDING, campaign__kind=Campaign.Kind.TRANSACTIONAL)
    again.update(state=State.PLANNED, reason="worker_lost", claim_token=None, lease_until=None)
    lost.filter(state=State.SENDING).update(
        state=State.UNKNOWN, reason="worker_lost", lease_until=None
    )
    lost.filter(state=State.CLAIMED).update(state=State.PLANNED, claim_token=None, lease_until=None)


def finish(now: datetime) -> int:
    """Close the campaigns whose messages have all come to an end; returns how many.

    Those whose first part is out wait for somebody to let them go on.
    """
    still_open = Delivery.objects.open().filter(campaign=OuterRef("pk"))
    shown = Q(channel=Channel.ONSITE) & (Q(ends_at=None) | Q(ends_at__gt=now))
    over = Campaign.objects.plans().filter(~Exists(still_open), ~shown, status=Status.SENDING)
    n_over = over.update(status=Status.FINISHED, finished_at=now)
    first = Delivery.objects.filter(campaign=OuterRef("pk")).in_first_part()
    # What is tried again later does not keep the others waiting for a decision.
    begun = Q(state=State.PLANNED, n_attempts__gt=0)
    parts = Campaign.objects.exclude(channel=Channel.ONSITE).filter(
        ~Exists(first.open().exclude(begun)),
        status=Status.SENDING,
        first_percent__gt=0,
        continued_at__isnull=True,
    )
    nobody_first = ~Exists(first.exclude(state=State.HOLDOUT))
    parts.filter(nobody_first).update(continued_at=now)
    for campaign in parts:
        _wait_for_a_decision(campaign, now)
    return n_over


@transaction.atomic
def _wait_for_a_decision(campaign: Campaign, now: datetime) -> None:
    """Pause a campaign whose first part is out, and tell whose it is."""
    mine = Campaign.objects.filter(pk=campaign.pk, status=Status.SENDING)
    if mine.update(status=Status.PAUSED, pause_reason=approvals.FIRST_PART):
        owners = Staff.objects.filter(pk__in=[campaign.created_by_id, campaign.approved_by_id])
        about = {"campaign": campaign.name}
        alerting.tell("first_part_out", now, to=owners, about=campaign.pk, **about)


@transaction.atomic
def _claim(now: datetime, limit: int, sending: QuerySet[Campaign]) -> UUID:
    """Mark up to `limit` due rows as ours under a new token; no row is claimed twice."""
    token = uuid4()
    in_parts = sending.filter(first_percent__gt=0, continued_at__isnull=True)
    firsts = set(in_parts.values_list("pk", flat=True))
    due = Delivery.objects.due(now, sending.values_list("pk", flat=True))
    if firsts:
        part = Delivery.objects.filter(campaign__in=firsts).in_first_part()
        due = due.filter(~Q(campaign__in=firsts) | Q(pk__in=part.values("pk")))
    free = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "pk")
    picked = list(free.values_list("pk", flat=True)[:limit])
    Delivery.objects.filter(Among("pk", picked), state=State.PLANNED).update(
        state=State.CLAIMED,
        claim_token=token,
        lease_until=now + LEASE,
        n_attempts=F("n_attempts") + 1,
    )
    return token


def _send_claimed(
    campaign: Campaign, rows: list[Delivery], token: UUID, channel: Way, clock: Clock
) -> int:
    """Send what the gate lets through of these; returns how many were tried."""
    now = clock()
    if not approvals.has_approved_message(campaign):
        log.warning("campaign paused: message changed", extra={"campaign": str(campaign.uuid)})
        Campaign.objects.filter(pk=campaign.pk, status=Status.SENDING).update(
            status=Status.PAUSED, pause_reason="message_changed"
        )
        _release(campaign, token)
        return 0
    looked = gate.look(campaign, rows, now)
    free = [row for row in rows if looked.lets(row.pk)]
    messages, failed = _composed(campaign, free, now) if free else ([], {})
    slowed = throttling.held_back(messages, now)
    messages = [message for message in messages if message.key not in slowed]
    _skip(token, looked.barred | failed, now)
    _hold(token, looked.waits)
    _hold(token, dict.fromkeys(map(int, slowed), now + DOMAIN_WAIT), "domain_rate")
    by_pk = {row.pk: row for row in rows}
    renewed, n_tried = now, 0
    for start in range(0, len(messages), INTENT_BATCH):
        if clock() - renewed > LEASE / 2:
            renewed = clock()
            Delivery.objects.held(token, State.CLAIMED).update(lease_until=renewed + LEASE)
        some = messages[start : start + INTENT_BATCH]
        mine = [by_pk[int(message.key)] for message in some]
        meant = _intend(campaign, mine, token, clock)
        ready = [message for message in some if int(message.key) in meant]
        results = channel.send_batch(ready) if ready else []
        if not campaign.is_marketing:
            results = [_tried_again(result) for result in results]
        _record(results, {row.pk: row.n_attempts for row in mine}, token, clock())
        n_tried += len(ready)
        if not throttling.report(results, clock(), channel=campaign.channel):
            break
    _release(campaign, token)
    return n_tried


def _composed(
    campaign: Campaign, rows: Sequence[Delivery], now: datetime
) -> tuple[list[Message], dict[int, str]]:
    if campaign.channel == ways.SMS:
        return TextComposer(campaign, now=now).compose(rows)
    if campaign.channel == ways.PUSH:
        return PushComposer(campaign, now=now).compose(rows)
    return Composer(campaign, now=now).compose(rows)


@transaction.atomic
def _skip(token: UUID, reasons: Mapping[int, str], now: datetime) -> None:
    """Skip these for good, but for whom was merged: they go with who they are now, a batch later."""
    reasons = {pk: reason for pk, reason in reasons.items() if reason != gate.MERGED}
    held = Delivery.objects.held(token, State.CLAIMED).filter(pk__in=list(reasons))
    mine = set(held.values_list("pk", flat=True)) if reasons else set()
    told = {pk: reason for pk, reason in reasons.items() if pk in mine}
    event_catalogue.tell({event_catalogue.SKIPPED: told}, now)
    for reason in sorted(set(reasons.values())):
        pks = [pk for pk, found in reasons.items() if found == reason]
        Delivery.objects.held(token, State.CLAIMED).filter(pk__in=pks).update(
            state=State.SKIPPED, reason=reason, claim_token=None, lease_until=None
        )


def _hold(token: UUID, until: Mapping[int, datetime], reason: str = "quiet_hours") -> None:
    """Put these off, as if they had not been tried."""
    for moment in sorted(set(until.values())):
        pks = [pk for pk, found in until.items() if found == moment]
        Delivery.objects.held(token, State.CLAIMED).filter(pk__in=pks).update(
            **_UNTRIED, due_at=moment, reason=reason
        )


@transaction.atomic
def _intend(campaign: Campaign, rows: Sequence[Delivery], token: UUID, clock: Clock) -> set[int]:
    """Commit the intent to send these; returns those that are still ours and may still go.

    Every rule is read anew, so what changed since the claim counts for this small batch. Cap
    and budget are counted under locks, so that workers do not go over them together; what
    changed, and the time that passed, while we waited for the locks counts too. If a cap or a
    budget was set meanwhile, whose lock we lack, none may go: they are tried again under it.
    """
    rules = SendingRules.current()
    mine = Campaign.objects.filter(pk=campaign.pk)
    is_capped, is_budgeted = rules.cap_messages is not None, campaign.budget_minor is not None
    if is_capped:
        people = Customer.objects.filter(pk__in=[row.customer_id for row in rows])
        list(people.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    if is_budgeted:
        list(mine.select_for_update(no_key=True).values_list("pk"))
    if is_capped or is_budgeted:
        rules = SendingRules.current()
    now = clock()
    sending = Campaign.objects.sending(now).filter(pk=campaign.pk)
    if (current := sending.first()) is None:
        return set()
    if (rules.cap_messages is not None and not is_capped) or (
        current.budget_minor is not None and not is_budgeted
    ):
        return set()
    looked = gate.look(current, rows, now, rules=rules)
    _skip(token, looked.barred, now)
    _hold(token, looked.waits)
    free = [row.pk for row in rows if looked.lets(row.pk)]
    if (room := limits.room(current)) is not None:
        _skip(token, dict.fromkeys(free[room:], "budget_spent"), now)
        free = free[:room]
    held = Delivery.objects.held(token, State.CLAIMED).filter(lease_until__gte=now)
    n_meant = held.filter(Among("pk", free), campaign__in=sending).update(
        state=State.SENDING, intended_at=now, lease_until=now + LEASE
    )
    if n_meant == len(free):
        return set(free)
    ours = Delivery.objects.held(token, State.SENDING).filter(pk__in=free)
    return set(ours.values_list("pk", flat=True))


def _tried_again(result: Result) -> Result:
    again = result.outcome is Outcome.UNKNOWN
    return Result(result.key, Outcome.LATER, result.code) if again else result


@transaction.atomic
def _record(
    results: Iterable[Result], attempts: Mapping[int, int], token: UUID, now: datetime
) -> None:
    """Write the results down, one statement for each kind of result."""
    alike: dict[tuple[Outcome, str, int], list[int]] = {}
    for result in results:
        n_tries = attempts[int(result.key)] if result.outcome is Outcome.LATER else 0
        alike.setdefault((result.outcome, result.code, n_tries), []).append(int(result.key))
    for (outcome, code, n_tries), pks in alike.items():
        # A row whose lease ran out meanwhile is `unknown`: now we know better.
        mine = Delivery.objects.held(token, State.SENDING, State.UNKNOWN).filter(Among("pk", pks))
        ending = _ending(outcome, code, n_tries, now)
        name = _EVENTS.get(str(ending["state"]), "")
        ended = list(mine.values_list("pk", flat=True)) if announcing.is_heard(name) else []
        mine.update(**ending)
        event_catalogue.tell({name: dict.fromkeys(ended, str(ending["reason"]))}, now)
        if outcome is Outcome.REFUSED and (is_hard(code) or code.startswith(NO_NUMBER)):
            _suppress(pks, now)


_EVENTS: dict[str, str] = {
    State.SENT: event_catalogue.SENT,
    State.FAILED: event_catalogue.FAILED,
    State.UNKNOWN: event_catalogue.UNKNOWN,
}


def _suppress(pks: Sequence[int], now: datetime) -> None:
    """Never write again to addresses that do not exist."""
    rows = Delivery.objects.filter(pk__in=pks).select_related("customer", "campaign")
    for row in rows:
        name = ADDRESS_TAGS.get(row.campaign.channel, "")
        if name and (tag := getattr(row.customer, name)) is not None:
            channel, reason = row.campaign.channel, Suppression.Reason.BOUNCED
            source = ways.provider(channel)
            suppression.suppress_tag(channel, bytes(tag), reason=reason, now=now, source=source)


def _ending(outcome: Outcome, code: str, n_tries: int, now: datetime) -> dict[str, object]:
    closed: dict[str, object] = {"claim_token": None, "lease_until": None, "reason": code}
    if outcome is Outcome.SENT:
        return closed | {"state": State.SENT, "sent_at": now, "reason": ""}
    if outcome is Outcome.LATER and n_tries < MAX_ATTEMPTS:
        return closed | {"state": State.PLANNED, "due_at": now + RETRY_AFTER * 2 ** (n_tries - 1)}
    state = State.UNKNOWN if outcome is Outcome.UNKNOWN else State.FAILED
    return closed | {"state": state}


def _release(campaign: Campaign, token: UUID) -> None:
    """Give back what was claimed of the campaign and not begun, as if it had not been tried."""
    Delivery.objects.held(token, State.CLAIMED).filter(campaign=campaign).update(**_UNTRIED)


_UNTRIED: dict[str, Any] = {
    "state": State.PLANNED,
    "claim_token": None,
    "lease_until": None,
    "n_attempts": F("n_attempts") - 1,
}
