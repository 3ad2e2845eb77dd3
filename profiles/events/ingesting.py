"""Putting readable events where the merge finds them, their personal parts sealed first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from profiles import asking
from profiles.events import sealing, staging
from profiles.events.wire import Message


def keep(
    messages: Sequence[Message],
    *,
    source_id: int,
    is_confirmed: bool,
    received_at: datetime,
    now: datetime,
) -> None:
    """Seal, stage, and see that a merge is asked for; `is_confirmed` by a secret key."""
    sealing.seal(messages, is_confirmed=is_confirmed, now=now)
    staging.write(messages, source_id=source_id, is_confirmed=is_confirmed, received_at=received_at)
    asking.ask_for_merge(now)
