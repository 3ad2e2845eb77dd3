"""Messages on their way to webhooks: claimed, posted, recorded, tried again for three days.

The row is the truth. What a dead worker held is claimed by the next one and sent under the same
id, so each message arrives at least once. Only the posting itself runs in threads; what it
needs is read before, and what came of it is written after.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic
from typing import Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from privacy import outbound, recipients, registry, webhooks
from privacy.announcing import DISABLED
from privacy.models import (
    Recipient,
    RecipientNotice,
    Staff,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookMessage,
)
from privacy.outbound import Guard, OutboundError
from privacy.registry import Carried

log = logging.getLogger(__name__)

BATCH: Final = 64
SHARE: Final = 20  # of one webhook in a batch
THREADS: Final = 8
BUDGET_SECONDS: Final = 30.0
LEASE: Final = timedelta(seconds=60)

# The schedule that Standard Webhooks names; each wait up to a fifth longer.
WAITS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
MAX_ATTEMPTS: Final = len(WAITS) + 1
LONGEST_WAIT: Final = timedelta(days=1)
FAILING_FOR: Final = timedelta(days=3)
# A webhook that failed five times in a row rests, ever longer, whatever waits for it.
FREE_FAILURES: Final = 5
FIRST_REST: Final = timedelta(seconds=10)
LONGEST_REST: Final = timedelta(minutes=10)

State = WebhookDelivery.State
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Parcel:
    """What a thread needs to post one delivery."""

    delivery: int
    webhook: int
    url: str
    message_id: str
    body: bytes
    secrets: Sequence[bytes]


@dataclass(frozen=True)
class Outcome:
    """What came of a parcel: a status, or the code of why there is none."""

    delivery: int
    at: datetime
    status: int | None
    reason: str
    n_ms: int
    retry_after: str = ""

    @property
    def is_good(self) -> bool:
        return self.status is not None and not self.reason


def send_due(now: datetime, *, limit: int = BATCH, guard: Guard | None = None) -> int:
    """Post up to `limit` messages that are due; returns how many were taken.

    Safe to run in any number of processes: a row is claimed by one of them, and a webhook that
    hangs holds up only its own.
    """
    clock = _clock(now)
    recover(now)
    token = claim(now, limit)
    if token is None:
        return 0
    return send_claimed(token, guard or webhooks.guard(), clock)


def send_now(delivery: WebhookDelivery, now: datetime, *, guard: Guard | None = None) -> None:
    """Post this one at once, whatever else waits; nothing if somebody else has taken it."""
    clock = _clock(now)
    token = uuid4()
    waiting = WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING)
    if waiting.update(**_claimed(token, now)):
        send_claimed(token, guard or webhooks.guard(), clock)
    delivery.refresh_from_db()


def recover(now: datetime) -> None:
    """Put back what dead workers held; what has cost its last attempt is failed."""
    lost = WebhookDelivery.objects.lost(now)
    freed = {"claim_token": None, "lease_until": None, "reason": "worker_lost"}
    lost.filter(n_attempts__gte=MAX_ATTEMPTS).update(state=State.FAILED, ended_at=now, **freed)
    lost.update(state=State.WAITING, **freed)


def _clock(now: datetime) -> Clock:
    began = monotonic()
    return lambda: now + timedelta(seconds=monotonic() - began)


# Claiming ---------------------------------------------------------------------------------


def claim(now: datetime, limit: int) -> UUID | None:
    """Take what is due of each webhook that is ready, a share of each; None if nothing is.

    A webhook that another worker is posting to is left to it.
    """
    of_it = {"webhook": OuterRef("pk")}
    due = WebhookDelivery.objects.due(now).filter(**of_it)
    busy = WebhookDelivery.objects.filter(state=State.SENDING, **of_it)
    ready = list(
        Webhook.objects.ready(now)
        .filter(Exists(due), ~Exists(busy))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if not ready:
        return None
    token, share = uuid4(), max(1, min(SHARE, limit // len(ready)))
    with transaction.atomic():
        for webhook in ready:
            rows = WebhookDelivery.objects.due(now).filter(webhook=webhook)
            free = rows.select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "pk")
            picked = list(free.values_list("pk", flat=True)[:share])
            waiting = WebhookDelivery.objects.filter(pk__in=picked, state=State.WAITING)
            waiting.update(**_claimed(token, now))
    return token


def _claimed(token: UUID, now: datetime) -> dict[str, object]:
    return {
        "state": State.SENDING,
        "claim_token": token,
        "lease_until": now + LEASE,
        "n_attempts": F("n_attempts") + 1,
    }


# Posting ----------------------------------------------------------------------------------


def send_claimed(token: UUID, guard: Guard, clock: Clock) -> int:
    rows = _about_to_leave(token, clock())
    parcels = _parcels(rows, now=clock())
    outcomes = _post_all(parcels, guard, clock)
    is_news = record(outcomes, token, clock())
    WebhookDelivery.objects.held(token).update(
        state=State.WAITING, claim_token=None, lease_until=None, n_attempts=F("n_attempts") - 1
    )
    if is_news:
        tell_of_disabled(clock())
    return len(rows)


@transaction.atomic
def _about_to_leave(token: UUID, now: datetime) -> list[WebhookDelivery]:
    """Return what is to be posted, and note who is given whose data before it leaves.

    The rows are locked, so that an erasure either comes first, and they are gone, or sees who
    was noted.
    """
    held = WebhookDelivery.objects.held(token).select_for_update(of=("self",))
    rows = list(held.select_related("webhook", "message").order_by("due_at", "pk"))
    given: dict[str, set[UUID]] = {}
    for row in rows:
        if row.message.subject_id is not None:
            given.setdefault(row.webhook.name, set()).add(row.message.subject_id)
    for name, subjects in sorted(given.items()):
        recipient = recipients.named(name, Recipient.Kind.WEBHOOK, since=now.date())
        recipients.note(recipient, subjects, now=now)
    return rows


def _parcels(rows: Sequence[WebhookDelivery], *, now: datetime) -> list[Parcel]:
    """What to post, the webhooks in turn, so that none of them has to wait for all of another."""
    secrets = {row.webhook_id: webhooks.secrets_of(row.webhook, now=now) for row in rows}
    turn: dict[int, int] = {}
    placed = []
    for row in rows:
        turn[row.webhook_id] = turn.get(row.webhook_id, 0) + 1
        parcel = Parcel(
            delivery=row.pk,
            webhook=row.webhook_id,
            url=row.webhook.url,
            message_id=row.message.wire_id,
            body=webhooks.body_of(row.message),
            secrets=secrets[row.webhook_id],
        )
        placed.append((turn[row.webhook_id], parcel))
    return [parcel for _turn, parcel in sorted(placed, key=lambda pair: pair[0])]


def _post_all(parcels: Sequence[Parcel], guard: Guard, clock: Clock) -> list[Outcome]:
    """Post side by side. What is left out, once a webhook hangs or time is up, has no outcome."""
    hanging: set[int] = set()
    until = clock() + timedelta(seconds=BUDGET_SECONDS)

    def post(parcel: Parcel) -> Outcome | None:
        if parcel.webhook in hanging or clock() > until:
            return None
        outcome = _post(parcel, guard, clock())
        if outcome.status is None:
            hanging.add(parcel.webhook)
        return outcome

    if len(parcels) == 1:
        found = [post(parcels[0])]
    else:
        with ThreadPoolExecutor(min(THREADS, max(1, len(parcels)))) as pool:
            found = list(pool.map(post, parcels))
    return [outcome for outcome in found if outcome is not None]


def _post(parcel: Parcel, guard: Guard, now: datetime) -> Outcome:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Candor-Webhooks/1",
        **webhooks.signed(parcel.message_id, parcel.body, parcel.secrets, now=now),
    }
    began = monotonic()
    try:
        answer = outbound.post(parcel.url, parcel.body, headers, guard=guard)
    except OutboundError as error:
        n_ms = round((monotonic() - began) * 1_000)
        return Outcome(parcel.delivery, now, None, error.code, n_ms)
    n_ms = round(answer.seconds * 1_000)
    reason = _reason(answer.status)
    return Outcome(parcel.delivery, now, answer.status, reason, n_ms, answer.retry_after)


def _reason(status: int) -> str:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    if status == HTTPStatus.GONE:
        return "gone"
    is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return "redirect" if is_redirect else "http_error"


# Recording --------------------------------------------------------------------------------


@transaction.atomic
def record(outcomes: Sequence[Outcome], token: UUID, now: datetime) -> bool:
    """Write down what came of the rows that are still ours, and what it says of the webhooks.

    Returns whether one of these is disabled from now on.
    """
    by_row = {outcome.delivery: outcome for outcome in outcomes}
    held = WebhookDelivery.objects.held(token).filter(pk__in=by_row)
    rows = list(
        held.select_for_update(of=("self",)).select_related("message", "webhook").order_by("pk")
    )
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery=row,
            at=by_row[row.pk].at,
            status=by_row[row.pk].status,
            reason=by_row[row.pk].reason,
            n_ms=by_row[row.pk].n_ms,
        )
        for row in rows
    )
    for row in rows:
        _end(row, by_row[row.pk], now)
    columns = [
        "state", "due_at", "status", "reason", "ended_at", "claim_token", "lease_until",
    ]  # fmt: skip
    WebhookDelivery.objects.bulk_update(rows, columns)
    real = [row for row in rows if row.message.type != webhooks.TEST]
    _note_erasures([row for row in real if row.message.type == webhooks.ERASED], now)
    return _note_health(real, by_row, now)


def _end(row: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    """Set what becomes of a row: delivered, waiting for its next attempt, or failed."""
    row.claim_token, row.lease_until = None, None
    row.status, row.reason, row.ended_at = outcome.status, outcome.reason, now
    is_last = row.n_attempts >= MAX_ATTEMPTS or row.message.type == webhooks.TEST
    if outcome.is_good:
        row.state = State.DELIVERED
    elif is_last or outcome.reason == "gone":
        row.state = State.FAILED
    elif not row.webhook.is_enabled:
        row.state, row.reason = State.FAILED, DISABLED
    else:
        row.state, row.ended_at = State.WAITING, None
        row.due_at = now + _wait(row, outcome, now)


def _wait(row: WebhookDelivery, outcome: Outcome, now: datetime) -> timedelta:
    """How long until the next attempt, or longer, up to a day, where the receiver asked for it."""
    jitter = 1 + row.uuid.int % 997 / 997 / 5
    return max(WAITS[row.n_attempts - 1] * jitter, _asked_for(outcome.retry_after, now))


def _asked_for(retry_after: str, now: datetime) -> timedelta:
    """What a Retry-After asks for: seconds, or a date; nothing where it cannot be read."""
    try:
        if retry_after.isascii() and retry_after.isdigit():
            return min(timedelta(seconds=int(retry_after[:9])), LONGEST_WAIT)
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return timedelta(0)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(0), min(at - now, LONGEST_WAIT))


def _note_health(
    rows: Iterable[WebhookDelivery], by_row: Mapping[int, Outcome], now: datetime
) -> bool:
    """Note failures in a row, and disable who is gone or failed for days; says if anybody was."""
    by_webhook: dict[int, list[Outcome]] = {}
    for row in rows:
        by_webhook.setdefault(row.webhook_id, []).append(by_row[row.pk])
    is_news = False
    concerned = Webhook.objects.select_for_update(no_key=True).filter(pk__in=by_webhook)
    for webhook in concerned.order_by("pk"):
        outcomes = by_webhook[webhook.pk]
        if any(outcome.is_good for outcome in outcomes):
            webhook.n_failures, webhook.failing_since, webhook.resting_until = 0, None, None
        else:
            webhook.n_failures += 1  # however many of a batch went out before the first came back
            webhook.failing_since = webhook.failing_since or now
            webhook.resting_until = now + _rest(webhook.n_failures)
        if webhook.is_enabled and (state := _verdict(webhook, outcomes, now)):
            webhooks.disable(webhook, state, now=now)
            is_news = True
        webhook.save()
    return is_news


def _verdict(webhook: Webhook, outcomes: Sequence[Outcome], now: datetime) -> str:
    """Return the state of a webhook that must not be sent to any more; empty for others."""
    if any(outcome.reason == "gone" for outcome in outcomes):
        return Webhook.State.GONE
    since = webhook.failing_since
    return Webhook.State.FAILING if since and since <= now - FAILING_FOR else ""


def _rest(n_failures: int) -> timedelta:
    if n_failures < FREE_FAILURES:
        return timedelta(0)
    rest: timedelta = FIRST_REST * 2 ** min(n_failures - FREE_FAILURES, 10)
    return min(rest, LONGEST_REST)


def _note_erasures(rows: Iterable[WebhookDelivery], now: datetime) -> None:
    """Note on the erasure that a webhook was told of it, and forget who it was once all are."""
    for row in rows:
        if row.state != State.DELIVERED:
            continue
        RecipientNotice.objects.filter(
            erasure__uuid=row.message.data["erasureId"],
            recipient__kind=Recipient.Kind.WEBHOOK,
            recipient__name=row.webhook.name,
            state=RecipientNotice.State.PENDING,
        ).update(state=RecipientNotice.State.TOLD, told_at=now)
        left = WebhookDelivery.objects.filter(message=row.message).exclude(state=State.DELIVERED)
        if not left.exists():
            forgotten = {**row.message.data, "customerId": None}
            WebhookMessage.objects.filter(pk=row.message_id).update(data=forgotten)


# Telling people ---------------------------------------------------------------------------


def tell_of_disabled(now: datetime) -> int:
    """Mail the administrators about webhooks that were disabled by themselves, once each.

    Where the mail server takes no letter, the next hour tries again. Returns how many were told of.
    """
    by_itself = Q(state__in=[Webhook.State.GONE, Webhook.State.FAILING])
    untold = list(Webhook.objects.filter(by_itself, told_at__isnull=True).order_by("pk"))
    people = list(
        Staff.objects.filter(role=Staff.Role.ADMINISTRATOR, is_active=True)
        .exclude(email="")
        .values_list("pk", "email")
    )
    n_told = 0
    for webhook in untold:
        mine = Webhook.objects.filter(pk=webhook.pk, told_at__isnull=True)
        if not mine.update(told_at=now):
            continue
        log.warning("webhook disabled", extra={"webhook": str(webhook.uuid)})
        if _tell(webhook, people, now):
            n_told += 1
        else:
            Webhook.objects.filter(pk=webhook.pk, told_at=now).update(told_at=None)
    return n_told


def _tell(webhook: Webhook, people: Sequence[tuple[int, str]], now: datetime) -> bool:
    """Mail everybody of `people`; says whether that is over, so that nobody gets it twice."""
    title = _("Webhook disabled: %(name)s") % {"name": webhook.name}
    text = _(
        "The webhook “%(name)s” is not told of anything any more. %(state)s. Once its "
        "receiver is well again, enable it and send what failed once more: %(link)s"
    ) % {
        "name": webhook.name,
        "state": webhook.get_state_display(),
        "link": f"{settings.PUBLIC_URL}/admin/privacy/webhook/{webhook.pk}/change/",
    }
    carried = {
        registry.carry(f"webhook-{webhook.pk}-{pk}-{now:%Y%m%d%H%M}", email, title, text, now)[0]
        for pk, email in people
    }
    return carried != {Carried.LATER}
