"""Clashing ids, chains of merges, imports and erasure: the stricter holds, nothing personal leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.utils import timezone

from privacy.models import Consent, Subject
from privacy.problems import DomainError
from profiles.identity import enrolling, identifiers, joining
from profiles.models import Customer, CustomerMerge, Identifier, UploadChange
from tests import make
from tests.make import NOW
from tests.privacy.persons import erase
from tests.profiles.test_undoing import PEOPLE, load

__all__ = ["load"]
pytestmark = pytest.mark.django_db
SECRETS = ("ann@shop.example", "bob@shop.example", "Ann Lee", "Bob Ray")


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def join(survivor: str, absorbed: str, *take: str) -> CustomerMerge:
    return joining.merge(
        survivor, absorbed, take=take, reason="One person", actor="test", now=timezone.now()
    )


def apart(merged: CustomerMerge) -> Customer:
    return joining.undo(merged, reason="Two persons", actor="test", now=timezone.now())


def flags(of: Customer) -> tuple[bool, bool, bool]:
    subject = Subject.objects.get(uuid=of.subject_id)
    return subject.restricted, subject.objected, subject.no_profiling


def test_what_one_of_a_chain_refused_all_refuse_even_once_it_is_undone() -> None:
    a, b = make.customer("A"), make.customer("B", of=make.subject(objected=True))
    c = make.customer("C", of=make.subject(no_profiling=True))
    for one, state in ((a, "given"), (b, "given"), (c, "withdrawn")):
        make.consent(one, state=state)

    first, second = join("B", "C"), join("A", "B")

    assert flags(a) == (False, True, True)
    assert Consent.objects.get(subject=a.subject).state == "withdrawn"
    first.refresh_from_db()
    for merged in (second, first):
        restored = apart(merged)
        assert flags(restored) == (False, True, True)
        assert not Consent.objects.filter(subject__uuid=restored.subject_id, state="given").exists()


def test_the_ids_of_a_chain_lead_to_its_head_and_to_nobody_elses_record() -> None:
    for name in ("A", "B", "C"):
        make.customer(name, email=f"{name.lower()}@shop.example")
    join("B", "C"), join("A", "B")

    head = Customer.objects.get()
    assert {identifiers.find(name) for name in ("A", "B", "C")} == {head}
    stranger = make.customer("Z")
    for kind, value in (
        (Identifier.Kind.CUSTOMER_ID, "C"),
        (Identifier.Kind.EMAIL, "C@shop.example"),
    ):
        with pytest.raises(DomainError, match="another customer"):
            identifiers.add(stranger, kind, value, now=NOW)
    with pytest.raises(DomainError) as refused:
        enrolling.put("Z", {"email": "b@shop.example"}, now=NOW)
    assert "shop.example" not in refused.value.detail


def test_nothing_personal_is_written_anywhere_by_merging_and_undoing(
    load: Callable[..., Any],
) -> None:
    load("import_customers", f"{PEOPLE}A,Ann Lee,{SECRETS[0]},Bonn\n")
    load("import_customers", f"{PEOPLE}B,Bob Ray,{SECRETS[1]},Bonn\n")
    merged = join("A", "B")
    apart(merged)

    told = stored_everywhere()

    assert [secret for secret in SECRETS if secret in told] == []


def test_erasing_the_head_of_a_merge_leaves_no_note_of_either(load: Callable[..., Any]) -> None:
    load("import_customers", f"{PEOPLE}A,Ann Lee,{SECRETS[0]},Bonn\nB,Bob Ray,{SECRETS[1]},Bonn\n")
    join("A", "B")

    erase(Customer.objects.get())

    assert not UploadChange.objects.exists()
    assert not CustomerMerge.objects.exists()
    assert not Identifier.objects.exists()


def stored_everywhere() -> str:
    """The text of every row of every table."""
    found = []
    for model in apps.get_models():
        if model._meta.managed and not model._meta.proxy:
            alias = "keystore" if model._meta.db_table in tables("keystore") else "default"
            found += list(model._base_manager.using(alias).values_list())
    return repr(found)


def tables(alias: str) -> set[str]:
    if alias == "default":
        return set()
    with connections[alias].cursor() as cursor:
        names = set(connections[alias].introspection.table_names(cursor))
    with connections["default"].cursor() as cursor:
        return names - set(connections["default"].introspection.table_names(cursor))
