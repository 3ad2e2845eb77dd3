"""Aliases that join nothing, because the earlier id is another customer's already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from profiles.identity import identifiers
from profiles.models import Customer, EventVerdict, Identity
from profiles.models.event import Kind

if TYPE_CHECKING:
    from profiles.arrivals import Arrival

NOT_JOINED: Final = "alias_not_joined"
Pair = tuple[str, str]


def of_another(pairs: Collection[Pair], *, named: Collection[str] = ()) -> set[Pair]:
    """Of pairs of a customer's id and an earlier id, those whose earlier id is another's.

    It may be another customer's own or further id, or a visitor who is another customer by now.
    `named` are ids of customers who are there, or will be before the pairs are.
    """
    if not pairs:
        return set()
    ids = {one for pair in pairs for one in pair}
    visitors = Identity.objects.filter(anonymous_id__in=ids)
    known = Customer.objects.filter(external_id__in=ids)
    further = identifiers.owners(ids, *identifiers.SHOP_IDS)
    whose = {
        **dict(visitors.values_list("anonymous_id", "customer__external_id")),
        **{name: one.external_id for name, one in further.items()},
        **{name: name for name in ids & set(named)},
        **{name: name for name in known.values_list("external_id", flat=True)},
    }
    return {
        (customer, earlier)
        for customer, earlier in pairs
        if earlier in whose and whose[earlier] != whose.get(customer, customer)
    }


def note(arrived: Sequence[Arrival]) -> None:
    """Note of each alias of a merge that joined nothing why it did not, where nobody has yet."""
    aliases = [one for one in arrived if one.kind == Kind.ALIAS and one.customer_ref]
    left = of_another({(one.customer_ref, one.previous_ref) for one in aliases})
    mine = [one for one in aliases if (one.customer_ref, one.previous_ref) in left]
    if not mine:
        return
    noted = EventVerdict.objects.filter(
        code=NOT_JOINED,
        source__in={one.parcel.source_id for one in mine},
        message_id__in={one.message_id for one in mine},
    )
    there = set(noted.values_list("source_id", "message_id"))
    EventVerdict.objects.bulk_create(
        EventVerdict(
            source_id=one.parcel.source_id,
            message_id=one.message_id,
            kind=one.kind,
            name=one.name,
            verdict=EventVerdict.Verdict.WARNED,
            code=NOT_JOINED,
            received_at=one.parcel.received_at,
        )
        for one in mine
        if one.key not in there
    )
