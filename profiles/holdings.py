"""What profiles hold about persons, and what erasing one does to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from privacy import registry
from privacy.crypto.blind_index import NotAnAddressError
from privacy.fields import sealed_field
from privacy.models import Channel
from privacy.problems import DomainError
from profiles import changes
from profiles.event_store import EVENTS
from profiles.events import staging
from profiles.identity import enrolling
from profiles.models import (
    Cart,
    CartLine,
    CartToken,
    CategoryNorm,
    CleaningState,
    ClusteringRun,
    Customer,
    CustomerChange,
    CustomerMerge,
    CustomerTraits,
    CustomTrait,
    CustomTraitValue,
    CustomTraitVersion,
    Event,
    EventDay,
    EventKey,
    EventName,
    EventStaging,
    EventVerdict,
    Identifier,
    Identity,
    Order,
    OrderLine,
    OwnedDevice,
    Persona,
    ProductFact,
    Rate,
    Refund,
    RejectedEvent,
    ScoreRun,
    Segment,
    SegmentMember,
    SegmentSize,
    SegmentVersion,
    StagedLine,
    StaticList,
    StaticListMember,
    ToldRefund,
    TraitBuild,
    Upload,
    UploadChange,
)
from profiles.models.customer import ADDRESS_TAGS

PERSON = "customer__subject"
_CORRECTED = {"full_name", "email", "phone", "birth_date", "city", "country", "locale"}
CORRECTABLE = {
    field.name: field.verbose_name
    for field in Customer._meta.concrete_fields
    if field.name in _CORRECTED
}


def declare() -> None:
    """Enter every model of this app, and how a person's addresses are found."""
    registry.delete(Customer, "subject", is_anchor=True)
    registry.delete(Identity, PERSON, is_anchor=True)
    registry.delete(CustomerTraits, PERSON)
    registry.delete(CustomTraitValue, PERSON)
    registry.delete(StaticListMember, PERSON)
    registry.delete(CustomerChange, PERSON)
    registry.delete(Identifier, PERSON)
    registry.delete(CustomerMerge, "survivor__subject")
    registry.delete(Cart, PERSON, also=_as_stranger)
    registry.delete(CartLine, "cart__customer__subject", also=_cart_of_stranger)
    registry.delete(CartToken, "cart__customer__subject", also=_cart_of_stranger)
    registry.delete(OwnedDevice, PERSON, through=("line",))
    registry.delete(SegmentMember, PERSON)
    registry.delete(Event, PERSON, also=_as_stranger)
    registry.part(EventStaging, also=_staged, take_out=_take_out_staged)
    registry.null(StagedLine, also=_in_a_file, clear={"customer": ""})
    registry.aggregate(
        Order,
        PERSON,
        clear={"customer": None, "coupon": ""},
        reason=_("Bookkeeping: it becomes a guest order, and every total stays."),
    )
    registry.aggregate(
        Refund,
        PERSON,
        clear={"customer": None},
        through=("line",),
        reason=_("Bookkeeping: money given back on a guest order."),
    )
    registry.keep(
        OrderLine, "order__customer__subject", reason=_("A part of what became a guest order.")
    )
    registry.keep(ToldRefund, reason=_("What was said of a refund, by the order's number."))
    _keep_a_week()
    registry.delete(UploadChange, PERSON, also=_changed)
    _of_nobody()
    registry.suppressed_addresses("profiles", _addresses)
    registry.people_at("profiles", _people_at)
    registry.people_tagged("profiles", _people_tagged)
    registry.known_as("profiles", _named)
    registry.called("profiles", _called)
    _retain()
    registry.correct_with("profiles", CORRECTABLE, _correct)


def _of_nobody() -> None:
    registry.nobody(CleaningState, Rate, reason=_("Figures of no customer."))
    registry.nobody(
        ClusteringRun,
        CustomTrait,
        CustomTraitVersion,
        EventDay,
        EventName,
        Persona,
        ScoreRun,
        Segment,
        SegmentSize,
        SegmentVersion,
        StaticList,
        reason=_("Rules, and figures of many customers."),
    )
    registry.nobody(
        CategoryNorm, ProductFact, TraitBuild, reason=_("Facts of products and categories.")
    )


def _keep_a_week() -> None:
    """Rows about what came in, in which nobody can be found; gone soon by themselves."""
    week = _("seven days")
    registry.keep(EventKey, reason=_("Ids of messages, against repeats."), until=week)
    registry.keep(EventVerdict, reason=_("Ids of messages and what was wrong."), until=week)
    registry.keep(
        RejectedEvent,
        reason=_(
            "Events that could not be read, sealed as they came; nobody can be found in them."
        ),
        until=week,
    )
    registry.keep(
        Upload,
        reason=_("A file brought in; our copy is deleted after its import."),
        until=_("one day"),
    )


def _retain() -> None:
    """How long the rows of this app are kept; each default may be changed in the admin."""
    _retain_what_was_told()
    _retain_customers_and_orders()


def _retain_what_was_told() -> None:
    registry.retain(
        "events",
        _("Events of customers and visitors"),
        days=25 * 30,
        old=lambda before: Event.objects.filter(happened_at__lt=before),
        drop=_drop_events,
        reason=_("Two seasons and a month, to compare a year with the one before."),
    )
    registry.retain(
        "event_days",
        _("Counts of events by day"),
        days=3 * 365,
        old=lambda before: EventDay.objects.filter(day__lt=before.date()),
    )
    registry.retain(
        "uploads",
        _("Rows about uploaded files"),
        days=365,
        old=lambda before: Upload.objects.filter(created_at__lt=before, path=""),
    )
    registry.retain(
        "personas",
        _("Clusterings no longer in use"),
        days=365,
        old=lambda before: ClusteringRun.objects.filter(is_current=False, created_at__lt=before),
    )
    registry.retain(
        "scores",
        _("Trainings of scores no longer in use"),
        days=365,
        old=lambda before: ScoreRun.objects.filter(is_active=False, created_at__lt=before),
    )
    registry.retain(
        "segment_stays",
        _("When customers were in segments"),
        days=365,
        old=lambda before: SegmentMember.objects.filter(left_at__lt=before),
    )
    registry.retain(
        "lists",
        _("Lists of customers brought in by their ids"),
        days=None,
        reason=_("Until the shop deletes the list."),
        of=(StaticList, StaticListMember),
    )


