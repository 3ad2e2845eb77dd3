"""What every channel speaks: messages in, one result each out, no exception for one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """What became of a message.

    `LATER` means surely not accepted, so trying again doubles nothing; `UNKNOWN` means it
    may have been accepted, so trying again could.
    """

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Message:
    """A finished message: `key` is the sender's own name for it, `content` the wire bytes.

    `reference` is the name it has in the other side's reports. A gateway that sends registered
    texts only takes `template` and `parameters` in the place of `content`.
    """

    key: str
    sender: str
    recipient: str
    content: bytes
    date: datetime
    reference: str = ""
    template: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """`code` is the other side's reply code, or a word of ours; never its text.

    `wait_seconds`: so long the other side wants to hear nothing of anybody.
    """

    key: str
    outcome: Outcome
    code: str = ""
    wait_seconds: float = 0.0


class Channel(Protocol):
    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        """Send each message and return a result for each, in the same order."""
