"""Refunds that events and the API tell of: kept as told, and applied to the lines of their order.

What was told is the truth and the rows of `Refund` follow from it, so that it makes no
difference whether a refund comes before its order or who else tells of it. What goes beyond the
order's money has a row without a line: it is kept and shown, and takes nothing from other sales.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Least

from profiles.models import Order, OrderLine, Refund, ToldRefund
from profiles.money import spread

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from profiles.orders.statements import RefundState

SAID: Final = ("is_named", "amount_minor", "product_id", "quantity", "refunded_at")
SHARE: Final = ("line_id", "customer_id", "told_id", "quantity", "amount_minor", "currency",
                "refunded_at")  # fmt: skip
Content = tuple[str, int | None]


@transaction.atomic
def tell(refunds: Iterable[tuple[str, RefundState]], *, source_id: int, channel: str) -> None:
    """Keep refunds by order number as they are told; they count as soon as `apply` is called.

    One told again under its key is the same one; of two wordings the one that says more holds.
    """
    said: dict[tuple[str, str], ToldRefund] = {}
    for number, state in refunds:
        row = ToldRefund(
            number=number,
            source_id=source_id,
            channel=channel,
            key=state.key,
            **{name: getattr(state, name) for name in SAID},
        )
        _keep(said, row)
    if not said:
        return
    known = ToldRefund.objects.filter(
        number__in={number for number, _key in said}, source_id=source_id, channel=channel
    ).select_for_update()
    changed = []
    for row in known.order_by("pk"):
        new = said.pop((row.number, row.key), row)
        if _says(new) > _says(row):
            new.pk = row.pk
            changed.append(new)
    ToldRefund.objects.bulk_create(said.values())
    ToldRefund.objects.bulk_update(changed, SAID)


def apply(numbers: Iterable[str], *, changed: Iterable[int] = ()) -> None:
    """Bring the refunds of orders in line with what was told of them.

    `changed` are keys of orders whose lines changed; they are added up whatever was told.
    """
    told: defaultdict[str, list[ToldRefund]] = defaultdict(list)
    for row in ToldRefund.objects.filter(number__in=set(numbers)).order_by("pk"):
        told[row.number].append(row)
    lines: defaultdict[str, list[OrderLine]] = defaultdict(list)
    there = OrderLine.objects.filter(order__number__in=told).select_related("order")
    for line in there.order_by("position", "line_key", "pk"):
        lines[line.order.number].append(line)
    standing = _standing(lines)
    gone: list[int] = []
    added: list[Refund] = []
    for number, of_order in lines.items():
        filed = [refund for refund in standing[number] if refund.told_id is None]
        rows = list(_rows(_counted(told[number], filed), of_order, filed))
        derived = [refund for refund in standing[number] if refund.told_id is not None]
        if sorted(map(_share, rows), key=str) != sorted(map(_share, derived), key=str):
            gone += [refund.pk for refund in derived]
            added += rows
    Refund.objects.filter(pk__in=gone).delete()
    Refund.objects.bulk_create(added)
    orders = {refund.line.order_id for refund in added if refund.line is not None}
    orders |= {line.order_id for of_order in lines.values() for line in of_order}
    recount(OrderLine.objects.filter(order__in=orders | set(changed)))


def _standing(numbers: Iterable[str]) -> dict[str, list[Refund]]:
    """The refunds of orders by number, those beyond their money among them."""
    standing: defaultdict[str, list[Refund]] = defaultdict(list)
    named = list(numbers)
    of_lines = Q(line__order__number__in=named) | Q(line=None, told__number__in=named)
    refunds = Refund.objects.filter(of_lines).select_related("line__order", "told")
    for refund in refunds.order_by("pk"):
        if refund.line is not None:
            standing[refund.line.order.number].append(refund)
        elif refund.told is not None:
            standing[refund.told.number].append(refund)
    return standing


def recount(lines: QuerySet[OrderLine]) -> None:
    """Add the refunds of `lines` up again, on the lines and on their orders."""
    refunds = Refund.objects.filter(line=OuterRef("pk")).order_by().values("line")
    units = Subquery(refunds.annotate(n=Sum("quantity")).values("n"))
    money = Subquery(refunds.annotate(n=Sum("amount_minor")).values("n"))
    order_ids = list(lines.values_list("order_id", flat=True).distinct())
    OrderLine.objects.filter(order_id__in=order_ids).update(
        refunded_quantity=Least(F("quantity"), Coalesce(units, 0)),
        refunded_minor=Coalesce(money, 0),
    )
    of_order = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order")
    Order.objects.filter(pk__in=order_ids).update(
        refunded_minor=Coalesce(
            Subquery(of_order.annotate(n=Sum("refunded_minor")).values("n")), 0
        ),
        is_unclean=True,
    )


def _keep(said: dict[Any, ToldRefund], row: ToldRefund, *key: str) -> None:
    at = key or (row.number, row.key)
    if at not in said or _says(row) > _says(said[at]):
        said[at] = row


def _says(row: ToldRefund) -> tuple[Any, ...]:
    """How much a wording says, to choose between two of one refund."""
    amount = -1 if row.amount_minor is None else row.amount_minor
    return amount, row.quantity, row.product_id, -row.refunded_at.timestamp()


def _counted(told: Sequence[ToldRefund], filed: Sequence[Refund]) -> list[ToldRefund]:
    """The refunds that count, each once, those with an amount first.

    Under one id of the shop there is one refund, whoever tells of it: of files it is the number
    of the document. Where a message names none, refunds of the same product and amount that different tellers tell of are the same
    ones; told by one teller, each is one of its own.
    """
    named: dict[Any, ToldRefund] = {}
    nameless: defaultdict[Content, defaultdict[tuple[int, str], list[ToldRefund]]]
    nameless = defaultdict(lambda: defaultdict(list))
    documents = _documents(filed)
    told_by: Counter[tuple[Content, tuple[int, str]]] = Counter()
    for row in told:
        teller = row.source_id, row.channel
        if row.is_named and row.key.partition("#")[0] in documents:
            continue
        told_by[_content(row), teller] += 1
        if row.is_named:
            _keep(named, row, row.key)
        else:
            nameless[_content(row)][teller].append(row)
    standing = _contents(filed)
    standing.update(("", sum(amounts)) for amounts in documents.values())
    counted = sorted(named.values(), key=_in_time)
    n_named = Counter(_content(row) for row in counted)
    for content in n_named.keys() & standing.keys():
        drop = [row for row in counted if _content(row) == content][: standing[content]]
        counted = [row for row in counted if row not in drop]
    for content, by_teller in nameless.items():
        n_there = max(n_named[content], standing[content])
        most = max(by_teller, key=lambda teller: (told_by[content, teller], teller))
        n_more = max(told_by[content, most] - n_there, 0)
        counted += sorted(by_teller[most], key=_in_time)[:n_more]
    return sorted(counted, key=lambda row: (row.amount_minor is None, *_in_time(row)))


def _in_time(row: ToldRefund) -> tuple[Any, ...]:
    return row.refunded_at, row.key


def _content(row: ToldRefund) -> Content:
    return row.product_id, row.amount_minor


def _documents(filed: Sequence[Refund]) -> dict[str, list[int]]:
    """The amounts that files brought in, by the number of the document that told of them."""
    amounts: defaultdict[str, list[int]] = defaultdict(list)
    for refund in filed:
        amounts[refund.refund_key.partition("|")[0]].append(refund.said_minor)
    return amounts


def _contents(filed: Sequence[Refund]) -> Counter[Content]:
    """How many refunds of each product and amount files brought in."""
    amounts: Counter[tuple[str, str]] = Counter()
    for refund in filed:
        amounts[refund.refund_key, refund.product_id] += refund.said_minor
    return Counter((product, amount) for (_key, product), amount in amounts.items())


def _rows(
    counted: Sequence[ToldRefund], lines: Sequence[OrderLine], filed: Sequence[Refund]
) -> Iterator[Refund]:
    for line in lines:
        stood = [refund for refund in filed if refund.line_id == line.pk]
        line.refunded_minor = sum(refund.amount_minor for refund in stood)
        line.refunded_quantity = min(sum(refund.quantity for refund in stood), line.quantity)
    for row in counted:
        yield from _shares(row, lines)


def _shares(told: ToldRefund, lines: Sequence[OrderLine]) -> Iterator[Refund]:
    """The refund on the lines it concerns, money in proportion to what is left of each.

    No more than what is left of the order; the rest is a row without a line.
    """
    concerned = [line for line in lines if told.product_id in {"", line.product_id}]
    if not concerned:
        concerned = list(lines)
    left = [max(line.total_minor - line.refunded_minor, 0) for line in concerned]
    said = sum(left) if told.amount_minor is None else told.amount_minor
    amount = min(said, max(sum(line.total_minor - line.refunded_minor for line in lines), 0))
    if amount < said:
        yield Refund(
            customer_id=lines[0].order.customer_id,
            source_id=told.source_id,
            told=told,
            refund_key=told.key,
            product_id=told.product_id,
            quantity=0,
            amount_minor=said - amount,
            currency=lines[0].order.currency,
            refunded_at=told.refunded_at,
        )
    units = told.quantity
    for line, share in zip(concerned, spread(amount, left), strict=True):
        free = line.quantity - line.refunded_quantity
        back = min(units, free) if told.quantity else free * (told.amount_minor is None)
        units -= back if told.quantity else 0
        yield Refund(
            line=line,
            customer_id=line.order.customer_id,
            source_id=told.source_id,
            told=told,
            refund_key=told.key,
            product_id=line.product_id,
            quantity=back,
            amount_minor=share,
            currency=line.order.currency,
            refunded_at=told.refunded_at,
        )
        line.refunded_minor += share
        line.refunded_quantity += back


def _share(refund: Refund) -> tuple[Any, ...]:
    return tuple(getattr(refund, name) for name in SHARE)
