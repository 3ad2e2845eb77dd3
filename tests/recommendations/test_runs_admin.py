"""Model cards in the admin: one click back to an older run, and out of service."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from privacy.models import Staff
from recommendations.models import TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db
LIST = "/admin/recommendations/trainingrun/"


def run(*, has_lists: bool = True, **columns: Any) -> TrainingRun:
    facts = {"n_customers": 1, "n_products": 1, "n_interactions": 1, "cpu_seconds": 1}
    made = TrainingRun.objects.create(
        engine="blend",
        as_of=NOW,
        parameters={"engine": "popular_28"},
        peak_rss_mb=1,
        verdict=TrainingRun.Verdict.BEATS_POPULAR,
        created_at=NOW,
        finished_at=NOW,
        **facts,
        **columns,
    )
    if has_lists:
        listed.customer(made, make.customer(), [])
    return made


def browser(role: str = Staff.Role.MARKETER) -> tuple[Client, Staff]:
    staff = make.staff(role)
    client = Client()
    client.force_login(staff)
    return client, staff


def test_an_older_run_serves_again_by_one_click_and_its_card_says_who_did_it() -> None:
    older, active = run(), run(is_active=True, activated_at=NOW)
    client, staff = browser()
    page = f"{LIST}{older.pk}/change/"
    assert f"{LIST}{older.pk}/serve/" in client.get(page).content.decode()

    answer = client.post(f"{LIST}{older.pk}/serve/", follow=True)

    assert TrainingRun.objects.active() == older
    older.refresh_from_db()
    assert older.activated_by == f"staff:{staff.pk}"
    shown = answer.content.decode()
    assert f"· {staff.username}</dd>" in shown
    assert f"staff:{staff.pk}" not in shown
    assert f"{LIST}{active.pk}/serve/" in client.get(f"{LIST}{active.pk}/change/").content.decode()


def test_engines_and_whoever_activated_are_told_in_words_of_the_reader() -> None:
    found = {"ndcg@10": {"value": 0.1, "low": 0.1, "high": 0.1}, "cpu_seconds": 1.0}
    made = run(
        is_active=True, activated_at=NOW, activated_by="system:training",
        comparison={"engines": {"item_based": found, "of another version": found}},
    )  # fmt: skip
    assert str(made) == f"Blend, run {made.pk}"
    client = browser()[0]

    page = client.get(f"{LIST}{made.pk}/change/", headers={"Accept-Language": "zh-hans"})
    listed = client.get(LIST, headers={"Accept-Language": "zh-hans"})

    shown = page.content.decode()
    assert "item_based" not in shown
    assert "同一批顾客购买" in shown
    assert "of another version" in shown
    assert "· Candor 系统</dd>" in shown
    assert "混合" in listed.content.decode()


def test_a_run_without_lists_has_no_button_and_is_refused_in_words() -> None:
    bare, client = run(has_lists=False), browser()[0]

    page = client.get(f"{LIST}{bare.pk}/change/").content.decode()
    answer = client.post(f"{LIST}{bare.pk}/serve/", follow=True)

    assert f"{LIST}{bare.pk}/serve/" not in page
    assert "The lists of this run are not there" in answer.content.decode()
    assert TrainingRun.objects.active() is None


def test_the_active_run_is_taken_out_of_service_by_one_click() -> None:
    active, client = run(is_active=True, activated_at=NOW), browser()[0]

    assert f"{LIST}popularity/" in client.get(f"{LIST}{active.pk}/change/").content.decode()
    answer = client.post(f"{LIST}popularity/", follow=True)

    assert TrainingRun.objects.active() is None
    assert "No model serves now" in answer.content.decode()


@pytest.mark.parametrize("page", ["{}/serve/", "popularity/"])
def test_who_may_only_look_switches_nothing(page: str) -> None:
    active, client = run(is_active=True, activated_at=NOW), browser(Staff.Role.VIEWER)[0]

    assert client.post(LIST + page.format(active.pk)).status_code == 403
    assert "/serve/" not in client.get(f"{LIST}{active.pk}/change/").content.decode()
    assert TrainingRun.objects.active() == active


@pytest.mark.parametrize(("is_kept", "words"), [(True, "are kept"), (False, "not shown to be")])
def test_the_card_says_how_the_new_settings_compared_with_the_active_ones(
    is_kept: bool,  # noqa: FBT001
    words: str,
) -> None:
    active = {"run": 3, "ndcg@10": {"value": -0.01, "low": -0.02, "high": 0.0}, "is_kept": is_kept}
    made = run(comparison={"active": active})

    page = browser()[0].get(f"{LIST}{made.pk}/change/").content.decode()

    assert words in page
    assert "-0.010 (-0.020 – +0.000)" in page
