"""Every list that goes out is noted by position, whichever way made it; the log names nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from privacy import registry
from privacy.models import Staff
from recommendations import served_lists
from recommendations.explaining import Reason
from recommendations.models import Scenario, ServedList, TrainingRun
from recommendations.served_lists import Offered
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db

SHOP = ("p1", "p2", "p3")


@pytest.fixture
def run() -> TrainingRun:
    make.shop()
    made = TrainingRun.objects.create(
        engine="blend", as_of=NOW, n_customers=1, n_products=3, n_interactions=9, cpu_seconds=1,
        peak_rss_mb=1, is_active=True, verdict="beats_popular", created_at=NOW, finished_at=NOW,
        activated_at=NOW,
    )  # fmt: skip
    for id_ in SHOP:
        make.product(id_)
    listed.product(made, "", [[id_, 1.0, Reason.POPULAR, []] for id_ in SHOP])
    listed.product(made, "p1", [["p3", 2.0, Reason.TOGETHER, []]])
    return made


@pytest.fixture
def asking() -> dict[str, str]:
    return {"Authorization": f"Bearer {make.secret_key()}"}


def noted(body: dict[str, Any]) -> ServedList:
    """What was noted of an answer is what the answer says."""
    there = ServedList.objects.get(pk=body["recommendationId"])
    assert there.products == [item["productId"] for item in body["items"]]
    assert [item["position"] for item in body["items"]] == [*range(1, len(there.products) + 1)]
    assert there.propensities == []  # nothing was drawn
    return there


@pytest.mark.parametrize("n_before", [0, 2])
def test_a_list_is_noted_by_position(
    client: Client, run: TrainingRun, asking: dict[str, str], n_before: int
) -> None:
    make.customer("C-1")
    for _ in range(n_before):  # a key that is known is answered by another way
        client.get("/v1/recommendations", headers=asking)

    asked = {"userId": "C-1", "placement": "home", "n": "2"}
    told = client.get("/v1/recommendations", asked, headers=asking).json()

    there = noted(told)
    assert (there.placement, there.version, len(there.products)) == ("home", run.pk, 2)
    assert abs(there.served_at - timezone.now()) < timedelta(minutes=1)
    assert ServedList.objects.count() == 1 + n_before


@pytest.mark.usefixtures("run")
def test_a_placement_with_rules_is_noted_once(client: Client, asking: dict[str, str]) -> None:
    Scenario.objects.create(placement="home", name="Home")

    told = client.get("/v1/recommendations", {"placement": "home"}, headers=asking).json()

    assert noted(told).placement == "home"
    assert ServedList.objects.count() == 1


@pytest.mark.usefixtures("run")
def test_each_list_of_a_batch_is_noted_under_its_own_id(
    client: Client, asking: dict[str, str]
) -> None:
    make.customer("C-1")
    asked = {"userIds": ["C-1", "C-2"], "n": 3}

    told = client.post(
        "/v1/recommendations/batch", asked, content_type="application/json", headers=asking
    ).json()["data"]

    assert [noted(one).placement for one in told] == ["default", "default"]
    assert ServedList.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "placement"), [("similar", "similar"), ("bought-together", "bought-together")]
)
@pytest.mark.usefixtures("run")
def test_what_goes_with_a_product_is_noted(
    client: Client, asking: dict[str, str], path: str, placement: str
) -> None:
    told = client.get(f"/v1/products/p1/{path}", headers=asking).json()

    assert noted(told).placement == placement


def test_a_list_that_offers_nothing_is_not_noted(client: Client, asking: dict[str, str]) -> None:
    make.shop()

    told = client.get("/v1/recommendations", headers=asking).json()

    assert told["items"] == []
    assert not ServedList.objects.exists()


def test_the_log_names_nobody() -> None:
    names = {field.name for field in ServedList._meta.get_fields()}

    assert names == {
        "recommendation_id", "served_at", "placement", "version", "products", "propensities",
    }  # fmt: skip


@pytest.mark.parametrize("n_before", [0, 2])
@pytest.mark.parametrize("who", ["a test", "head"])
@pytest.mark.usefixtures("run")
def test_what_no_visitor_is_offered_is_not_noted(client: Client, who: str, n_before: int) -> None:
    key = make.write_key(is_test=True) if who == "a test" else make.secret_key()
    ask = client.get if who == "a test" else client.head

    for _ in range(1 + n_before):
        asked = {"anonymousId": "a"}
        answer = ask("/v1/recommendations", asked, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200

    assert not ServedList.objects.exists()


@pytest.mark.parametrize("n_before", [0, 2])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("home_2", "home_2"),
        ("ann@example.com", ""),
        ("+4366012345678", ""),
        ("a4366012345678", ""),
        ("Ann Example", ""),
    ],
)
@pytest.mark.usefixtures("run")
def test_nothing_but_a_place_is_noted_as_a_place(
    client: Client, asking: dict[str, str], asked: str, expected: str, n_before: int
) -> None:
    for _ in range(1 + n_before):
        told = client.get("/v1/recommendations", {"placement": asked}, headers=asking).json()

    assert told["placement"] == asked
    assert {one.placement for one in ServedList.objects.all()} == {expected}


@pytest.mark.usefixtures("run")
def test_a_marketer_sees_what_was_offered_where(client: Client, asking: dict[str, str]) -> None:
    client.get("/v1/recommendations", {"placement": "home"}, headers=asking)
    client.force_login(make.staff(Staff.Role.MARKETER))

    page = client.get("/admin/recommendations/servedlist/").content.decode()

    assert "1.\xa0p1 · 2.\xa0p2 · 3.\xa0p3" in page
    assert "home" in page


def test_lists_are_kept_for_a_season() -> None:
    (rule,) = [one for one in registry.schedules() if one.name == "served_lists"]
    old = Offered(UUID(int=1), None, ["p1"])
    served_lists.note([old], placement="home", now=NOW - timedelta(days=91))
    served_lists.note([Offered(UUID(int=2), None, ["p1"])], placement="home", now=NOW)

    assert rule.days == 90
    assert rule.old is not None
    gone = rule.old(NOW - timedelta(days=rule.days))
    assert [one.pk for one in gone] == [old.recommendation_id]


@contextmanager
def somebody_writes() -> Iterator[None]:
    """Another connection is in the middle of a transaction that writes."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(name)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            return
    facts = connection.get_connection_params()
    where = {key: facts[key] for key in ("host", "port", "user")}
    with psycopg.connect(dbname=name, **where) as other:
        other.execute("UPDATE privacy_shop SET name = name")
        yield


@pytest.mark.django_db(transaction=True)
def test_a_page_does_not_wait_for_who_writes(caplog: pytest.LogCaptureFixture) -> None:
    make.shop()
    is_alone = connection.vendor == "sqlite"  # one writes at a time
    with somebody_writes():
        served_lists.note([Offered(UUID(int=1), None, ["p1"])], placement="home", now=NOW)

    assert ServedList.objects.exists() is not is_alone
    assert ("not noted" in caplog.text) is is_alone
    served_lists.note([Offered(UUID(int=2), None, ["p1"])], placement="home", now=NOW)
    assert ServedList.objects.filter(pk=UUID(int=2)).exists()
    if is_alone:
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)
