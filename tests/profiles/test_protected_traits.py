"""Age and gender form no persona, unless a use rule of the shop says that they may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from jobs import running
from jobs.models import Job
from privacy.models import AuditEntry, PurposeRecord, UseRule
from profiles import asking, protected_traits
from profiles.models import ClusteringRun, Customer, Persona
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
N = 160


@pytest.fixture(autouse=True)
def people() -> None:
    """Customers who all do much the same, half of them old and half of them young."""
    make.shop()
    for n in range(N):
        customer = make.customer(f"c{n:03}")
        Customer.objects.filter(pk=customer.pk).update(
            birth_year=1950 + n % 3 if n % 2 else 1998 + n % 3,
            gender="female" if n % 4 < 2 else "male",
        )
        item = (f"p-{n % 5}", "Audio", 1, 5_000 + n % 11)
        make.order(customer, item, days_ago=10 + n % 7, number=f"o{n}")


def rule(data_class: str = "age", **facts: object) -> UseRule:
    return UseRule.objects.create(
        kind="service", who="clustering", purpose="profile.protected", data_class=data_class,
        **facts,
    )  # fmt: skip


def build() -> ClusteringRun:
    job = asking.ask_for_build(NOW, everybody=True)
    ended = running.run(job.pk, clock=lambda: NOW)
    assert ended is not None
    assert ended.state == Job.State.DONE
    return ClusteringRun.objects.get(is_current=True)


def of_one_generation(run: ClusteringRun) -> int:
    """How many personas hold only old or only young customers."""
    ages = [
        {(one.birth_year or 0) > 1990 for one in Customer.objects.filter(traits__persona=persona)}
        for persona in Persona.objects.filter(run=run)
    ]
    return sum(len(found) == 1 for found in ages)


def page(run: ClusteringRun) -> str:
    client = Client()
    client.force_login(make.staff())
    cards = client.get("/admin/profiles/persona/").content.decode()
    persona = run.personas.get(number=1)
    one = client.get(f"/admin/profiles/persona/{persona.pk}/change/").content.decode()
    assert ("takes part in forming" in cards) == ("takes part in forming" in one)
    return one


def test_without_a_rule_no_protected_trait_takes_part_and_nothing_is_opened() -> None:
    run = build()

    assert not protected_traits.ALL & set(run.evidence["columns"])
    assert run.evidence["protected"] == []
    assert of_one_generation(run) == 0
    assert not AuditEntry.objects.filter(purpose="profile.protected").exists()
    assert "none of them forms it" in page(run)


def test_a_rule_lets_its_trait_form_groups_and_the_page_says_by_which_rule() -> None:
    rule(until=NOW + timedelta(days=30))

    run = build()

    assert protected_traits.ALL & set(run.evidence["columns"]) == {"birth_year"}
    assert of_one_generation(run) >= 2
    assert AuditEntry.objects.filter(purpose="profile.protected", outcome="allowed").count() == 1
    shown = page(run)
    assert "Age takes part in forming these groups" in shown
    assert "“clustering” allows it until 2026" in shown
    assert "none of them forms it" not in shown


def test_gender_is_one_column_for_two_and_the_unknown_stand_between() -> None:
    rule("gender")
    Customer.objects.filter(external_id="c000").update(gender="")

    run = build()

    assert protected_traits.ALL & set(run.evidence["columns"]) == {"gender:female"}


@pytest.mark.parametrize("how", ["ended", "no_rows", "purpose_ended", "another_service"])
def test_a_rule_that_does_not_hold_lets_nothing_in(how: str) -> None:
    made = rule()
    match how:
        case "ended":
            UseRule.objects.filter(pk=made.pk).update(until=NOW)
        case "no_rows":
            UseRule.objects.filter(pk=made.pk).update(rows_per_day=N - 1)
        case "purpose_ended":
            PurposeRecord.objects.update_or_create(
                name="profile.protected", defaults={"valid_until": NOW - timedelta(days=2)}
            )
        case _:
            UseRule.objects.filter(pk=made.pk).update(who="campaigns")

    assert protected_traits.allowed(N, now=NOW) == []


def test_once_the_rule_ended_no_run_is_looked_back_at_with_the_trait() -> None:
    made = rule()
    first = build()
    UseRule.objects.filter(pk=made.pk).update(until=NOW)

    second = build()

    assert "birth_year" in first.evidence["columns"]
    assert second.evidence["protected"] == []
    assert not protected_traits.ALL & set(second.evidence["columns"])
    assert second.compared["run"] == first.pk


def test_an_ended_rule_never_keeps_anybody_from_being_profiled() -> None:
    rule(until=NOW - timedelta(days=1))

    assert Customer.objects.for_purpose("profile.build").count() == N
