"""Who may open what: only under a rule, not a moment longer, not a row more."""

from __future__ import annotations

from datetime import date, timedelta
from threading import Thread

import pytest
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy import purposes, use_rules
from privacy.fields import reveal_columns
from privacy.models import AuditEntry, PurposeRecord, Staff, UseCount, UseRule
from privacy.purpose_registry import REGISTRY
from privacy.purposes import PurposeDeniedError, purpose
from privacy.use_rules import NotAllowedError
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
FAR = date(2999, 1, 1)


def rule(who: str, data_class: str = "email", **facts: object) -> UseRule:
    kind, name = who.split(":")
    key = {"kind": kind, "who": name, "purpose": "support.reveal", "data_class": data_class}
    return UseRule.objects.update_or_create(**key | facts.pop("key", {}), defaults=facts)[0]  # type: ignore[operator]


def opened(actor: str, fields: list[str], name: str = "support.reveal") -> int:
    with purpose(name, actor=actor, now=NOW):
        return len(reveal_columns(Customer.objects.all(), fields, name))


def refusal(actor: str, fields: list[str], name: str = "support.reveal") -> str:
    with pytest.raises(PurposeDeniedError) as caught:
        opened(actor, fields, name)
    return caught.value.code


def someone(role: str = Staff.Role.SUPPORT) -> str:
    return f"staff:{make.staff(role, username=f'{role}{Staff.objects.count()}').pk}"


def people(n: int = 1) -> None:
    for number in range(n):
        make.customer(f"p-{number}", email=f"{number}@example.com", full_name="Ann Lee")


@pytest.mark.parametrize("role", [Staff.Role.VIEWER, Staff.Role.MARKETER, Staff.Role.APPROVER])
def test_nobody_opens_anything_without_a_rule(role: str) -> None:
    people()

    assert refusal(someone(role), ["email"]) == "no_rule"
    assert refusal("staff:999999", ["email"]) == "no_rule"
    assert refusal("staff:nobody", ["email"]) == "no_rule"
    assert refusal("key:abc", ["email"]) == "no_rule"
    assert refusal("job:1", ["email"]) == "no_rule"
    assert AuditEntry.objects.filter(outcome="refused").count() == 5


def test_an_account_that_was_closed_opens_nothing() -> None:
    people()
    actor = someone()
    assert opened(actor, ["email"]) == 1
    Staff.objects.update(is_active=False)

    assert refusal(actor, ["email"]) == "no_rule"


def test_a_rule_lets_its_who_open_its_class_for_its_purpose() -> None:
    people()
    rule("key:abc", key={"purpose": "import"})

    assert opened("key:abc", ["email"], "import") == 1
    assert refusal("key:abd", ["email"], "import") == "no_rule"
    assert refusal("key:abc", ["full_name"], "import") == "no_rule"
    assert refusal("key:abc", ["email"]) == "no_rule"
    assert refusal("key:abc", ["email", "full_name"], "import") == "no_rule"


def test_an_ended_rule_allows_nothing_from_that_moment_on() -> None:
    people()
    actor = someone()
    rule("role:support", until=NOW + timedelta(microseconds=1))
    assert opened(actor, ["email"]) == 1

    rule("role:support", until=NOW)

    assert refusal(actor, ["email"]) == "rule_ended"


def test_the_exact_rule_counts_before_the_one_for_anybody() -> None:
    people()
    assert opened("job:1", ["email"], "import") == 1

    rule("service:job", key={"purpose": "import"}, rows_per_day=0)

    assert refusal("job:1", ["email"], "import") == "limit"
    assert opened("campaign:1", ["email"], "import") == 1


def test_rows_of_a_day_are_counted_for_each_account_and_class() -> None:
    people(3)
    first, second = someone(), someone()
    rule("role:support", rows_per_day=6)

    assert [opened(first, ["email"]) for _ in range(2)] == [3, 3]
    assert refusal(first, ["email"]) == "limit"
    assert opened(first, ["full_name"]) == 3
    assert opened(second, ["email"]) == 3
    assert UseCount.objects.get(actor=first, data_class="email").n_rows == 6


