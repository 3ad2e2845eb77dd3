"""Approval: bound to the content, by the right person, of a campaign without faults."""

from __future__ import annotations

import pytest

from campaigns import approvals, delivery
from campaigns.models import Campaign, Delivery, Template
from privacy.problems import DomainError
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

Status = Campaign.Status


def test_an_edit_voids_the_approval() -> None:
    make.reader()
    campaign = make.written_campaign()
    Template.objects.update(subject="Something else")

    with pytest.raises(DomainError) as caught:
        delivery.plan(campaign, NOW)

    assert caught.value.code == "approval_void"
    assert campaign.status == Status.DRAFT
    assert campaign.approved_by is None
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("edit", ["rule", "holdout", "weight"])
def test_an_edit_of_the_audience_voids_the_approval_too(edit: str) -> None:
    campaign = make.written_campaign()
    if edit == "rule":
        campaign.segment.rule = {"combinator": "or", "not": False, "rules": []}
        campaign.segment.save()
    elif edit == "holdout":
        Campaign.objects.update(holdout_ppm=1)
    else:
        campaign.variants.update(weight=5)

    assert approvals.void_if_edited(campaign, now=NOW)
    assert campaign.status == Status.DRAFT


def test_nobody_approves_their_own_campaign_where_another_could() -> None:
    maker = make.staff("administrator", username="maker")
    make.staff("approver", username="other")
    campaign = make.written_campaign(approved=False, created_by=maker)

    with pytest.raises(DomainError) as caught:
        approvals.approve(campaign, staff=maker, now=NOW)

    assert caught.value.code == "own_campaign"


def test_a_shop_of_one_person_approves_its_own_and_it_shows() -> None:
    alone = make.staff("administrator", username="alone")
    campaign = make.written_campaign(approved=False, created_by=alone)

    approvals.approve(campaign, staff=alone, now=NOW)

    assert campaign.status == Status.APPROVED
    assert campaign.approved_by == campaign.created_by == alone


def test_a_marketer_approves_nothing() -> None:
    campaign = make.written_campaign(approved=False)

    with pytest.raises(DomainError) as caught:
        approvals.approve(campaign, staff=make.staff("marketer"), now=NOW)

    assert caught.value.code == "not_an_approver"


@pytest.mark.parametrize(
    ("options", "code", "pointer"),
    [
        ({"subject": "{{ custmer.name }}"}, "unknown_variable", "/variants/A/templates/en/subject"),
        (
            {"body": "{% for i in (1..99999999) %}{% endfor %}{{ unsubscribe_url }}"},
            "endless_loop",
            "/variants/A/templates/en/body_html",
        ),
        (
            {"body": "<p>no way out</p>"},
            "no_unsubscribe_link",
            "/variants/A/templates/en/body_html",
        ),
        ({"locales": ()}, "no_message", "/variants"),
        ({"weights": {"A": 0}}, "no_weight", "/variants"),
    ],
)
def test_a_campaign_with_a_fault_is_not_approved_and_the_fault_is_named(
    options: dict[str, object], code: str, pointer: str
) -> None:
    campaign = make.written_campaign(approved=False, **options)  # type: ignore[arg-type]

    with pytest.raises(DomainError) as caught:
        approvals.approve(campaign, staff=make.staff(), now=NOW)

    assert caught.value.code == "campaign_not_ready"
    assert [(fault.code, fault.pointer) for fault in caught.value.errors] == [(code, pointer)]


def test_a_language_that_a_variant_lacks_is_named() -> None:
    campaign = make.written_campaign(
        approved=False, weights={"A": 1, "B": 1}, locales=["en", "zh-hans"]
    )
    Template.objects.get(variant__key="B", locale="zh-hans").delete()

    with pytest.raises(DomainError) as caught:
        approvals.approve(campaign, staff=make.staff(), now=NOW)

    assert [(f.code, f.pointer) for f in caught.value.errors] == [
        ("missing_language", "/variants/B")
    ]


def test_a_step_that_the_state_does_not_allow_is_refused() -> None:
    campaign = make.written_campaign()

    with pytest.raises(DomainError, match="approved") as caught:
        approvals.launch(campaign)

    assert (caught.value.code, caught.value.status) == ("wrong_status", 409)
