"""What is shown of personal data: one table says how much, to whom, while what is done.

Everything that prints a value goes through the sealed handle, and so through here: lists, pages
and history of the admin, the API, exports, previews, logs, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from django.utils.translation import gettext as _

HIDDEN = "***"
LONG_NUMBER = 8
ANY = "*"


class Show(StrEnum):
    """How much is shown: enough to recognise, or that there is something. Never all of it."""

    PARTIAL = "partial"
    HIDDEN = "hidden"


# (data class, role, purpose): the first row that fits counts; without one it is partial.
# A role is that of a staff account; it is empty for keys of the API, in jobs and in logs.
POLICY: tuple[tuple[str, str, str, Show], ...] = (
    ("text", ANY, ANY, Show.HIDDEN),
    ("birth_date", "viewer", ANY, Show.HIDDEN),
    ("birth_date", "approver", ANY, Show.HIDDEN),
    ("phone", "viewer", ANY, Show.HIDDEN),
    ("birth_date", ANY, "campaign.email", Show.HIDDEN),
)

_role: ContextVar[Callable[[], str]] = ContextVar("role_that_looks", default=lambda: "")
_purpose: ContextVar[str] = ContextVar("purpose_while_looking", default="")


@contextmanager
def looking(role: Callable[[], str]) -> Iterator[None]:
    """Mask for that role in the block; it is asked for only when there is something to mask."""
    token = _role.set(role)
    try:
        yield
    finally:
        _role.reset(token)


@contextmanager
def doing(purpose: str) -> Iterator[None]:
    """Mask for that purpose in the block."""
    token = _purpose.set(purpose)
    try:
        yield
    finally:
        _purpose.reset(token)


def level(data_class: str, role: str, purpose: str) -> Show:
    """Return how much of a class a role sees while that is done."""
    asked = (data_class, role, purpose)
    for *row, show in POLICY:
        if all(wanted in {ANY, given} for wanted, given in zip(row, asked, strict=True)):
            return show
    return Show.PARTIAL


def shown(value: str, data_class: str) -> str:
    """Return what of a value is shown to who looks now."""
    mask = MASKS.get(data_class, text)
    if level(data_class, _role.get()(), _purpose.get()) == Show.HIDDEN:
        return HIDDEN
    return mask(value)


def damaged() -> str:
    """Return what stands in place of a value that does not open; like a mask, it is no value."""
    word = _("damaged")
    return f"{HIDDEN} ({word})"


def email(value: str) -> str:
    """`anna@example.com` -> `a***@e***.com`."""
    local, _, domain = value.rpartition("@")
    host, _, ending = domain.rpartition(".")
    return f"{local[:1]}{HIDDEN}@{host[:1]}{HIDDEN}.{ending}"


def phone(value: str) -> str:
    """`+8613812348000` -> `138****8000`; other countries keep their `+`."""
    digits = value.removeprefix("+86")
    if len(digits) < LONG_NUMBER:
        return HIDDEN
    shown = 4 if digits.startswith("+") else 3
    return f"{digits[:shown]}****{digits[-4:]}"


def name(value: str) -> str:
    """`王小明` -> `王*`, `Anna Smith` -> `A*** S***`."""
    words = value.split()
    if not words:
        return HIDDEN
    if not value.isascii() and len(words) == 1 and "\u3400" <= value.strip()[0] <= "\u9fff":
        return f"{value.strip()[0]}*"
    return " ".join(f"{word[0]}{HIDDEN}" for word in words)


def date(value: str) -> str:
    """`1988-03-01` -> `1988-**-**`."""
    return f"{value[:4]}-**-**"


def text(value: str) -> str:  # noqa: ARG001 -- a mask like the others
    return HIDDEN


MASKS = {
    "email": email,
    "phone": phone,
    "name": name,
    "birth_date": date,
}


def is_masked(value: str) -> bool:
    """Whether a text is what one of these masks leaves, and so no value to keep."""
    return HIDDEN in value or value.endswith("*")