def test_a_new_day_begins_anew() -> None:
    people()
    actor = someone()
    rule("role:support", rows_per_day=1)
    assert opened(actor, ["email"]) == 1
    assert refusal(actor, ["email"]) == "limit"

    with purpose("support.reveal", actor=actor, now=NOW + timedelta(days=1)):
        assert len(reveal_columns(Customer.objects.all(), ["email"], "support.reveal")) == 1


def test_a_refusal_counts_nothing_of_any_class() -> None:
    people(2)
    actor = someone()
    rule("role:support", "email", rows_per_day=10)
    rule("role:support", "name", rows_per_day=1)

    assert refusal(actor, ["email", "full_name"]) == "limit"

    assert set(UseCount.objects.values_list("n_rows", flat=True)) == {0}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(st.integers(0, 8), max_size=12), limit=st.integers(0, 20))
def test_the_sum_of_what_was_let_through_is_never_over_the_limit(
    asked: list[int], limit: int
) -> None:
    UseCount.objects.all().delete()
    rule("role:support", rows_per_day=limit)
    grant = use_rules.grant(someone(), "support.reveal")
    through = 0
    for n_rows in asked:
        try:
            grant.check(["email"], n_rows=n_rows, at=NOW)
        except NotAllowedError:
            assert through + n_rows > limit
        else:
            through += n_rows

    assert through <= limit


@pytest.mark.django_db(transaction=True)
def test_openings_at_the_same_time_never_go_over_the_limit_together() -> None:
    rule("service:test", rows_per_day=10)
    let_through: list[int] = []

    def ask() -> None:
        grant = use_rules.grant("test:1", "support.reveal")
        try:
            for _ in range(5):
                try:
                    grant.check(["email"], n_rows=1, at=NOW)
                except NotAllowedError:
                    continue
                let_through.append(1)
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(let_through) == 10
    assert UseCount.objects.get().n_rows == 10


def test_the_database_mirrors_the_code_and_keeps_what_the_shop_set() -> None:
    PurposeRecord.objects.all().delete()
    PurposeRecord.objects.create(name="gone", basis="x")
    purposes.mirror()
    record = PurposeRecord.objects.get(name="campaign.email")
    assert record.needs_consent
    assert record.data_classes == ["email", "name"]
    assert "ounsel must confirm" in record.basis
    record.valid_until = FAR
    record.basis = "another"
    record.save()
    mine = rule("role:support", rows_per_day=7)

    purposes.mirror()

    record.refresh_from_db()
    mine.refresh_from_db()
    assert record.valid_until == FAR
    assert record.basis != "another"
    assert mine.rows_per_day == 7
    assert purposes.is_mirrored()
    assert not PurposeRecord.objects.get(name="gone").is_known
    assert UseRule.objects.filter(kind="service", who="*").exists()


def test_every_shipped_rule_opens_what_its_purpose_covers() -> None:
    for one in use_rules.SHIPPED.values():
        assert one.data_class in REGISTRY[one.purpose].data_classes


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_ended_purpose_reaches_and_opens_nobody(name: str) -> None:
    ann = make.reader("ann")
    make.consent(ann, "campaign.email.existing", state="informed")
    make.order(ann, ("p", "c", 1, 100))
    purposes.mirror()
    wanted = None if REGISTRY[name].channels else ""
    if wanted is None and name not in {"campaign.sms", "campaign.push"}:
        assert Customer.objects.for_purpose(name).exists() or name == "campaign.onsite"

    PurposeRecord.objects.filter(name=name).update(valid_until=date(2020, 1, 1))

    assert not Customer.objects.for_purpose(name).exists()
    with pytest.raises(PurposeDeniedError, match="has ended"), purpose(name, actor="x", now=NOW):
        pass


def test_a_purpose_is_valid_to_the_end_of_its_last_day() -> None:
    make.reader("ann")
    purposes.mirror()
    PurposeRecord.objects.update(valid_until=NOW.date())

    with purpose("campaign.email", actor="job:1", now=NOW):
        pass
    with pytest.raises(PurposeDeniedError):
        purpose("campaign.email", actor="job:1", now=NOW + timedelta(days=1)).__enter__()


