"""What the tests of sending share: a channel that keeps its messages, a launched campaign."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from campaigns import approvals, delivery
from campaigns.channels.base import Message, Outcome, Result
from campaigns.models import Campaign
from privacy import consent
from profiles.models import Customer
from tests import make
from tests.make import NOW


@dataclass
class Tray:
    """A channel that keeps what it is given and answers as told, by recipient."""

    answers: dict[str, Result] = field(default_factory=dict)
    taken: list[Message] = field(default_factory=list)

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        self.taken += messages
        return [self._answer(message) for message in messages]

    def _answer(self, message: Message) -> Result:
        told = self.answers.get(message.recipient, Result("", Outcome.SENT, "250"))
        return Result(message.key, told.outcome, told.code)

    @property
    def recipients(self) -> list[str]:
        return [message.recipient for message in self.taken]


def parsed(message: Message) -> EmailMessage:
    return email.message_from_bytes(message.content, policy=email.policy.default)


def body(message: Message, kind: str = "html") -> str:
    part = parsed(message).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def launched(**options: Any) -> Campaign:
    made = make.written_campaign(**options)
    delivery.plan(made, NOW)
    approvals.launch(made)
    return made


def withdraw(customer: Customer) -> None:
    consent.record(
        customer.subject, "campaign.email", "email", "withdrawn",
        wording="no", source="test", happened_at=NOW, now=NOW,
    )  # fmt: skip
