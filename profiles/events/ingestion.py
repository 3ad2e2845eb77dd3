"""Taking events in: a verdict for each at once, the merge soon after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from privacy.models import ApiKey
from profiles.events import ingesting, rejected_events, sealing, wire
from profiles.events.rejected_events import Refused
from profiles.models import EventVerdict

Verdict = EventVerdict.Verdict


@dataclass(frozen=True)
class Remark:
    """What the sender should know about the event at `index` of its batch."""

    index: int
    message_id: str
    code: str
    detail: str


@dataclass
class Receipt:
    """The answer to one request: nothing that came in is missing from it."""

    n_accepted: int = 0
    n_duplicates: int = 0
    rejected: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)


@dataclass
class Judged:
    """The events of a request by what becomes of them; those accepted by their ids."""

    accepted: dict[str, wire.Message] = field(default_factory=dict)
    repeated: list[wire.Message] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def take_in(
    raws: Sequence[bytes],
    *,
    key: ApiKey,
    kind: str | None,
    sent_at: Any,
    ip: str,
    now: datetime,
) -> Receipt:
    """Check and stage the events of one request; `kind` is given where the address names it.

    `sent_at` is what the request told of its client's clock, be it a time or not.
    Personal traits are sealed before anything is staged. Events of test keys are judged and
    shown, never staged; what is rejected is kept sealed for a week.
    """
    reader = wire.Reader(kind=kind, sent_at=sent_at, received_at=now, ip=ip)
    judged = _judge(raws, reader)
    messages = list(judged.accepted.values())
    receipt = Receipt(len(messages), len(judged.repeated), judged.rejected)
    verdicts = [_rejection(remark, key, now) for remark in judged.rejected]
    verdicts += [
        _verdict(message, Verdict.DUPLICATE, "duplicate", key, now) for message in judged.repeated
    ]
    is_confirmed = key.kind == ApiKey.Kind.SECRET
    if key.is_test:
        verdicts += [_verdict(message, Verdict.TEST, "", key, now) for message in messages]
    elif messages:
        ingesting.keep(
            messages, source_id=key.source_id, is_confirmed=is_confirmed, received_at=now, now=now
        )
    for message in messages:
        if not message.concerns and not message.sealed:
            continue
        told = message.concerns if is_confirmed else sealing.told_to_anybody(message)
        receipt.warnings += [_remark(message, concern) for concern in told]
        verdicts += [
            _verdict(message, Verdict.WARNED, concern.code, key, now)
            for concern in message.concerns
        ]
    if verdicts:
        EventVerdict.objects.bulk_create(verdicts)
    rejected_events.keep(judged.refused, key=key, kind=kind, sent_at=reader.sent_at, ip=ip, now=now)
    return receipt


def _judge(raws: Sequence[bytes], reader: wire.Reader) -> Judged:
    judged = Judged()
    for index, raw in enumerate(raws):
        try:
            message = reader.read(raw)
        except wire.RejectedError as error:
            remark = Remark(index, wire.message_id(raw), error.code, str(error))
            judged.rejected.append(remark)
            judged.refused.append(Refused(raw, error.code))
            continue
        message.index = index
        if judged.accepted.setdefault(message.message_id, message) is not message:
            judged.repeated.append(message)
    return judged


def _remark(message: wire.Message, concern: wire.Concern) -> Remark:
    return Remark(message.index, message.message_id, concern.code, concern.detail)


def _verdict(
    message: wire.Message, verdict: Verdict, code: str, key: ApiKey, now: datetime
) -> EventVerdict:
    return EventVerdict(
        source_id=key.source_id,
        message_id=message.message_id,
        kind=message.kind,
        name=message.name,
        verdict=verdict,
        code=code,
        is_test=key.is_test,
        received_at=now,
    )


def _rejection(remark: Remark, key: ApiKey, now: datetime) -> EventVerdict:
    return EventVerdict(
        source_id=key.source_id,
        message_id=remark.message_id,
        verdict=Verdict.REJECTED,
        code=remark.code,
        is_test=key.is_test,
        received_at=now,
    )