def test_nobody_is_reached_once_the_last_rule_of_a_purpose_has_ended() -> None:
    make.reader("ann")
    purposes.mirror()
    assert Customer.objects.for_purpose("campaign.email").exists()

    UseRule.objects.filter(purpose="campaign.email").update(until=NOW - timedelta(days=3000))

    assert not Customer.objects.for_purpose("campaign.email").exists()


# Buyers who were told, and minors ---------------------------------------------------------------


def existing() -> set[str]:
    return {c.external_id for c in Customer.objects.for_purpose("campaign.email.existing")}


def buyer(name: str, **columns: object) -> Customer:
    made = make.customer(name, email=f"{name}@example.com")
    make.order(made, ("p", "c", 1, 100), **columns)  # type: ignore[arg-type]
    return made


def test_buyers_who_were_told_and_did_not_refuse_may_get_mail_about_similar_products() -> None:
    told = "campaign.email.existing"
    make.consent(buyer("told"), told, state="informed")
    make.consent(buyer("refused"), told, state="withdrawn")
    make.consent(make.customer("no-buyer", email="n@example.com"), told, state="informed")
    make.consent(buyer("cancelled", status="cancelled"), told, state="informed")
    make.consent(buyer("returned", refunded_minor=100), told, state="informed")
    buyer("never-told")
    other = buyer("refused-campaigns")
    make.consent(other, told, state="informed")
    make.consent(other, "campaign.email", state="withdrawn")

    assert existing() == {"told"}
    assert not Customer.objects.for_purpose("campaign.email").exists(), "a notice is no consent"


def test_minors_get_no_marketing_and_no_forecast_and_are_served_otherwise() -> None:
    child = make.reader("child", of=make.subject(minor_until=FAR))
    make.reader("grown", of=make.subject(minor_until=date(2020, 1, 1)))

    for name in ("campaign.email", "campaign.onsite", "recommend", "profile.score"):
        reached = set(Customer.objects.for_purpose(name).values_list("external_id", flat=True))
        assert reached == {"grown"}
    for name in ("service.email", "profile.build"):
        assert Customer.objects.for_purpose(name).filter(pk=child.pk).exists()


# Pages ----------------------------------------------------------------------------------------


def test_the_officer_ends_a_purpose_on_its_page_and_leaves_a_trace(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.PRIVACY_OFFICER))
    purposes.mirror()
    record = PurposeRecord.objects.get(name="campaign.sms")
    page = f"/admin/privacy/purposerecord/{record.pk}/change/"
    assert "Counsel must confirm" in client.get(page).content.decode()

    facts = {"valid_until": "2026-12-31", "confirmed_on": "", "note": "talk to anna@example.com"}
    assert client.post(page, facts).status_code == 302

    record.refresh_from_db()
    assert record.valid_until == date(2026, 12, 31)
    entry = AuditEntry.objects.get(action="purpose.changed")
    assert entry.reason == "campaign.sms: valid_until = 2026-12-31"


def test_the_officer_adds_and_ends_rules_that_can_be(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.PRIVACY_OFFICER))
    page = "/admin/privacy/userule/add/"
    facts = {
        "kind": "role",
        "who": "marketer",
        "purpose": "support.reveal",
        "data_class": "email",
        "rows_per_day": "5",
    }

    assert "Roles are" in client.post(page, facts | {"who": "boss"}).content.decode()
    refused = client.post(page, facts | {"data_class": "text"}).content.decode()
    assert "The purpose covers" in refused
    assert client.post(page, facts).status_code == 302

    people()
    assert opened(someone(Staff.Role.MARKETER), ["email"]) == 1
    assert AuditEntry.objects.filter(action="use_rule.added").count() == 1
    assert client.get("/admin/privacy/userule/").status_code == 200


def test_a_refusal_is_said_on_the_customers_page(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.SUPPORT))
    people()
    rule("role:support", "name", rows_per_day=0)
    customer = Customer.objects.get()

    answer = client.post(
        f"/admin/profiles/customer/{customer.pk}/reveal/",
        {"group": "identity", "code": "asked", "reason": "call"},
        follow=True,
    ).content.decode()

    assert "as much today as your use rule allows" in answer
    assert "0@example.com" not in answer
