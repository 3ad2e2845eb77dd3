"""Taking an import back: what it added goes, what it changed is as before.

What another source has changed since, or builds on, stays: a customer who ordered, an order
that was told of again, a column that holds something else than the import wrote. Sealed values
stay too once keys were replaced: what stood there before cannot be read any more. An import is
not taken back while a record it added or changed is a part of another by a merge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from jobs import queue
from privacy import rotation, suppression
from privacy.crypto.envelope import generation_of
from privacy.models import Subject, SubjectKey, Suppression
from privacy.problems import DomainError
from profiles import asking, changes
from profiles.importing import event_rows
from profiles.importing.row_changes import GROUPS, SEALED, mark, stored, unpacked
from profiles.models import (
    Customer,
    CustomerChange,
    CustomerMerge,
    CustomerTraits,
    Event,
    EventKey,
    Order,
    OrderLine,
    Refund,
    Upload,
    UploadChange,
)
from profiles.orders import filed_refunds, told_refunds

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from jobs.models import Job
    from jobs.queue import Way

Kind = UploadChange.Kind
Changes = Sequence[UploadChange]
ORDER_FILES: Final = "Order files"
ROWS_A_STEP: Final = 500
NAMED: Final = 5  # merges, in a refusal
# Refunds hang on lines, lines on orders, orders on customers.
ORDER: Final = (Kind.EVENT, Kind.REFUND, Kind.LINE, Kind.ORDER, Kind.CUSTOMER, Kind.SUPPRESSION)
# The customer itself, and what is made of one and made anew.
FOLLOWS: Final = {Customer, CustomerChange, CustomerTraits, UploadChange}


def is_undoable(upload: Upload) -> bool:
    is_done = upload.finished_at is not None and not upload.options.get("preview")
    return is_done and not {"n_retracted", "undone"} & set(upload.summary)


def step(upload: Upload, *, now: datetime) -> Counter[str]:
    """Take back the next few changes; counts `undone` and `kept`, nothing when all are seen.

    Call it inside a transaction. Of the kept ones, `resealed` are counted too: whose sealed
    values stay since keys were replaced. Raises DomainError `customers_merged`.
    """
    check(upload)
    open_ones = upload.changes.filter(undone_at__isnull=True, is_kept=False)
    for kind in ORDER:
        rows = list(
            open_ones.filter(kind=kind).select_related("upload").order_by("-pk")[:ROWS_A_STEP]
        )
        if rows:
            undone = UNDO[kind](rows, now)
            UploadChange.objects.filter(pk__in=undone).update(undone_at=now)
            kept = [row.pk for row in rows if row.pk not in undone]
            UploadChange.objects.filter(pk__in=kept).update(is_kept=True)
            found = Counter(undone=len(undone), kept=len(kept))
            return found + Counter(resealed=len(_resealed([row for row in rows if row.pk in kept])))
    return Counter()


def check(upload: Upload) -> None:
    """Raise DomainError `customers_merged` while a merge holds a record of the import."""
    ours = upload.changes.filter(kind=Kind.CUSTOMER, undone_at__isnull=True, is_kept=False)
    merges = CustomerMerge.objects.filter(
        undone_at__isnull=True, absorbed_id__in=ours.values("key")
    )
    if n := merges.count():
        named = [str(uuid) for uuid in merges.order_by("pk").values_list("uuid", flat=True)[:NAMED]]
        detail = _(
            "Customers of this import were merged into others since (%(n)d). Undo these merges"
            " first, then take the import back: %(merges)s"
        ) % {"n": n, "merges": ", ".join(named) + ("…" if n > NAMED else "")}
        raise DomainError("customers_merged", detail, status=409)


def ask(upload: Upload, now: datetime, *, way: Way = queue.enqueue) -> Job:
    """Ask that a finished import be taken back. Raises DomainError `customers_merged`."""
    check(upload)
    return asking.ask_for_undo(upload, now, way=way)


def resealed(n: int) -> str:
    """What to do about sealed values that could not be given back."""
    return _(
        "Of %(n)d of these customers, names and addresses stay as the import wrote them: keys"
        " were replaced since, so what stood there before cannot be read. Correct them by hand,"
        " or import the earlier values again."
    ) % {"n": n}


def _changed_later(rows: Changes, kinds: Collection[str]) -> set[str]:
    """The keys that a later import has a change of too."""
    first = rows[0]
    later = UploadChange.objects.filter(
        kind__in=kinds, key__in=[row.key for row in rows], upload__gt=first.upload_id,
        undone_at__isnull=True,
    )  # fmt: skip
    return set(later.values_list("key", flat=True))


def _events(rows: Changes, _now: datetime) -> set[int]:
    ids = [row.key for row in rows]
    file_events = {"source__name": event_rows.SOURCE, "message_id__in": ids}
    found = Event.objects.filter(**file_events)
    changes.mark(set(found.exclude(customer=None).values_list("customer", flat=True)))
    found.delete()
    EventKey.objects.filter(**file_events).delete()
    return {row.pk for row in rows}


def _refunds(rows: Changes, _now: datetime) -> set[int]:
    """Delete the refunds and give their lines the quantity back."""
    source = {"source__name": ORDER_FILES}
    refunds = Refund.objects.filter(refund_key__in=[row.key for row in rows], **source)
    taken = (
        refunds.exclude(line=None)
        .values("line")
        .annotate(n=Sum("quantity"), minor=Sum("amount_minor"))
    )
    customers = set(refunds.exclude(customer=None).values_list("customer", flat=True))
    changes.mark(customers)
    by_line = {row["line"]: (row["n"], row["minor"]) for row in taken}
    lines = list(OrderLine.objects.filter(pk__in=by_line))
    for line in lines:
        n, minor = by_line[line.pk]
        line.refunded_quantity = max(line.refunded_quantity - n, 0)
        line.refunded_minor = max(line.refunded_minor - minor, 0)
    OrderLine.objects.bulk_update(lines, ["refunded_quantity", "refunded_minor"])
    refunds.delete()
    _sum_orders(Q(pk__in=[line.order_id for line in lines]))
    orders = Order.objects.filter(pk__in=[line.order_id for line in lines])
    told_refunds.apply(orders.values_list("number", flat=True))
    filed_refunds.rematch(customers)
    return {row.pk for row in rows}


def _lines(rows: Changes, _now: datetime) -> set[int]:
    """Delete lines added to orders that were there, unless something was given back of them."""
    wanted = {row.key: row.pk for row in rows}
    numbers = {key.partition("|")[0] for key in wanted}
    there = OrderLine.objects.filter(order__number__in=numbers, refunds__isnull=True)
    gone = {
        pk: (key, order)
        for pk, number, line_key, order in there.values_list(
            "pk", "order__number", "line_key", "order"
        )
        if (key := f"{number}|{line_key}") in wanted
    }
    OrderLine.objects.filter(pk__in=gone).delete()
    _sum_orders(Q(pk__in={order for _key, order in gone.values()}))
    return {wanted[key] for key, _order in gone.values()}


def _sum_orders(which: Q) -> None:
    lines = OrderLine.objects.filter(order=OuterRef("pk")).values("order")

    _mark_buyers(which)

    def total(name: str) -> Coalesce:
        return Coalesce(Subquery(lines.annotate(sum=Sum(name)).values("sum")), 0)

    Order.objects.filter(which).update(
        total_minor=total("total_minor"),
        discount_minor=total("discount_minor"),
        refunded_minor=total("refunded_minor"),
        is_unclean=True,
    )


def _mark_buyers(which: Q) -> None:
    """Have the traits of the orders' customers made anew."""
    orders = Order.objects.filter(which, customer__isnull=False)
    changes.mark(set(orders.values_list("customer", flat=True)))


