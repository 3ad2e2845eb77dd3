"""Plain letters of the shop's own over the way e-mail takes here, for the apps below."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from urllib.parse import urlsplit

from django.conf import settings

from campaigns.channels import email
from campaigns.channels.base import Channel, Message, Outcome
from campaigns.channels.outbox import OutboxChannel
from campaigns.rendering.message import AddressError, mailable
from privacy.models import Shop
from privacy.registry import Carried

_BECAME = {
    Outcome.SENT: Carried.SENT,
    Outcome.LATER: Carried.LATER,
    Outcome.REFUSED: Carried.REFUSED,
    # It may have arrived; a letter twice is better than none.
    Outcome.UNKNOWN: Carried.LATER,
}


def carry(key: str, address: str, subject: str, text: str, now: datetime) -> tuple[Carried, str]:
    """Send one letter; returns what became of it and the reply code."""
    shop = Shop.current()
    try:
        recipient = mailable(address)
    except AddressError:
        return Carried.REFUSED, "no_address"
    if not shop.sender_email:
        return Carried.LATER, "no_sender"
    letter = EmailMessage(policy=SMTP)
    letter["From"] = formataddr((shop.sender_name or shop.name, shop.sender_email))
    letter["To"] = recipient
    letter["Subject"] = " ".join(subject.split())
    letter["Date"] = format_datetime(now)
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    letter["Message-ID"] = f"<{key}@{host}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    message = Message(key, shop.sender_email, recipient, letter.as_bytes(), now)
    result = _way().send_batch([message])[0]
    return _BECAME[result.outcome], result.code


def _way() -> Channel:
    """Without a mail server letters lie in a folder of their own, off the outbox screen."""
    if email.is_real():
        return email.channel()
    return OutboxChannel(settings.OUTBOX_DIR / "letters")
