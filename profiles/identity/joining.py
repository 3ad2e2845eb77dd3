"""Two records of one person made one: by staff or the shop's server, never by a browser.

Rows move to the survivor. Sealed values do not: the absorbed record's are destroyed with its
key, except those that the act names and the survivor lacks, which are sealed anew. So nothing
personal of one is ever shown as the other's unasked. Consents and rights take the stricter of
both. What was moved is kept by keys, and the merge can be undone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, Model, OuterRef
from django.utils.translation import gettext as _

from privacy import audit, consent, erasure
from privacy.consent import Declaration
from privacy.models import Consent, ConsentEntry, Erasure, PrivacyRequest, Subject
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.registry import holdings
from profiles import changes, registry
from profiles.identity import identifiers
from profiles.models import (
    Cart,
    Customer,
    CustomerMerge,
    Event,
    Identifier,
    Identity,
    Order,
    Refund,
    StaticListMember,
    UploadChange,
)

TAKEABLE: Final = ("email", "phone", "full_name", "birth_date")
MOVED: Final[tuple[type[Model], ...]] = (Order, Refund, Event, Cart, Identity, Identifier)
MOVED_ONCE: Final[tuple[tuple[type[Model], str], ...]] = ((StaticListMember, "static_list"),)
FLAGS: Final = ("restricted", "objected", "no_profiling")
WORDING: Final = (
    "Withdrawn under another record of the same person, which was merged into this one."
)


def merge(
    survivor_id: str,
    absorbed_id: str,
    *,
    take: Collection[str] = (),
    reason: str,
    actor: str,
    now: datetime,
) -> CustomerMerge:
    """Make the absorbed customer's record a part of the survivor's, and return the history's row.

    `take` names sealed fields that go over, where the survivor has none. Raises DomainError
    `customer_unknown`, `same_customer`, `field_present`, `field_absent`, `request_open`.
    """
    _need(reason)
    survivor, absorbed = _find(survivor_id, "/id"), _find(absorbed_id, "/absorb")
    _check(survivor, absorbed, take)
    with purpose("customer.merge", actor=f"merge:{actor}", now=now, reason=reason):
        names = sorted({*take, "email"} if absorbed.email else take)
        values = {name: getattr(absorbed, name).reveal() for name in names}
        address = "" if "email" in take else values.pop("email", "")
        facts = {"actor": actor, "reason": reason[:200], "merged_at": now}
        done = _join(survivor, absorbed, values, address=address, facts=facts, now=now)
    destroy_keys(now)
    return done


def undo(merged: CustomerMerge, *, reason: str, actor: str, now: datetime) -> Customer:
    """Give what was moved back to a record of its own, and return it.

    Its sealed values are gone with their key: the shop's server states them anew. It agrees
    to nothing that the survivor refused. Raises DomainError `merge_undone`.
    """
    _need(reason)
    with transaction.atomic():
        merged = CustomerMerge.objects.select_for_update().get(pk=merged.pk)
        if merged.undone_at is not None:
            raise DomainError("merge_undone", _("This merge was undone already."), status=409)
        survivor = Customer.objects.select_related("subject").get(pk=merged.survivor_id)
        Identifier.objects.filter(pk__in=merged.identifiers).delete()
        flags = {name: getattr(survivor.subject, name) for name in FLAGS}
        subject = Subject.objects.create(minor_until=survivor.subject.minor_until, **flags)
        restored = Customer.objects.create(
            external_id=merged.absorbed_id, subject=subject, created_at=now
        )
        tables = {one.model._meta.label: one.model for one in holdings()}
        for label, pks in merged.moved.items():
            rows = tables[label]._base_manager.filter(pk__in=pks, customer=survivor.pk)
            rows.update(customer=restored)
        Order.objects.filter(customer=restored).update(is_unclean=True)
        noted = UploadChange.objects.filter(
            kind=UploadChange.Kind.CUSTOMER, key=restored.external_id
        )
        noted.update(customer=restored)
        _withdraw(from_=survivor, at=restored, source=f"undo:{merged.uuid}", now=now)
        CustomerMerge.objects.filter(pk=merged.pk).update(undone_at=now)
        changes.mark({survivor.pk, restored.pk})
        _note("customer.separated", survivor, restored, actor=actor, reason=reason, now=now)
    return restored


def destroy_keys(now: datetime) -> int:
    """Destroy the keys of absorbed records; what a killed merge left is done here."""
    waiting = CustomerMerge.objects.filter(key_destroyed_at__isnull=True)
    n_done = 0
    for pk, subject in waiting.values_list("pk", "absorbed_subject"):
        erasure.destroy_key(subject)
        n_done += CustomerMerge.objects.filter(pk=pk).update(key_destroyed_at=now)
    return n_done


def move(
    model: type[Model], survivor: int, absorbed: int, *, once: str = "", beside: str = ""
) -> list[int]:
    """Move a model's rows to the survivor and return their keys.

    With `once` a row stays, and goes with the record, if the survivor has one of the same;
    `beside` tells rows of the same apart.
    """
    rows = model._base_manager.filter(customer=absorbed)
    if once:
        there = model._base_manager.filter(customer=survivor)
        if beside:
            same = {once: OuterRef(once), beside: OuterRef(beside)}
            rows = rows.filter(~Exists(there.filter(**same)))
        else:
            rows = rows.exclude(**{f"{once}__in": there.values(once)})
    pks = list(rows.order_by("pk").values_list("pk", flat=True))
    model._base_manager.filter(pk__in=pks).update(customer=survivor)
    return pks


def of_customer(customer: Customer, _now: datetime) -> dict[str, Any]:
    """What the customer's page shows: further ids by kind, devices, and the merges."""
    return {
        "customer": customer,
        "identifiers": Identifier.objects.filter(customer=customer).order_by("pk"),
        "n_devices": Identity.objects.filter(customer=customer).count(),
        "merges": CustomerMerge.objects.filter(survivor=customer).order_by("-pk"),
    }


