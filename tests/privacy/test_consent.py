"""The ledger takes entries in any order and any number of times; the last declaration holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy import consent
from privacy.consent import Declaration
from privacy.models import Consent, ConsentEntry, Subject
from privacy.problems import DomainError
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def declare(
    subject: Subject, state: str, *, days_ago: float, purpose: str = "campaign.email"
) -> Declaration:
    return Declaration(
        subject=subject.uuid,
        purpose=purpose,
        channel="sms" if purpose == "campaign.sms" else "email",
        state=state,
        wording="Yes, write to me.",
        source="checkout",
        happened_at=NOW - timedelta(days=days_ago),
    )


def test_a_recorded_consent_is_in_force_until_it_is_withdrawn() -> None:
    subject = make.subject()

    def record(state: str, at: datetime) -> Consent:
        return consent.record(
            subject,
            "campaign.email",
            "email",
            state,
            wording="Yes.",
            source="account page",
            happened_at=at,
            now=NOW,
        )

    assert record("given", NOW - timedelta(days=2)).state == "given"
    assert consent.is_in_force(subject, "campaign.email")
    assert record("withdrawn", NOW - timedelta(days=1)).state == "withdrawn"
    assert not consent.is_in_force(subject, "campaign.email")
    assert ConsentEntry.objects.count() == 2


def test_a_late_consent_never_overrides_a_later_withdrawal() -> None:
    subject = make.subject()
    consent.record_many([declare(subject, "withdrawn", days_ago=1)], now=NOW)

    consent.record_many([declare(subject, "given", days_ago=5)], now=NOW)

    assert Consent.objects.get().state == "withdrawn"


def test_the_same_declaration_twice_changes_nothing() -> None:
    subject = make.subject()
    declarations = [declare(subject, "given", days_ago=5)] * 2

    assert consent.record_many(declarations, now=NOW) == 1
    before = (list(ConsentEntry.objects.values()), list(Consent.objects.values()))
    assert consent.record_many(declarations, now=NOW + timedelta(days=1)) == 0

    assert (list(ConsentEntry.objects.values()), list(Consent.objects.values())) == before


def test_purposes_and_people_do_not_touch_each_other() -> None:
    one, two = make.subject(), make.subject()

    consent.record_many(
        [
            declare(one, "given", days_ago=5),
            declare(one, "withdrawn", days_ago=1, purpose="campaign.sms"),
            declare(two, "withdrawn", days_ago=1),
        ],
        now=NOW,
    )

    assert consent.is_in_force(one, "campaign.email")
    assert not consent.is_in_force(one, "campaign.sms", "sms")
    assert not consent.is_in_force(two, "campaign.email")


events = st.lists(st.tuples(st.sampled_from(["given", "withdrawn"]), st.integers(0, 4)), min_size=1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=events, cuts=st.lists(st.integers(1, 5), max_size=4))
def test_any_order_and_any_batches_end_in_the_last_declaration(
    history: list[tuple[str, int]], cuts: list[int]
) -> None:
    subject = make.subject()
    declarations = [declare(subject, state, days_ago=days) for state, days in history]
    while declarations:
        n = cuts.pop() if cuts else len(declarations)
        consent.record_many(declarations[:n], now=NOW)
        declarations = declarations[n:]

    last_day = min(days for _state, days in history)
    withdrawn = ("withdrawn", last_day) in history
    found = Consent.objects.get(subject=subject)
    assert found.state == ("withdrawn" if withdrawn else "given")
    assert found.since == NOW - timedelta(days=last_day)


@pytest.mark.parametrize(
    ("changed", "code", "pointer"),
    [
        ({"purpose": "fun"}, "unknown_purpose", "/purpose"),
        ({"purpose": "recommend"}, "unknown_purpose", "/purpose"),
        ({"channel": "sms"}, "unknown_channel", "/channel"),
        ({"state": "maybe"}, "unknown_state", "/state"),
        ({"happened_at": NOW + timedelta(seconds=1)}, "in_the_future", "/happenedAt"),
        ({"wording": " "}, "required", "/wording"),
        ({"source": ""}, "required", "/source"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(
    changed: dict[str, object], code: str, pointer: str
) -> None:
    facts = {
        "purpose": "campaign.email",
        "channel": "email",
        "state": "given",
        "wording": "Yes.",
        "source": "checkout",
        "happened_at": NOW,
    } | changed
    subject = make.subject()

    with pytest.raises(DomainError) as caught:
        consent.check(Declaration(subject=subject.uuid, **facts), now=NOW)  # type: ignore[arg-type]

    assert (caught.value.code, caught.value.pointer) == (code, pointer)
