"""A mail server of the tests that logs what it accepts, whether or not the sender lives to hear it."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port

_DELIVERY = re.compile(rb"^Message-ID: <[0-9a-f]+\.([0-9]+)@", re.MULTILINE)


@dataclass
class Sink:
    """`accepted` are the recipients, `deliveries` which delivery and when (seconds since 1970)."""

    port: int
    accepted: list[str] = field(default_factory=list)
    deliveries: list[tuple[int, float]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.accepted += envelope.rcpt_tos
        if isinstance(envelope.content, bytes) and (found := _DELIVERY.search(envelope.content)):
            self.deliveries.append((int(found[1]), time.time()))
        await asyncio.sleep(0.005)
        return "250 ok"


@contextmanager
def sinking() -> Iterator[Sink]:
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    made = Sink(free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()
