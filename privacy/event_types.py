"""What webhooks tell of: each app registers the types of its own facts in `AppConfig.ready()`.

A type says which members its `data` has. They are ids, codes and times, nothing personal: what
goes out cannot be called back, and who wants to know more asks the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NAME: Final = re.compile(r"[a-z_]+\.[a-z_]+")


@dataclass(frozen=True)
class Member:
    """One member of a type's `data`; `form` is JSON Schema's `format`, such as `uuid`."""

    name: str
    about: str
    form: str = ""
    kind: str = "string"
    can_be_null: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        kinds = [self.kind, "null"] if self.can_be_null else self.kind
        form = {"format": self.form} if self.form else {}
        return {"type": kinds, "description": self.about, **form}


@dataclass(frozen=True)
class EventType:
    """`is_about_customers`: its data names one, so its receivers must hear of erasures too."""

    name: str
    title: StrOrPromise
    about: str
    members: tuple[Member, ...]
    is_about_customers: bool = False

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise ValueError for data that the catalogue does not describe."""
        expected = {member.name for member in self.members}
        if set(data) != expected:
            raise ValueError(f"{self.name} has the members {sorted(expected)}, not {sorted(data)}")


_types: dict[str, EventType] = {}


def register(
    name: str,
    title: StrOrPromise,
    members: Sequence[Member],
    *,
    about: str,
    is_about_customers: bool = False,
) -> None:
    """Enter a type of event; `title` is for the admin, `about` says in the API when it is sent."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not of the form thing.happened")
    _types[name] = EventType(name, title, about, tuple(members), is_about_customers)


def find(name: str) -> EventType:
    """Return the type of that name; raises LookupError for one nobody registered."""
    try:
        return _types[name]
    except KeyError:
        raise LookupError(f"no event type is called {name!r}") from None


def all_types() -> list[EventType]:
    return [_types[name] for name in sorted(_types)]
