"""Scores of customers: made of what was known, used if they are better and fair, and shown."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy import fairness_audits
from privacy.models import AuditEntry, Staff
from profiles import asking, segmentation
from profiles.models import CustomerTraits, Event, ScoreRun
from profiles.models.score import Score
from profiles.scores.features import FACTS
from profiles.scoring import rows
from tests import make
from tests.make import NOW
from tests.profiles import scored

pytestmark = pytest.mark.django_db
Verdict = ScoreRun.Verdict


def fact(name: str, *, row: int = 0) -> float:
    return float(rows.at(NOW, horizon_days=90).facts[row, FACTS.index(name)])


def login(client: Client, role: str = Staff.Role.ADMINISTRATOR) -> None:
    client.force_login(make.staff(role), backend="privacy.roles.RoleBackend")


# What is known at a moment --------------------------------------------------------------------


def test_facts_are_of_before_the_moment_and_outcomes_of_the_window_after_it() -> None:
    make.shop()
    ann = make.customer()
    make.order(ann, ("tv", "Video", 1, 50_000), days_ago=100)
    make.order(ann, ("mic", "Audio", 2, 4_000), days_ago=40)
    make.order(ann, ("tv", "Video", 1, 99_900), days_ago=10, status="cancelled")
    later = make.order(ann, ("tv", "Video", 1, 30_000), days_ago=-20).lines.get()
    make.refund(later, amount_minor=10_000, at=NOW + timedelta(days=25))
    make.order(ann, ("tv", "Video", 1, 70_000), days_ago=-90)

    found = rows.at(NOW, horizon_days=90)

    assert (fact("recency_days"), fact("tenure_days"), fact("n_orders")) == (40, 100, 2)
    assert (fact("n_orders_90"), fact("spent"), fact("spent_90")) == (1, 58_000, 8_000)
    assert (fact("largest"), fact("n_items"), fact("n_categories")) == (50_000, 2, 2)
    assert found.came_back.tolist() == [True]
    assert found.spent_after.tolist() == [20_000]


def test_whoever_had_not_ordered_yet_is_in_no_snapshot() -> None:
    make.shop()
    make.order(make.customer(), ("tv", "", 1, 100), days_ago=-1)

    assert len(rows.at(NOW, horizon_days=90)) == 0


def test_days_with_a_visit_count_and_answers_to_mail_do_not() -> None:
    make.shop()
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), days_ago=200)
    for name, days in (
        ("Product Viewed", 3),
        ("Product Viewed", 50),
        ("Email Opened", 1),
        ("Page", 95),
    ):
        Event.objects.create(
            source=make.source(), message_id=f"{name}{days}", kind="track", name=name, customer=ann,
            happened_at=NOW - timedelta(days=days), received_at=NOW,
        )  # fmt: skip

    assert (fact("n_visit_days_30"), fact("n_visit_days_90"), fact("visit_ago_days")) == (1, 2, 3)


def test_whoever_said_no_to_profiling_is_neither_learnt_from_nor_scored() -> None:
    make.shop()
    for flags in ({}, {"no_profiling": True}, {"restricted": True}):
        make.order(make.customer(of=make.subject(**flags)), ("tv", "", 1, 100), days_ago=9)

    assert len(rows.at(NOW, horizon_days=90)) == 1


# Training ---------------------------------------------------------------------------------------


def test_scores_that_beat_the_recency_rule_are_given_to_customers_with_their_run() -> None:
    scored.of_habits()

    runs = scored.train()

    churn, value = runs["churn_risk"], runs["expected_value_minor"]
    assert (churn.verdict, value.verdict) == (Verdict.BETTER, Verdict.BETTER)
    assert churn.metrics["brier"]["margin"]["low"] > 0
    assert value.metrics["deviance"]["margin"]["low"] > 0
    assert churn.is_active
    assert churn.n_scored == CustomerTraits.objects.filter(churn_run=churn).count() > 400
    often, seldom = (
        CustomerTraits.objects.get(customer__external_id=name) for name in ("h000", "h002")
    )
    assert often.churn_risk is not None
    assert seldom.churn_risk is not None
    assert often.churn_risk < seldom.churn_risk
    assert (often.expected_value_minor or 0) > (seldom.expected_value_minor or 0)
    assert often.value_run == value


def test_a_segment_may_ask_for_a_score() -> None:
    scored.of_habits()
    scored.train()
    likely = {"combinator": "and", "not": False,
              "rules": [{"field": "churn_risk", "operator": ">=", "value": 0.3},
                        {"field": "expected_value_minor", "operator": "<", "value": 15_000}]}  # fmt: skip

    n = segmentation.count(likely, NOW)

    assert 0 < n < scored.N_CUSTOMERS
    assert n == CustomerTraits.objects.filter(
        churn_risk__gte=0.3, expected_value_minor__lt=15_000
    ).count()  # fmt: skip
    assert segmentation.describe(likely, "en", currency="EUR") == (
        "Customers: churn risk is at least 30% and expected value is below €150.00."
    )


def test_a_score_of_what_nothing_tells_is_kept_off_with_its_reason(client: Client) -> None:
    scored.of_habits(foretellable=False)

    run = scored.train()["churn_risk"]

    assert run.verdict == Verdict.NOT_BETTER
    assert not run.is_active
    assert not CustomerTraits.objects.filter(churn_risk__isnull=False).exists()
    login(client)
    page = client.get(f"/admin/profiles/scorerun/{run.pk}/change/").content.decode()
    assert "includes 0" in page


def test_a_shop_with_too_little_data_is_told_what_is_lacking(client: Client) -> None:
    make.shop()
    make.order(make.customer(), ("tv", "", 1, 100), days_ago=400)

    run = scored.train()["churn_risk"]

    assert run.verdict == Verdict.TOO_LITTLE_DATA
    assert run.lacking == {"code": "customers", "there": 1, "needed": 300}
    login(client)
    page = client.get(f"/admin/profiles/scorerun/{run.pk}/change/").content.decode()
    assert "only 1 customers had ordered before; it takes 300" in page


def test_a_score_goes_when_the_next_training_cannot_carry_it_or_may_not_use_the_person() -> None:
    [first, *_others] = scored.of_habits()
    scored.train()
    first.subject.no_profiling = True
    first.subject.save()

    scored.train()

    assert CustomerTraits.objects.get(pk=first.pk).churn_risk is None
    assert ScoreRun.objects.filter(is_active=True).count() == 2
    first.orders.model.objects.filter(placed_at__lt=NOW - timedelta(days=200)).delete()
    scored.train()
    assert not ScoreRun.objects.filter(is_active=True).exists()
    assert not CustomerTraits.objects.filter(churn_risk__isnull=False).exists()


def test_a_killed_training_goes_on_with_the_runs_it_stored() -> None:
    scored.of_habits()
    run = scored.train()["churn_risk"]
    assert run.n_scored > 400
    n_runs = ScoreRun.objects.count()
    CustomerTraits.objects.update(churn_risk=None)
    again = asking.ask_for_scores(timezone.now(), as_of=NOW)
    value = ScoreRun.objects.get(score=Score.EXPECTED_VALUE, is_active=True)
    told = {"churn_risk": run.pk, "churn_risk_to": 300, "expected_value_minor": value.pk,
            "expected_value_minor_to": 10_000}  # fmt: skip
    Job.objects.filter(pk=again.pk).update(cursor=told)

    running.run(again.pk, clock=timezone.now)

    assert ScoreRun.objects.count() == n_runs
    n_after = CustomerTraits.objects.filter(churn_risk__isnull=False).count()
    assert n_after == run.n_scored - 300


# Fairness before use --------------------------------------------------------------------------


def uneven_shop() -> None:
    """Who orders seldom is all of one gender, so the score chooses by it."""
    for n, customer in enumerate(scored.of_habits()):
        customer.gender = "male" if n % 3 == 2 else "female"
        customer.save(update_fields=["gender"])


def test_a_score_that_is_uneven_is_not_used_until_somebody_accepts_its_report(
    client: Client,
) -> None:
    uneven_shop()
    run = scored.train()["churn_risk"]
    page = f"/admin/profiles/scorerun/{run.pk}/"

    assert run.verdict == Verdict.BETTER
    assert not run.is_active
    assert "gender:female:selection" in run.unaccepted
    assert not CustomerTraits.objects.filter(churn_risk__isnull=False).exists()
    login(client, Staff.Role.MARKETER)
    shown = client.get(f"{page}change/?by=gender").content.decode()
    assert "chosen less often" in shown
    assert "accept and train again" not in shown
    assert client.post(f"{page}accept/").status_code == 403

    login(client, Staff.Role.PRIVACY_OFFICER)
    assert "accept and train again" in client.get(f"{page}change/").content.decode()
    assert client.post(f"{page}accept/").status_code == 302

    entry = AuditEntry.objects.get(action="scores.accept")
    assert entry.actor.startswith("staff:")
    assert Job.objects.filter(kind="profiles.score", state=Job.State.QUEUED).delete()[0] == 1
    next_run = scored.train()["churn_risk"]
    assert next_run.is_active
    assert CustomerTraits.objects.filter(churn_run=next_run).exists()


def test_the_fairness_page_shows_scores_by_group_as_it_does_segments() -> None:
    uneven_shop()
    scored.train()

    [audit] = [one for one in fairness_audits.audits() if one.code == "profiles.scores"]
    [churn, _value] = audit.run("gender", NOW)

    found = {finding.group: finding for finding in churn.findings}
    assert found["female"].level < found["male"].level
    assert found["female"].verdict == "uneven"


# Pages and command ------------------------------------------------------------------------------


def test_the_page_of_a_run_tells_its_worth_in_a_chart_with_a_table_beside_it(
    client: Client,
) -> None:
    scored.of_habits()
    runs = scored.train()
    login(client)

    churn, value = (
        client.get(f"/admin/profiles/scorerun/{runs[name].pk}/change/").content.decode()
        for name in ("churn_risk", "expected_value_minor")
    )

    assert "c-reliability" in churn
    assert "Brier" in churn
    assert "in use for" in churn
    assert "Tweedie" in value
    assert "€" in value


def test_the_customers_page_tells_scores_with_their_meaning(client: Client) -> None:
    [first, *_others] = scored.of_habits()
    scored.train()
    login(client)
    shown = client.get(f"/admin/profiles/customer/{first.pk}/change/").content.decode()
    assert "Chance that nothing is bought in the 90 days" in shown

    first.subject.no_profiling = True
    first.subject.save()
    shown = client.get(f"/admin/profiles/customer/{first.pk}/change/").content.decode()
    assert "said no to profiling" in shown


def test_anybody_who_may_change_scores_may_train_and_others_may_not(client: Client) -> None:
    login(client, Staff.Role.VIEWER)
    assert client.post("/admin/profiles/scorerun/train/").status_code == 403

    login(client, Staff.Role.MARKETER)
    assert client.post("/admin/profiles/scorerun/train/").status_code == 302
    assert Job.objects.filter(kind="profiles.score").count() == 1


def test_training_asks_as_much_for_many_customers_as_for_few() -> None:
    def queries(n: int) -> int:
        make.order(make.customer(f"x{n}"), ("tv", "", 1, 100), days_ago=n)
        with CaptureQueriesContext(connections["default"]) as found:
            rows.at(NOW, horizon_days=90)
        return len(found)

    make.shop()
    assert queries(1) == queries(2)


def test_the_command_prints_calibration_and_margin() -> None:
    scored.of_habits()
    out = io.StringIO()

    call_command("train_scores", "--as-of", NOW.isoformat(), stdout=out)

    assert "Churn risk, run" in out.getvalue()
    assert "Margin over the rule: " in out.getvalue()
    assert "Foretold and come" in out.getvalue()
    with pytest.raises(CommandError, match="has not come yet"):
        call_command("train_scores", "--as-of", "2999-01-01")
