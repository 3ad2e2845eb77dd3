"""Where the money of an imported file went: buckets that add up to its total, or say so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from profiles import money

NET, GUEST = "net", "guest"
REFUND_MATCHED, REFUND_UNMATCHED = "refund_matched", "refund_unmatched"
SET_ASIDE, REJECTED = "set_aside", "rejected"

LABELS = {
    NET: gettext_lazy("Net sales to customers"),
    REFUND_MATCHED: gettext_lazy("Refunds of a known line"),
    REFUND_UNMATCHED: gettext_lazy("Refunds without a line"),
    GUEST: gettext_lazy("Guest orders"),
    "set_aside:postage": gettext_lazy("Set aside: postage"),
    "set_aside:manual": gettext_lazy("Set aside: manual entries"),
    "set_aside:discount": gettext_lazy("Set aside: discounts on orders"),
    "set_aside:adjustment": gettext_lazy("Set aside: adjustments"),
    "set_aside:bad_debt": gettext_lazy("Set aside: bad debt"),
    "set_aside:fee": gettext_lazy("Set aside: fees and charges"),
    "set_aside:sample": gettext_lazy("Set aside: samples"),
    "set_aside:test": gettext_lazy("Set aside: test lines"),
    "set_aside:voucher": gettext_lazy("Set aside: gift vouchers"),
    "set_aside:stock_adjustment": gettext_lazy("Set aside: stock adjustments"),
    "set_aside:free_of_charge": gettext_lazy("Set aside: free of charge"),
    "set_aside:cancelled": gettext_lazy("Set aside: cancelled orders"),
    "set_aside:order_known": gettext_lazy("Set aside: orders of another source"),
}
COUNT_LABELS = {
    "rows": gettext_lazy("Rows in the file"),
    "cancellations": gettext_lazy("Cancellations in the file"),
    "without_customer": gettext_lazy("Lines without a customer"),
    "rejected": gettext_lazy("Rejected rows"),
    "masked": gettext_lazy("Texts in which personal data was masked"),
    "orders_added": gettext_lazy("Orders added"),
    "lines_added": gettext_lazy("Order lines added"),
    "refunds_added": gettext_lazy("Refunds added"),
    "refunds_partly_matched": gettext_lazy("Refunds matched in part"),
    "customers_added": gettext_lazy("Customers added"),
}
DIFF_LABELS = {
    "orders_changed": gettext_lazy("Orders that get more lines"),
    "same": gettext_lazy("Lines and refunds that are there already"),
    "known_elsewhere": gettext_lazy("Lines of orders that another source told of"),
    "misfits": gettext_lazy("Lines that would be rejected by what their order says"),
}
PEOPLE_LABELS = COUNT_LABELS | {
    "added": gettext_lazy("Added"),
    "changed": gettext_lazy("Changed"),
    "same": gettext_lazy("Unchanged"),
    "idle": gettext_lazy("Added without effect: withdrawn later, objected or suppressed"),
}
ALL_LABELS = DIFF_LABELS | PEOPLE_LABELS
ORDER = (NET, REFUND_MATCHED, REFUND_UNMATCHED, GUEST, SET_ASIDE, REJECTED)


@dataclass
class Tally:
    """Lines and signed money by currency and bucket; kept as JSON between steps.

    `buckets[currency][bucket]` is [lines, minor units]; set-aside and rejected lines have a
    bucket for each reason (`set_aside:postage`). `totals[currency]` is what was read, counted
    apart from the buckets. `rounding[currency]` is what rounding at the line took away, as
    decimal text; `n_without_amount` rejected rows whose amount could not be read.
    """

    buckets: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    totals: dict[str, list[int]] = field(default_factory=dict)
    rounding: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, bucket: str, currency: str, minor: int, *, n: int = 1) -> None:
        there = self.buckets.setdefault(currency, {}).setdefault(bucket, [0, 0])
        there[0] += n
        there[1] += minor

    def read(self, currency: str, minor: int, *, n: int = 1) -> None:
        there = self.totals.setdefault(currency, [0, 0])
        there[0] += n
        there[1] += minor

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def difference(self, currency: str) -> tuple[int, int]:
        """Return (lines, minor units) that were read but are in no bucket; (0, 0) is right."""
        found = self.buckets.get(currency, {}).values()
        n_lines, minor = self.totals.get(currency, [0, 0])
        return n_lines - sum(n for n, _minor in found), minor - sum(minor for _n, minor in found)

    @property
    def is_balanced(self) -> bool:
        """Whether every line and every minor unit that was read is in a bucket."""
        return all(self.difference(name) == (0, 0) for name in {*self.totals, *self.buckets})

    def to_json(self) -> dict[str, Any]:
        return {
            "buckets": self.buckets,
            "totals": self.totals,
            "rounding": self.rounding,
            "counts": self.counts,
            "balanced": self.is_balanced,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Tally:
        return cls(**{name: stored.get(name, {}) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Row:
    """A row of the table people read; `amount` is in units of the currency."""

    label: str
    n_lines: int | None
    amount: Decimal
    is_sum: bool = False


def table(tally: Tally, currency: str) -> Iterator[Row]:
    """Yield the rows of one currency: the buckets, their sum, what was read, what is missing."""
    buckets = tally.buckets.get(currency, {})
    for name in sorted(buckets, key=_place):
        n_lines, minor = buckets[name]
        yield Row(label(name), n_lines, money.from_minor(minor, currency))
    n_lines, total = tally.totals.get(currency, [0, 0])
    n_missing, missing = tally.difference(currency)
    yield Row(
        _("Sum of these"), n_lines - n_missing, money.from_minor(total - missing, currency),
        is_sum=True,
    )  # fmt: skip
    yield Row(_("Lines read from the file"), n_lines, money.from_minor(total, currency))
    yield Row(_("Difference"), n_missing, money.from_minor(missing, currency))
    if rounding := Decimal(tally.rounding.get(currency, "0")):
        yield Row(_("Rounding at the line, not in the sum"), None, rounding)


def label(bucket: str) -> str:
    if bucket in LABELS:
        return str(LABELS[bucket])
    return _("Rejected: %(code)s") % {"code": bucket.partition(":")[2]}


def text(tally: Tally) -> str:
    """Return the table of every currency as plain text."""
    lines = []
    for currency in sorted({*tally.totals, *tally.buckets}):
        rows = list(table(tally, currency))
        width = max(len(row.label) for row in rows)
        lines.append(f"{'':{width}}  {_('lines'):>10}  {currency:>16}")
        for row in rows:
            if row.is_sum:
                lines.append("-" * (width + 30))
            n_lines = "" if row.n_lines is None else f"{row.n_lines:,}"
            lines.append(f"{row.label:{width}}  {n_lines:>10}  {row.amount:>16,}")
    return "\n".join(lines)


def counts_text(tally: Tally) -> str:
    """Return what the file held and what was new, one count a line."""
    return "\n".join(
        f"{label}: {tally.counts.get(name, 0):,}"
        for name, label in (COUNT_LABELS | DIFF_LABELS).items()
        if name in COUNT_LABELS or name in tally.counts
    )


def _place(bucket: str) -> tuple[int, str]:
    return ORDER.index(bucket.partition(":")[0]), bucket