def _retain_customers_and_orders() -> None:
    registry.retain(
        "customers",
        _("Customers and what follows from them"),
        days=None,
        reason=_("Until they ask for erasure, or the shop closes."),
        of=(Customer, Identity, CustomerTraits, CustomTraitValue),
    )
    registry.retain(
        "carts",
        _("Carts"),
        days=180,
        old=lambda before: Cart.objects.filter(changed_at__lt=before),
    )
    registry.retain(
        "told_refunds",
        _("Refunds of orders that nobody told of"),
        days=365,
        old=_never_told,
    )
    registry.retain(
        "orders",
        _("Orders"),
        days=None,
        reason=_("Bookkeeping; the law sets the shop's period."),
        of=(Order, OrderLine, Refund),
    )


def _drop_events(before: datetime) -> int:
    """Drop whole months; marks of whom anything goes, now or row by row right after."""
    old = "SELECT customer_id FROM profiles_event WHERE happened_at < %s"
    with connection.cursor() as cursor:
        changes.mark_found(cursor, old, [connection.ops.adapt_datetimefield_value(before)])
    return EVENTS.drop_before(before)


def _never_told(before: datetime) -> QuerySet[ToldRefund]:
    orders = Order.objects.filter(number=OuterRef("number"))
    return ToldRefund.objects.filter(~Exists(orders), refunded_at__lt=before)


def _as_stranger(subject: UUID) -> Q:
    """Events and carts before the login, which no merge has given to the customer yet."""
    return Q(customer__isnull=True, anonymous_id__in=_anonymous_ids(subject))


def _cart_of_stranger(subject: UUID) -> Q:
    anonymous = _anonymous_ids(subject)
    return Q(cart__customer__isnull=True, cart__anonymous_id__in=anonymous)


def _staged(subject: UUID) -> Q:
    return Q(pk__in=staging.of(_shop_ids(subject), _anonymous_ids(subject)))


def _take_out_staged(subject: UUID, parcels: Sequence[Any]) -> None:
    staging.take_out(parcels, _shop_ids(subject), _anonymous_ids(subject))


def _in_a_file(subject: UUID) -> Q:
    return Q(customer__in=_shop_ids(subject))


def _changed(subject: UUID) -> Q:
    """Notes on a customer who was added after the note was made."""
    return Q(kind=UploadChange.Kind.CUSTOMER, key__in=_shop_ids(subject))


def _shop_ids(subject: UUID) -> list[str]:
    own = Customer.objects.filter(subject__uuid=subject).values_list("external_id", flat=True)
    former = CustomerMerge.objects.filter(survivor__subject__uuid=subject)
    return [*own, *former.values_list("absorbed_id", flat=True)]


def _called(shop_id: str) -> list[UUID]:
    found = Customer.objects.filter(external_id=shop_id)
    return list(found.values_list("subject__uuid", flat=True))


def _anonymous_ids(subject: UUID) -> list[str]:
    found = Identity.objects.filter(customer__subject__uuid=subject)
    return list(found.values_list("anonymous_id", flat=True))


def _addresses(subject: UUID) -> list[tuple[str, bytes]]:
    """Channel and suppression tag of each address of the person."""
    row = (
        Customer.objects.filter(subject__uuid=subject).values(*ADDRESS_TAGS.values()).first() or {}
    )
    return [(channel, bytes(row[tag])) for channel, tag in ADDRESS_TAGS.items() if row.get(tag)]


def _people_at(channel: str, address: str) -> list[UUID]:
    """The subjects of customers with that address: by blind index, then by the address itself."""
    name = {Channel.EMAIL.value: "email", Channel.SMS.value: "phone"}[channel]
    try:
        found = Customer.objects.filter(**{name: address})
    except NotAnAddressError:
        return []
    field = sealed_field(Customer, name)
    return [customer.subject_id for customer in found if field.holds(customer, address)]


def _people_tagged(channel: str, tags: Collection[bytes]) -> list[tuple[bytes, UUID]]:
    """Each suppression tag with the subject of a customer who carries it."""
    if (column := ADDRESS_TAGS.get(channel)) is None:
        return []
    found = Customer.objects.filter(**{f"{column}__in": list(tags)}).order_by("pk")
    return [(bytes(tag), subject) for tag, subject in found.values_list(column, "subject__uuid")]


def _named(subjects: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Each subject of a customer with the shop's id."""
    found = Customer.objects.filter(subject__uuid__in=subjects)
    return list(found.values_list("subject__uuid", "external_id"))


def _correct(subject: UUID, changes: Mapping[str, str], now: datetime) -> list[str]:
    """Set fields of the person's customer; raises DomainError with the field in `pointer`."""
    customer = Customer.objects.filter(subject__uuid=subject).first()
    if customer is None:
        return []
    values: dict[str, Any] = dict(changes)
    if "birth_date" in values:
        try:
            values["birth_date"] = date.fromisoformat(values["birth_date"])
        except ValueError:
            detail = gettext("Write the date as 1988-03-01.")
            raise DomainError("invalid_date", detail, pointer="/birth_date") from None
    enrolling.put(customer.external_id, values, now=now)
    return sorted(values)
