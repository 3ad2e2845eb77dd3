"""Whether columns hold what they were said to hold: a header can lie, and so can a mapping.

Only the shape of values is looked at, and only a plain majority of them convicts: a row that
is wrong by itself is rejected by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from django.utils.translation import gettext as _

from privacy import finder
from profiles.files.reading import UnreadableFileError
from profiles.identity import telling

LOOKED_AT: Final = 200
FEWEST: Final = 5
NUMBER: Final = re.compile(r"[^\d]{0,4}[+-]?[\d.,' ]*\d[^\d]{0,4}")
MOMENT: Final = re.compile(r".*\d.*[-/.:年 ].*\d.*|\d{8,14}")
PHONE: Final = re.compile(r"[+\d][\d\s().\-/]{4,}")


def _is_address(text: str) -> bool:
    return "@" in text


def _is_plain(text: str) -> bool:
    return "@" not in text and not text.startswith("+") and not finder.holds(text)


def _is_short_plain(text: str) -> bool:
    return _is_plain(text) and MOMENT.fullmatch(text) is None


def _is_id(text: str) -> bool:
    return "@" not in text and not text.startswith("+")


def _is_customer(text: str) -> bool:
    return _is_id(text) and not telling.looks_personal(text)


TESTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": _is_address,
    "phone": lambda text: PHONE.fullmatch(text) is not None,
    "quantity": lambda text: NUMBER.fullmatch(text) is not None,
    "price": lambda text: NUMBER.fullmatch(text) is not None,
    "discount": lambda text: NUMBER.fullmatch(text) is not None,
    "placed_at": lambda text: MOMENT.fullmatch(text) is not None,
    "happened_at": lambda text: MOMENT.fullmatch(text) is not None,
    "birth_date": lambda text: MOMENT.fullmatch(text) is not None,
    "address": lambda text: _is_address(text) or PHONE.fullmatch(text) is not None,
    "external_id": _is_customer,
    "customer": _is_customer,
    "order": _is_id,
    "product": _is_id,
    "full_name": lambda text: "@" not in text and any(map(str.isalpha, text)),
    "country": _is_short_plain,
    "city": _is_short_plain,
    "gender": _is_short_plain,
    "locale": _is_short_plain,
    "time_zone": _is_short_plain,
    "currency": _is_short_plain,
    "occupation": _is_plain,
    "category": _is_plain,
    "title": _is_plain,
}  # fmt: skip


def check(
    columns: Sequence[str], mapping: Mapping[str, int], rows: Sequence[Sequence[str]]
) -> None:
    """Raise UnreadableFileError naming the first field whose column holds something else.

    `mapping` is field to place; `rows` are some first good rows, of which the first 200 count.
    """
    for field, at in mapping.items():
        is_right = TESTS.get(field)
        values = [row[at].strip() for row in rows[:LOOKED_AT] if row[at].strip()]
        if is_right is None or len(values) < FEWEST:
            continue
        n_wrong = sum(not is_right(value) for value in values)
        if n_wrong * 2 > len(values):
            raise UnreadableFileError(
                "header_lies",
                _(
                    "The column %(column)s is said to hold %(field)s, but %(wrong)d of its first "
                    "%(all)d values are something else. Name the column that does."
                )
                % {"column": columns[at], "field": field, "wrong": n_wrong, "all": len(values)},
            )