def _orders(rows: Changes, _now: datetime) -> set[int]:
    """Delete the orders that no other source told of since."""
    numbers = {row.key for row in rows}
    later = _changed_later(rows, [Kind.ORDER])
    lines = UploadChange.objects.filter(
        kind=Kind.LINE, upload__gt=rows[0].upload_id, undone_at__isnull=True, key__contains="|"
    )
    told_again = {key.partition("|")[0] for key in lines.values_list("key", flat=True)} & numbers
    alone = (
        Order.objects.filter(
            number__in=numbers - later - told_again, source__name=ORDER_FILES, stated_at=None
        )
        .annotate(n_refunds=Count("lines__refunds"))
        .filter(n_refunds=0)
    )
    gone = set(alone.values_list("number", flat=True))
    _mark_buyers(Q(number__in=gone))
    Order.objects.filter(number__in=gone).delete()
    left = set(Order.objects.filter(number__in=numbers).values_list("number", flat=True))
    return {row.pk for row in rows if row.key not in left}


def _customers(rows: Changes, _now: datetime) -> set[int]:
    """Delete those who were added and of whom nothing else is held; give the others back."""
    later = _changed_later(rows, [Kind.CUSTOMER])
    mine = [row for row in rows if row.key not in later]
    found = Customer.objects.filter(external_id__in=[row.key for row in mine])
    there = {one.external_id: one for one in found.select_for_update().order_by("pk")}
    holds = stored([one.pk for one in there.values()])
    untouched = [
        there[row.key]
        for row in mine
        if row.is_new
        and row.key in there
        and all(mark(holds[there[row.key].pk][name]) == was for name, was in row.after.items())
    ]
    needed = _needed(untouched)
    alone = {one.external_id: one for one in untouched if one.pk not in needed}
    _forget(list(alone.values()))
    undone = {row.pk for row in mine if row.key not in there or row.key in alone}
    left = [(row, there[row.key]) for row in mine if row.pk not in undone]
    return undone | _restore(left, holds, rows[0].upload)


