"""Data sets of files: who took what when, read whole and checked, beside the database.

Three formats: `user-items` (a line: user id, then item ids, in no order), `sequences` (the
same, in the order of time) and events (CSV with customer, product, occurred_at, and maybe
quantity and text). Numbers are given in the order of ids by code point.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from profiles.features.vocabulary import age_band
from recommendations.engines.base import Interactions, Items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from recommendations.engines.base import Flags, Integers

NEEDED = ("customer", "product", "occurred_at")


class DataError(ValueError):
    """A file cannot be read as data for an evaluation; the text names the place and the fix."""


@dataclass(frozen=True)
class Data:
    """Interactions with their ids; `rejected` counts left-out rows by reason."""

    interactions: Interactions
    people: tuple[str, ...]
    items: Items
    rejected: dict[str, int]


def of_lines(*files: Path) -> tuple[Data, ...]:
    """Read files of lines "user item item …"; all get the numbers of the same people and items.

    `at` is the place in the line. Raises DataError for a file without any item.
    """
    read = [list(_lines(path)) for path in files]
    people = _numbered(user for lines in read for user, _ in lines)
    products = _numbered(item for lines in read for _, line in lines for item in line)
    ids = Items.plain(list(products))
    found = []
    for path, lines in zip(files, read, strict=True):
        users, items, at = array("q"), array("q"), array("q")  # 64-bit
        for user, line in lines:
            for place, item in enumerate(line):
                users.append(people[user])
                items.append(products[item])
                at.append(place)
        if not len(items):
            raise DataError(f"{path}: no line holds an item; write a user id, then item ids")
        data = _interactions(
            np.array(users, np.int64),
            np.array(items, np.int64),
            np.array(at, np.int64),
            len(people),
            len(products),
        )
        found.append(Data(data, tuple(people), ids, {}))
    return tuple(found)


def of_events(path: Path) -> Data:
    """Read a CSV of events; rows that cannot be used are left out and counted by reason.

    Times without a zone are UTC. Returned goods (a quantity of 0 or less) are left out.
    Raises DataError for a file that lacks a column or has no usable row.
    """
    table = _table(path)
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        apart = "; columns are parted by commas" if len(table.columns) == 1 else ""
        raise DataError(
            f"{path}: the first line must name {', '.join(NEEDED)}; "
            f"it lacks {', '.join(missing)}{apart}"
        )
    at = pd.to_datetime(table["occurred_at"], utc=True, errors="coerce", format="ISO8601")
    reasons = {
        "no customer": table["customer"].str.strip() == "",
        "no product": table["product"].str.strip() == "",
        "occurred_at is no ISO 8601 time": at.isna(),
    }
    if "quantity" in table.columns:
        quantity = pd.to_numeric(table["quantity"], errors="coerce")
        reasons["quantity is no number above 0"] = ~(np.isfinite(quantity) & (quantity > 0))
    usable, rejected = _sifted(reasons, len(table))
    if not usable.any():
        raise DataError(f"{path}: no row can be used: {_told(rejected) or 'there is none'}")
    table, at = table[usable], at[usable]
    people = _numbered(table["customer"])
    products = _numbered(table["product"])
    items = Items.plain(list(products))
    if "text" in table.columns:
        told = table.loc[table["text"] != ""].groupby("product")["text"].last().to_dict()
        items = Items(
            items.ids, items.repeatable, items.on_sale, tuple(told.get(one, "") for one in products)
        )
    seconds = np.array([moment.timestamp() for moment in at], np.int64)
    data = _interactions(
        np.array([people[one] for one in table["customer"]], np.int64),
        np.array([products[one] for one in table["product"]], np.int64),
        seconds, len(people), len(products),
    )  # fmt: skip
    return Data(data, tuple(people), items, rejected)


def of_users(path: Path) -> dict[str, dict[str, str]]:
    """Read a CSV of customers: for each column beside `customer`, the group of each of them.

    Ages in whole years (a column `age`) become bands. Raises DataError for a file that lacks
    a column, names a customer twice, or holds an age that is none.
    """
    table = _table(path)
    if "customer" not in table.columns or len(table.columns) == 1:
        raise DataError(f"{path}: the first line must name customer and a column of groups")
    customers = table["customer"].str.strip()
    if (twice := customers[customers.duplicated()]).size:
        raise DataError(f"{path}: line {twice.index[0] + 2} names a customer a second time")
    found = {}
    for column in table.columns.drop("customer"):
        cells = table[column].str.strip()
        if column == "age":
            cells = _bands_of(cells, path)
        found[str(column)] = dict(zip(customers, cells, strict=True))
    return found


def _table(path: Path) -> pd.DataFrame:
    """Read a CSV as text, cell by cell."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: the file is empty; its first line names columns") from error
    except pd.errors.ParserError as error:
        where = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{path}: {where}; put a text that holds a comma in quotes, and close every quote"
        ) from error
    except (ValueError, OSError) as error:  # pandas raises subclasses of both
        raise DataError(f"{path}: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of fields without a name
        raise DataError(
            f"{path}: line 2 has more fields than the first names; "
            "put a text that holds a comma in quotes"
        )
    return table


def _bands_of(ages: pd.Series[str], path: Path) -> pd.Series[str]:
    wrong = ages[(ages != "") & ~ages.str.fullmatch(r"[0-9]{1,3}")]
    if wrong.size:
        raise DataError(f"{path}: line {wrong.index[0] + 2}: an age is a whole number of years")
    return ages.map(lambda age: age_band(int(age)) if age else "")


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if words := line.split():
                    yield words[0], words[1:]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text; write it anew in UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _numbered(ids: Iterable[str]) -> dict[str, int]:
    return {one: number for number, one in enumerate(sorted(set(ids)))}


def _interactions(
    users: Integers, items: Integers, at: Integers, n_people: int, n_items: int
) -> Interactions:
    return Interactions(users, items, at, n_people, n_people, n_items)


def _sifted(reasons: dict[str, pd.Series[bool]], n: int) -> tuple[Flags, dict[str, int]]:
    """Return which rows have no reason against them, and how many each first reason took."""
    usable = np.ones(n, dtype=np.bool_)
    rejected = {}
    for reason, series in reasons.items():
        holds = series.to_numpy(np.bool_)
        if count := int((usable & holds).sum()):
            rejected[reason] = count
        usable &= ~holds
    return usable, rejected


def _told(rejected: dict[str, int]) -> str:
    return ", ".join(f"{count} × {reason}" for reason, count in rejected.items())
