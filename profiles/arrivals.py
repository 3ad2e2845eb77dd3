"""An event on its way from the request that brought it to its place in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from profiles.bulk import moment


@dataclass(eq=False)
class Parcel:
    """What the events of one request share; `contexts` are JSON."""

    pk: int
    source_id: int
    is_confirmed: bool
    received_at: datetime
    contexts: list[str]


class Arrival(msgspec.Struct, eq=False, dict=True):
    """An event as it was staged, ids as tags; `customer_pk` is found out by the merge."""

    parcel: Parcel
    kind: str
    message_id: str
    name: str
    customer_ref: str
    previous_ref: str
    anonymous_id: str
    product_id: str
    happened_at: str
    packed_properties: msgspec.Raw
    context: int
    customer_pk: int | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What a repeat is known by."""
        return self.parcel.source_id, self.message_id

    @property
    def properties(self) -> str:
        return str(self.packed_properties, "utf-8")

    @cached_property
    def facts(self) -> dict[str, Any]:
        return msgspec.json.decode(self.packed_properties, type=dict[str, Any])

    @cached_property
    def circumstances(self) -> dict[str, Any]:
        return msgspec.json.decode(self.parcel.contexts[self.context], type=dict[str, Any])

    @cached_property
    def at(self) -> datetime:
        return moment(datetime.fromisoformat(self.happened_at))