def _needed(customers: Sequence[Customer]) -> set[int]:
    """Those of whom somebody else holds anything: orders, events, consents, messages."""
    keys = [one.pk for one in customers]
    by_subject = {one.subject_id: one.pk for one in customers}
    needed: set[int] = set()
    for relation in _relations(Customer):
        held = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": keys})
        needed |= set(held.values_list(relation.field.name, flat=True))
    subjects = Subject.objects.filter(uuid__in=by_subject)
    for relation in _relations(Subject):
        name = relation.field.name
        held = relation.related_model._base_manager.filter(**{f"{name}__in": subjects})
        needed |= {by_subject[uuid] for uuid in held.values_list(f"{name}__uuid", flat=True)}
    return needed


def _relations(model: type[Model]) -> list[Any]:
    """The foreign keys that lead to the model, but for those of what is made of a customer."""
    found = model._meta.get_fields(include_hidden=True)
    keys = [one for one in found if one.auto_created and not one.concrete]
    return [one for one in keys if one.related_model not in FOLLOWS]


def _forget(customers: Sequence[Customer]) -> None:
    """Delete the customers; a key whose subject is gone is swept."""
    subjects = [one.subject_id for one in customers]
    UploadChange.objects.filter(customer__in=customers).update(customer=None, before={}, after={})
    Customer.objects.filter(pk__in=[one.pk for one in customers]).delete()
    Subject.objects.filter(uuid__in=subjects).delete()


