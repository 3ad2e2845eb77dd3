"""No plaintext without a purpose that covers it, and no opening without a trace."""

from __future__ import annotations

import pickle

import pytest
from django.db import transaction
from django.db.models import QuerySet

from privacy import audit
from privacy.fields import reveal_columns
from privacy.models import AuditEntry
from privacy.purpose_registry import REGISTRY
from privacy.purposes import PurposeDeniedError, UnknownPurposeError, purpose
from privacy.sealed import Sealed
from profiles.models import Customer
from profiles.models.customer import CustomerQuerySet
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def handle_of(name: str, customer: Customer) -> Sealed[str]:
    handle = getattr(customer, name)
    assert isinstance(handle, Sealed)
    return handle


def full() -> Customer:
    return make.customer("c-1", email="a@example.com", phone="+8613812348000", full_name="王小明")


def test_without_a_purpose_nothing_opens() -> None:
    customer = full()

    with pytest.raises(PurposeDeniedError, match="no purpose is open"):
        handle_of("email", customer).reveal()
    with pytest.raises(PurposeDeniedError, match="no purpose is open"):
        reveal_columns(Customer.objects.all(), ["email"], "import")


def test_a_purpose_opens_only_the_classes_it_covers() -> None:
    make.consent(full())
    covered = Customer.objects.for_purpose("campaign.email")
    customer = covered.get()

    with purpose("campaign.email", actor="job:1", now=NOW):
        assert handle_of("email", customer).reveal() == "a@example.com"
        assert handle_of("full_name", customer).reveal() == "王小明"
        with pytest.raises(PurposeDeniedError, match="does not cover phone"):
            handle_of("phone", customer).reveal()
        with pytest.raises(PurposeDeniedError, match="does not cover phone"):
            reveal_columns(covered, ["email", "phone"], "campaign.email")


def test_columns_open_for_the_purpose_that_is_meant() -> None:
    full()

    with (
        purpose("import", actor="job:1", now=NOW),
        pytest.raises(PurposeDeniedError, match=r"support\.reveal is meant and import is open"),
    ):
        reveal_columns(Customer.objects.all(), ["email"], "support.reveal")


@pytest.fixture
def refusing() -> Customer:
    """One who never agreed, beside one who did."""
    make.reader("willing")
    return make.customer("refusing", email="refusing@example.com", full_name="Bo")


def everybody_but(covered: CustomerQuerySet) -> dict[str, QuerySet[Customer]]:
    """Queries into which a person came whom the purpose does not reach."""
    everybody = Customer.objects.all()
    return {
        "all": everybody,
        "or": covered | everybody,
        "or, the other way": everybody | covered,
        "xor": covered ^ everybody,
        "inside": everybody.exclude(pk__in=covered.values("pk")),
        "another purpose": everybody.for_purpose("recommend"),
    }


@pytest.mark.parametrize("how", list(everybody_but(Customer.objects.none())))
def test_advertising_opens_nobody_it_does_not_reach(refusing: Customer, how: str) -> None:
    rows = everybody_but(Customer.objects.for_purpose("campaign.email"))[how]

    with purpose("campaign.email", actor="job:1", now=NOW):
        with pytest.raises(PurposeDeniedError, match=r"find them with for_purpose") as refused:
            reveal_columns(rows, ["email"], "campaign.email")
        with pytest.raises(PurposeDeniedError):
            handle_of("email", next(row for row in rows if row.pk == refusing.pk)).reveal()

    assert refused.value.code == "not_covered"
    entries = AuditEntry.objects.filter(action="value.revealed")
    assert {entry.outcome for entry in entries} == {AuditEntry.Outcome.REFUSED}


@pytest.mark.usefixtures("refusing")
def test_advertising_opens_whom_it_reaches_however_the_query_is_narrowed() -> None:
    covered = Customer.objects.for_purpose("campaign.email")
    narrowed = [
        covered.filter(email="willing@example.com"),
        covered.exclude(city="Wien").order_by("-pk")[:5],
        covered & Customer.objects.filter(locale="en"),
        covered | covered.filter(city="Wien"),
        covered | Customer.objects.none(),
    ]

    with purpose("campaign.email", actor="job:1", now=NOW):
        for rows in narrowed:
            found = reveal_columns(rows, ["email"], "campaign.email")
            assert [row["email"] for row in found.values()] == ["willing@example.com"]
            assert [handle_of("email", row).reveal() for row in rows] == ["willing@example.com"]


def test_advertising_opens_nobody_of_a_union(refusing: Customer) -> None:
    rows = Customer.objects.for_purpose("campaign.email").union(Customer.objects.all())

    with purpose("campaign.email", actor="job:1", now=NOW), pytest.raises(PurposeDeniedError):
        handle_of("email", next(row for row in rows if row.pk == refusing.pk)).reveal()


def test_whom_a_query_found_is_forgotten_by_a_copy_of_the_row(refusing: Customer) -> None:
    make.consent(refusing)
    row = Customer.objects.for_purpose("campaign.email").get(pk=refusing.pk)

    with purpose("campaign.email", actor="job:1", now=NOW), pytest.raises(PurposeDeniedError):
        handle_of("email", pickle.loads(pickle.dumps(row))).reveal()  # noqa: S301 -- our own bytes


