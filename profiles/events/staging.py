"""Writing accepted events into the staging table in one go: COPY, or executemany on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from django.db import connection

from profiles.events.wire import Message

COLUMNS: Final = (
    "source_id, message_id, kind, name, customer_ref, previous_ref, anonymous_id, product_id,"
    " properties, context, is_confirmed, happened_at, received_at"
)
COPY: Final = f"COPY profiles_eventstaging ({COLUMNS}) FROM STDIN"
INSERT: Final = (
    f"INSERT INTO profiles_eventstaging ({COLUMNS})"  # noqa: S608 -- both are constants  # nosec B608
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

_encoder = msgspec.json.Encoder()


def write(
    messages: Sequence[Message],
    *,
    source_id: int,
    is_confirmed: bool,
    received_at: datetime,
) -> None:
    """Stage `messages`, whose ids are tags already, for the merge."""
    contexts = _Contexts()
    if connection.vendor == "postgresql":
        trusted, received = "t" if is_confirmed else "f", received_at.isoformat()
        lines = [
            f"{source_id}\t{_line(_texts(message, contexts))}"
            f"\t{trusted}\t{message.happened_at.isoformat()}\t{received}\n"
            for message in messages
        ]
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write("".join(lines))
        return
    arrived = _naive(received_at)
    with connection.cursor() as cursor:
        cursor.executemany(
            INSERT,
            [
                (
                    source_id,
                    *_texts(message, contexts),
                    is_confirmed,
                    _naive(message.happened_at),
                    arrived,
                )
                for message in messages
            ],
        )


class _Contexts(dict[int, str]):
    """Contexts as JSON by their identity: the messages of a request share theirs."""

    def of(self, message: Message) -> str:
        key = id(message.context)
        if (text := self.get(key)) is None:
            text = self[key] = _encoder.encode(message.context).decode()
        return text


def _line(texts: Sequence[str]) -> str:
    """Texts as COPY reads them; most hold no sign that it would take for its own."""
    line = "\t".join(texts)
    is_plain = (
        "\\" not in line
        and "\n" not in line
        and "\r" not in line
        and line.count("\t") == len(texts) - 1
    )
    return line if is_plain else "\t".join(text.translate(ESCAPES) for text in texts)


def _texts(message: Message, contexts: _Contexts) -> Sequence[str]:
    return (
        message.message_id,
        message.kind,
        message.name,
        message.user_id,
        message.previous_id,
        message.anonymous_id,
        message.product_id,
        _encoder.encode(message.properties).decode(),
        contexts.of(message),
    )


def _naive(moment: datetime) -> str:
    """As Django stores times in SQLite, which compares them as text."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