def _restore(
    left: Sequence[tuple[UploadChange, Customer]],
    holds: Mapping[int, Mapping[str, Any]],
    upload: Upload,
) -> set[int]:
    """Give columns back what they held; return the changes of which nothing had to stay."""
    is_turned = rotation.turned_since(upload.created_at)
    newest = _newest_keys([customer for _row, customer in left])
    tags = [unpacked(row.before.get("email_tag")) for row, _customer in left]
    owners = dict(
        Customer.objects.filter(email_tag__in=[tag for tag in tags if tag]).values_list(
            "email_tag", "pk"
        )
    )
    taken = {bytes(tag): pk for tag, pk in owners.items() if tag}
    undone = set()
    by_columns: dict[tuple[str, ...], list[list[Any]]] = {}
    for row, customer in left:
        back: dict[str, Any] = {}
        stays = False
        for name, columns in GROUPS.items():
            if not set(columns) <= row.before.keys():
                continue
            values = {column: unpacked(row.before[column]) for column in columns}
            is_ours = all(mark(holds[customer.pk][at]) == row.after[at] for at in columns)
            sealed_long_ago = (
                name in SEALED
                and any(values.values())
                and (is_turned or _generation(values[name]) != newest.get(customer.subject_id))
            )
            owner = taken.get(values.get("email_tag") or b"", customer.pk)
            if is_ours and not sealed_long_ago and owner == customer.pk:
                back |= values
            else:
                stays = True
        if back:
            by_columns.setdefault(tuple(back), []).append([*back.values(), customer.pk])
        if not stays:
            undone.add(row.pk)
    _write(by_columns)
    return undone


def _newest_keys(customers: Sequence[Customer]) -> dict[UUID, int]:
    """The generation of the key that seals each customer's values by now."""
    keys = SubjectKey.objects.filter(subject_uuid__in=[one.subject_id for one in customers])
    newest = keys.order_by().values_list("subject_uuid").annotate(newest=Max("generation"))
    return dict(newest)


def _generation(sealed: bytes | None) -> int | None:
    return None if sealed is None else generation_of(sealed)


def _resealed(rows: Changes) -> set[int]:
    """Those of which sealed values stay since people's keys or the indexes were replaced."""
    sealed = [row for row in rows if any(name in row.before for name in SEALED)]
    if not sealed or rows[0].kind != Kind.CUSTOMER:
        return set()
    if rotation.turned_since(rows[0].upload.created_at):
        return {row.pk for row in sealed}
    there = Customer.objects.in_bulk([row.key for row in sealed], field_name="external_id")
    newest = _newest_keys(list(there.values()))
    return {
        row.pk
        for row in sealed
        if row.key in there
        and any(
            _generation(unpacked(row.before[name])) != newest.get(there[row.key].subject_id)
            for name in SEALED
            if row.before.get(name) is not None
        )
    }


def _write(by_columns: Mapping[tuple[str, ...], list[list[Any]]]) -> None:
    with connection.cursor() as cursor:
        for columns, values in by_columns.items():
            names = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in columns)
            # Columns are names of our own model; the values are given beside the statement.
            sql = f"UPDATE profiles_customer SET {names} WHERE id = %s"  # noqa: S608  # nosec B608
            cursor.executemany(sql, values)
    changes.mark_told(row[-1] for values in by_columns.values() for row in values)


def _suppressions(rows: Changes, now: datetime) -> set[int]:
    """Let the addresses go that are suppressed since this import and for no other reason."""
    wanted = {row.key: row for row in rows}
    tags = [bytes.fromhex(key.partition(":")[2]) for key in wanted]
    found = Suppression.objects.filter(address_tag__in=tags)
    gone = [
        pk
        for pk, channel, tag, reason in found.values_list("pk", "channel", "address_tag", "reason")
        if (row := wanted.get(f"{channel}:{bytes(tag).hex()}")) and row.after["reason"] == reason
    ]
    suppression.lift_all(Suppression.objects.filter(pk__in=gone), now=now)
    return {row.pk for row in rows}


UNDO: Final[dict[Kind, Callable[[Changes, datetime], set[int]]]] = {
    Kind.EVENT: _events,
    Kind.REFUND: _refunds,
    Kind.LINE: _lines,
    Kind.ORDER: _orders,
    Kind.CUSTOMER: _customers,
    Kind.SUPPRESSION: _suppressions,
}