def test_a_purpose_ends_with_its_block() -> None:
    customer = full()

    with purpose("import", actor="test", now=NOW):
        with (
            purpose("campaign.onsite", actor="staff:1", now=NOW),
            pytest.raises(PurposeDeniedError),
        ):
            handle_of("email", customer).reveal()
        assert handle_of("email", customer).reveal()
    with pytest.raises(PurposeDeniedError):
        handle_of("email", customer).reveal()


def test_an_unknown_purpose_is_named() -> None:
    with (
        pytest.raises(UnknownPurposeError, match="'fun' is not known"),
        purpose("fun", actor="x", now=NOW),
    ):
        pass


def test_each_opening_is_written_down_without_the_value() -> None:
    customer = full()

    with purpose("import", actor="test", now=NOW, reason="ticket 12"):
        handle_of("email", customer).reveal()

    opened, revealed = AuditEntry.objects.order_by("pk")
    assert (opened.action, opened.actor, opened.reason) == (
        "purpose.opened",
        "test",
        "ticket 12",
    )
    assert (revealed.action, revealed.fields) == ("value.revealed", ["customer.email"])
    assert revealed.subjects == [str(customer.subject_id)]
    assert "example.com" not in str(AuditEntry.objects.values())


def test_columns_are_one_entry_however_many_rows() -> None:
    for n in range(60):
        make.customer(f"c-{n}", email=f"{n}@example.com")

    with purpose("import", actor="job:1", now=NOW):
        reveal_columns(Customer.objects.all(), ["email"], "import")

    entry = AuditEntry.objects.get(action="value.revealed")
    assert entry.n_subjects == 60
    assert [name.split(":")[0] for name in entry.subjects] == ["sha256"]


def test_refusals_are_written_down_too() -> None:
    customer = full()

    with purpose("campaign.email", actor="job:1", now=NOW), pytest.raises(PurposeDeniedError):
        handle_of("phone", customer).reveal()

    assert AuditEntry.objects.filter(outcome=AuditEntry.Outcome.REFUSED).count() == 1


def test_a_purpose_opened_inside_a_transaction_opens_nothing() -> None:
    customer = full()

    with (
        transaction.atomic(),
        purpose("import", actor="test", now=NOW),
        pytest.raises(PurposeDeniedError, match="open it before"),
    ):
        handle_of("email", customer).reveal()


@pytest.mark.django_db(transaction=True)
def test_an_opening_stays_written_when_the_work_is_rolled_back() -> None:
    customer = full()

    with purpose("import", actor="test", now=NOW):
        with transaction.atomic():
            assert handle_of("email", customer).reveal() == "a@example.com"
            transaction.set_rollback(True)
        assert [e.action for e in AuditEntry.objects.all()] == ["purpose.opened"]
        with transaction.atomic():
            handle_of("email", customer).reveal()

    assert AuditEntry.objects.filter(action="value.revealed").count() == 1


def chain(n: int) -> None:
    for number in range(n):
        audit.append("test.done", actor=f"staff:{number}", at=NOW, reason=f"第{number}")


def test_two_entries_cannot_follow_the_same_one() -> None:
    from django.db import IntegrityError

    chain(2)
    last = AuditEntry.objects.order_by("-pk")[0]
    last.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        last.save(force_insert=True)


def audience(name: str, channel: str | None = None) -> set[str]:
    return {c.external_id for c in Customer.objects.for_purpose(name, channel=channel)}


def test_campaigns_reach_only_those_whose_consent_is_in_force() -> None:
    make.consent(make.customer("yes", email="y@example.com"))
    make.customer("no", email="n@example.com")
    make.consent(make.customer("sms-only", email="s@example.com"), "campaign.sms", "sms")
    make.consent(make.customer("no-address"))

    assert audience("campaign.email", "email") == audience("campaign.email") == {"yes"}


@pytest.mark.parametrize(
    ("flags", "reached"),
    [
        ({}, {"campaign.email", "campaign.onsite", "profile.build", "recommend"}),
        ({"restricted": True}, set()),
        ({"erased_at": NOW}, set()),
        ({"objected": True}, {"profile.build", "recommend"}),
        ({"no_profiling": True}, {"campaign.email", "campaign.onsite"}),
    ],
)
def test_flags_of_a_subject_close_purposes(flags: dict[str, object], reached: set[str]) -> None:
    make.consent(make.customer("c-1", of=make.subject(**flags), email="a@example.com"))
    names = {"campaign.email", "campaign.onsite", "profile.build", "recommend"}

    assert {name for name in names if audience(name)} == reached


def test_a_suppressed_address_is_out_whatever_its_tag_and_customer() -> None:
    from privacy import suppression

    make.consent(make.customer("c-1", email="Anna+shop@example.com"))
    make.consent(make.customer("c-2", email="b@example.com"))

    suppression.suppress("email", "anna@EXAMPLE.com", reason="bounced", now=NOW)
    suppression.suppress("email", "anna@example.com", reason="complained", now=NOW)

    assert audience("campaign.email") == {"c-2"}
    assert suppression.is_suppressed("email", "anna+other@example.com")


def test_a_channel_the_purpose_does_not_use_is_refused() -> None:
    with pytest.raises(ValueError, match="does not use the channel 'sms'"):
        Customer.objects.for_purpose("campaign.email", channel="sms")


def test_every_purpose_says_its_basis_and_that_counsel_must_confirm() -> None:
    assert all("ounsel must confirm" in str(p.basis) for p in REGISTRY.values())