def _need(reason: str) -> None:
    if not reason:
        raise DomainError("required", _("Say why; it is kept."), pointer="/reason")


def _find(external_id: str, pointer: str) -> Customer:
    there = Customer.objects.filter(external_id=external_id, subject__erased_at__isnull=True)
    if (customer := there.select_related("subject").first()) is None:
        detail = _("There is no customer of this id.")
        raise DomainError("customer_unknown", detail, status=404, pointer=pointer)
    return customer


def _check(survivor: Customer, absorbed: Customer, take: Collection[str]) -> None:
    if survivor.pk == absorbed.pk:
        detail = _("These are one customer already.")
        raise DomainError("same_customer", detail, status=409, pointer="/absorb")
    for name in sorted(take):
        if getattr(survivor, name):
            detail = _("The customer has a value of its own here; it is not written over.")
            raise DomainError("field_present", detail, status=409, pointer=f"/take/{name}")
        if not getattr(absorbed, name):
            detail = _("The other record has no value here.")
            raise DomainError("field_absent", detail, status=409, pointer=f"/take/{name}")
    subjects = [survivor.subject_id, absorbed.subject_id]
    asked = PrivacyRequest.objects.filter(about__uuid__in=subjects)
    erasing = Erasure.objects.filter(subject__uuid__in=subjects).exclude(state=Erasure.State.DONE)
    if asked.open().exists() or erasing.exists():
        detail = _("A request of this person is under way; answer it before you merge.")
        raise DomainError("request_open", detail, status=409)


@transaction.atomic
def _join(
    survivor: Customer,
    absorbed: Customer,
    values: Mapping[str, Any],
    *,
    address: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> CustomerMerge:
    both = Customer.objects.filter(pk__in=[survivor.pk, absorbed.pk]).select_related("subject")
    locked = {one.pk: one for one in both.select_for_update(of=("self",)).order_by("pk")}
    if len(locked) < len({survivor.pk, absorbed.pk}):
        detail = _("One of the two was merged or erased a moment ago.")
        raise DomainError("customer_unknown", detail, status=409)
    survivor, absorbed = locked[survivor.pk], locked[absorbed.pk]
    _check(survivor, absorbed, values)
    moved = {model._meta.label: move(model, survivor.pk, absorbed.pk) for model in MOVED}
    for model, once in MOVED_ONCE:
        moved[model._meta.label] = move(model, survivor.pk, absorbed.pk, once=once)
    moved |= registry.run_on_merge(survivor.pk, absorbed.pk)
    Order.objects.filter(customer=survivor.pk).update(is_unclean=True)
    CustomerMerge.objects.filter(survivor=absorbed).update(survivor=survivor)
    done = CustomerMerge.objects.create(
        survivor=survivor,
        absorbed_id=absorbed.external_id,
        absorbed_subject=absorbed.subject_id,
        taken=sorted(values),
        moved={label: pks for label, pks in moved.items() if pks},
        **facts,
    )
    _take_strictest(survivor, absorbed, source=f"merge:{done.uuid}", now=now)
    _note("customer.merged", survivor, absorbed, now=now, **_who(facts))
    former = absorbed.external_id
    # What imports noted of the record, so that they can be taken back after the merge is.
    noted = UploadChange.objects.filter(kind=UploadChange.Kind.CUSTOMER, key=former)
    noted.update(customer=survivor, before={}, after={})
    absorbed.delete()
    further = [identifiers.add(survivor, Identifier.Kind.CUSTOMER_ID, former, now=now)]
    if address:
        further.append(identifiers.add(survivor, Identifier.Kind.EMAIL, address, now=now))
    done.identifiers = [row.pk for row in further]
    done.save(update_fields=["identifiers"])
    for name, value in values.items():
        setattr(survivor, name, value)
    if "birth_date" in values:
        survivor.birth_year = values["birth_date"].year
    survivor.save()
    changes.mark({survivor.pk})
    return done


def _who(facts: Mapping[str, Any]) -> dict[str, str]:
    return {"actor": facts["actor"], "reason": facts["reason"]}


def _take_strictest(survivor: Customer, absorbed: Customer, *, source: str, now: datetime) -> None:
    """The survivor keeps the stricter of both: every refusal, no consent it did not give."""
    mine, other = survivor.subject, absorbed.subject
    for name in FLAGS:
        setattr(mine, name, getattr(mine, name) or getattr(other, name))
        setattr(other, name, True)
    days = [day for day in (mine.minor_until, other.minor_until) if day is not None]
    mine.minor_until = max(days, default=None)
    mine.save()
    other.save()
    _withdraw(from_=absorbed, at=survivor, source=source, now=now)


def _withdraw(*, from_: Customer, at: Customer, source: str, now: datetime) -> None:
    """Withdraw what the one record withdrew at the other, too."""
    state = ConsentEntry.State.WITHDRAWN
    refused = Consent.objects.filter(subject=from_.subject, state=state).order_by("pk")
    declarations = [
        Declaration(
            subject=at.subject_id,
            purpose=one.purpose,
            channel=one.channel,
            state=state.value,
            wording=WORDING,
            source=source,
            happened_at=now,
        )
        for one in refused
    ]
    consent.record_many(declarations, now=now)


def _note(
    action: str, survivor: Customer, other: Customer, *, actor: str, reason: str, now: datetime
) -> None:
    subjects = [survivor.subject_id.bytes, other.subject_id.bytes]
    audit.append(action, actor=actor, at=now, subjects=subjects, reason=reason)
