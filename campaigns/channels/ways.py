"""Which way each channel takes in this installation."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from campaigns.channels import email
from campaigns.channels.base import Channel

EMAIL, SMS, PUSH = "email", "sms", "push"
SENDING: Final = (EMAIL, SMS, PUSH)


def way(channel: str) -> Channel:
    """Return what messages of a channel are handed to."""
    if channel == SMS:
        from campaigns.channels import sms  # noqa: PLC0415 -- needed by few, slow to load

        return sms.channel()
    if channel == PUSH:
        from campaigns.channels import push  # noqa: PLC0415 -- as above

        return push.PushChannel()
    return email.channel()


def kept_open(way: Channel) -> AbstractContextManager[None]:
    """Keep what a way has open from one batch to the next, where it has something."""
    return way.kept_open() if isinstance(way, email.SmtpChannel) else nullcontext()


def stays_here(channel: str) -> bool:
    """Whether messages of a channel lie in the outbox, for want of a server to hand them to."""
    return channel in SENDING and provider(channel).startswith("outbox")


def provider(channel: str) -> str:
    """Return the name of where a channel's messages are handed over, without any credential."""
    if channel == SMS:
        from campaigns.channels import sms  # noqa: PLC0415 -- as above

        return sms.provider()
    if channel == PUSH:
        return "web push"
    return email.provider()
