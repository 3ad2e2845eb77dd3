"""The one statement says what is said step by step, whoever asks and whatever was bought."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from privacy import doors
from privacy.models import ApiKey
from privacy.throttling import Limit
from profiles.events import visitors
from profiles.models import Customer, Event, Identity, OrderLine
from recommendations import offers, reading, serving
from recommendations.api import quick
from recommendations.api.views import AskSerializer
from recommendations.explaining import Reason
from recommendations.models import Offer, Product, Scenario, ServedList, TrainingRun
from recommendations.reading import Read
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

SHOP = [f"p{number}" for number in range(40)]
N_SHOPS = 6
FAR = date(2999, 1, 1)


def run(*, days_ago: int = 0, is_active: bool = True) -> TrainingRun:
    at = NOW - timedelta(days=days_ago)
    return TrainingRun.objects.create(
        engine="blend", as_of=at, n_customers=1, n_products=40, n_interactions=9, cpu_seconds=1,
        peak_rss_mb=1, is_active=is_active, verdict="beats_popular", created_at=at,
        finished_at=at, activated_at=at,
    )  # fmt: skip


def entries(dice: random.Random, n: int, reason: Reason, bases: int = 0) -> list[list[Any]]:
    return [
        [id_, float(f"{dice.uniform(0.01, 2):.6g}"), reason, dice.sample(SHOP, bases)]
        for id_ in dice.sample(SHOP, n)
    ]


def catalogue(dice: random.Random) -> None:
    for id_ in SHOP:
        told = {"zh-hans": {"title": f"商品 {id_}"}} if dice.random() < 0.5 else {}
        product = make.product(
            id_, translations=told, is_active=dice.random() < 0.8,
            is_consumable=dice.random() < 0.3, category=dice.choice("xyz"),
        )  # fmt: skip
        if dice.random() < 0.3:
            price = dice.choice([None, 4_900])
            Offer.objects.create(product=product, country="CH", currency="CHF", price_minor=price)


def lists_of_products(dice: random.Random) -> list[TrainingRun]:
    """The run at work and an older one; what is popular is said by a newer one still."""
    older, active = run(days_ago=3, is_active=False), run(days_ago=2)
    newest = run(days_ago=1, is_active=False)
    listed.product(older, "", entries(dice, 9, Reason.POPULAR))
    listed.product(newest, "", entries(dice, 15, Reason.POPULAR_NOW))
    for id_ in SHOP[:30]:
        listed.product(active, id_, entries(dice, 12, Reason.TOGETHER, 1))
    return [active, older]


def person(dice: random.Random, number: int, runs: list[TrainingRun]) -> Customer:
    """Somebody with or without a list, purchases, an identity; some may not be profiled."""
    kinds: list[dict[str, Any]] = [
        {"no_profiling": True}, {"restricted": True}, {"erased_at": NOW}, {"minor_until": FAR},
    ]  # fmt: skip
    made = make.customer(f"C-{number}", of=make.subject(**dice.choice([{}, {}, {}, *kinds])))
    for which in runs:
        if dice.random() < 0.7:
            listed.customer(which, made, entries(dice, 14, Reason.BOUGHT, dice.randrange(3)))
    if dice.random() < 0.6:
        bought = [(id_, "", 1, 1_999) for id_ in dice.sample(SHOP, 5)]
        order = make.order(made, *bought, status=dice.choice(["placed", "cancelled"]))
        given_back = OrderLine.objects.filter(order=order, product_id=bought[0][0])
        given_back.update(refunded_quantity=1)
    if dice.random() < 0.5:
        Identity.objects.create(anonymous_id=f"a{number}", customer=made, joined_at=NOW)
    return made


def visits(dice: random.Random, people: list[Customer]) -> None:
    for number in range(60):
        who = dice.choice([*people, None])
        at = NOW - timedelta(hours=dice.randrange(900))
        Event.objects.create(
            source=make.source(), kind="track", name="Product Viewed", message_id=f"m{number}",
            product_id=dice.choice([*SHOP, "", "gone"]), happened_at=at, received_at=at,
            customer=who, anonymous_id=dice.choice(["", "b1"]) if who else "b1",
        )  # fmt: skip


def in_steps(user_id: str, anonymous_id: str, beside: str, n: int, country: str) -> Read:
    """What is shown, by the way that other databases go."""
    visitor = visitors.find(user_id=user_id, anonymous_id=anonymous_id, now=NOW)
    served = serving.for_customer(
        visitor.customer_pk,
        n=n,
        language=translation.get_language(),
        recent_product_ids=(*filter(None, [beside]), *visitor.recent_product_ids),
    )
    items = offers.priced(served.items, country)
    made = reading.Run(served.run.pk, served.run.engine) if served.run else None
    return Read(items, served.fallback, made, "EUR", UUID(int=0))


def at_once(user_id: str, anonymous_id: str, beside: str, n: int, country: str) -> Read:
    found = reading.of_visitor(
        user_id=user_id, anonymous_id=anonymous_id, beside=beside, placement="home", n=n,
        language=translation.get_language(), country=country, now=NOW,
    )  # fmt: skip
    assert found is not None
    return found


def unscored(found: Read) -> Read:
    items = [replace(one, score=0) for one in found.items]
    return replace(found, items=items, recommendation_id=UUID(int=0))


@pytest.mark.parametrize("seed", range(N_SHOPS))
def test_a_list_read_at_once_is_the_list_made_in_steps(seed: int) -> None:
    dice = random.Random(seed)
    make.shop()
    catalogue(dice)
    runs = lists_of_products(dice)
    people = [person(dice, number, runs) for number in range(12)]
    visits(dice, people[:6])
    users = [*(one.external_id for one in people), "unknown", ""]
    n_moved = 0
    for language in ("en", "zh-hans"):
        with translation.override(language):
            for user in users:
                asked = (
                    user,
                    dice.choice(["", "b1", "a1", "a2", "nobody"]),
                    dice.choice(["", "", "p3", "p7", "p39", "gone"]),
                    dice.choice([1, 4, 10, 30]),
                    dice.choice(["", "CH", "FR"]),
                )
                expected, found = in_steps(*asked), at_once(*asked)
                assert unscored(found) == unscored(expected), asked
                # Scores are kept in four bytes and summed in eight, each way in another order.
                scores = [one.score for one in expected.items]
                assert [one.score for one in found.items] == pytest.approx(scores, rel=1e-5)
                n_moved += any(one.reason_code == Reason.LOOKED for one in expected.items)
    assert n_moved > 3  # or nothing was summed


def test_without_a_run_and_a_shop_nothing_is_shown() -> None:
    found = at_once("C-1", "", "", 5, "")

    assert (found.items, found.fallback, found.run, found.currency) == ([], True, None, "")


def test_a_placement_with_rules_is_not_answered_at_once() -> None:
    make.shop()
    run()
    home = Scenario.objects.create(placement="home", name="Home")
    facts: dict[str, Any] = {
        "user_id": "", "anonymous_id": "a", "beside": "", "n": 5, "language": "en", "country": "",
        "now": NOW,
    }  # fmt: skip

    assert reading.of_visitor(placement="home", **facts) is None
    assert reading.of_visitor(placement="cart", **facts) is not None
    Scenario.objects.filter(pk=home.pk).update(is_active=False)
    assert reading.of_visitor(placement="home", **facts) is not None


def test_whoever_objects_gets_no_list_of_the_own_from_the_next_request_on(client: Client) -> None:
    make.shop()
    active, person = run(), make.customer("C-1")
    make.product("p1")
    make.product("p2")
    listed.customer(active, person, [["p1", 1.0, Reason.BOUGHT, []]])
    listed.product(active, "", [["p2", 1.0, Reason.POPULAR, []]])
    key = make.secret_key()

    def first() -> str:
        headers = {"Authorization": f"Bearer {key}"}
        told = client.get("/v1/recommendations", {"userId": "C-1"}, headers=headers).json()
        return str(told["items"][0]["productId"])

    assert first() == "p1"
    type(person.subject).objects.filter(pk=person.subject.pk).update(no_profiling=True)
    assert first() == "p2"
    Product.objects.filter(product_id="p2").update(is_active=False)
    type(person.subject).objects.filter(pk=person.subject.pk).update(no_profiling=False)
    assert first() == "p1"


def warm(client: Client, **headers: str) -> None:
    """Have the key read: its first use is noted, so that the second reads it anew."""
    for _ in range(2):
        client.get("/v1/recommendations", {"anonymousId": "warm"}, headers=headers)


def test_a_page_is_answered_by_one_query(client: Client) -> None:
    make.shop()
    run()
    make.customer("C-1")
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    warm(client, **headers)

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/v1/recommendations", {"userId": "C-1", "n": "5"}, headers=headers)

    assert answer.status_code == 200
    # Whether the key still opens, the list, and that it was served.
    assert len(queries) == 1, [one["sql"] for one in queries]


def test_what_was_changed_of_a_key_holds_for_the_next_request(client: Client) -> None:
    make.shop()
    make.product("p1")
    listed.product(run(), "", [["p1", 1.0, Reason.POPULAR, []]])
    plaintext = make.secret_key()
    headers = {"Authorization": f"Bearer {plaintext}"}
    key = ApiKey.objects.get(digest=doors.digest(plaintext))
    warm(client, **headers)
    served = ServedList.objects.count()

    def status() -> int:
        return client.get("/v1/recommendations", headers=headers).status_code

    assert status() == 200
    ApiKey.objects.filter(pk=key.pk).update(scopes=["orders:read"])
    assert status() == 403
    ApiKey.objects.filter(pk=key.pk).update(scopes=["recommendations:read"])
    assert status() == 200
    doors.revoke(key, now=timezone.now())
    assert status() == 401
    assert ServedList.objects.count() == served + 2


def test_a_caller_over_the_limit_is_told_so_by_the_quick_way(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.shop()
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    warm(client, **headers)
    few = Limit("key", 2, 60)
    monkeypatch.setitem(doors.LIMITS, ApiKey.Kind.SECRET, (few, few))

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/v1/recommendations", headers=headers)

    assert (answer.status_code, len(queries)) == (429, 0)
    assert int(answer["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_a_list_that_is_noted_leaves_the_connection_as_it_was(client: Client) -> None:
    make.shop()
    make.product("p1")
    listed.product(run(), "", [["p1", 1.0, Reason.POPULAR, []]])
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    warm(client, **headers)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")  # the tests' server has it off

        assert client.get("/v1/recommendations", headers=headers).status_code == 200

        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
        cursor.execute("RESET synchronous_commit")
    assert ServedList.objects.count() == 3


@pytest.mark.parametrize("placement", ["home", "plain"])
def test_a_request_is_counted_once_whichever_ways_it_takes(client: Client, placement: str) -> None:
    make.shop()
    Scenario.objects.create(placement="home", name="Home")
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    warm(client, **headers)

    def left() -> int:
        answer = client.get("/v1/recommendations", {"placement": placement}, headers=headers)
        return int(re.search(r"r=(\d+)", answer["RateLimit"])[1])  # type: ignore[index]

    assert left() - left() == 1


def test_a_key_that_was_revoked_is_told_like_one_that_never_was(client: Client) -> None:
    make.shop()
    plaintext = make.secret_key()
    warm(client, Authorization=f"Bearer {plaintext}")
    doors.revoke(ApiKey.objects.get(digest=doors.digest(plaintext)), now=timezone.now())

    def told(key: str) -> tuple[int, set[str]]:
        answer = client.get("/v1/recommendations", headers={"Authorization": f"Bearer {key}"})
        return answer.status_code, set(answer.headers)

    assert told(plaintext) == told("sk_live_" + "x" * 43)
    assert told(plaintext)[0] == 401


def test_a_page_of_a_known_origin_is_answered_by_one_query(client: Client) -> None:
    make.shop()
    key = make.write_key(origins=["https://shop.example"])
    headers = {"Authorization": f"Bearer {key}", "Origin": "https://shop.example"}
    warm(client, **headers)

    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/v1/recommendations", {"anonymousId": "a"}, headers=headers)

    assert (answer.status_code, len(queries)) == (200, 1)
    assert answer["Access-Control-Allow-Origin"] == "https://shop.example"


@pytest.mark.parametrize(
    "asked", [{"n": "0"}, {"n": "51"}, {"country": "ch"}, {"language": "xx"}, {"userId": "x" * 101}]
)
def test_what_has_not_the_form_is_refused_as_ever(client: Client, asked: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    answer = client.get("/v1/recommendations", asked, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(asked))}"


def test_the_quick_way_takes_ids_of_the_length_that_the_view_does() -> None:
    fields = AskSerializer().fields

    assert {name: vars(fields[name])["max_length"] for name in quick.LONGEST} == quick.LONGEST


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/json", 200), ("application/json, */*;q=0.1", 200), ("text/html", 406)],
)
def test_who_takes_no_json_gets_none(client: Client, accept: str, status: int) -> None:
    make.shop()
    headers = {"Authorization": f"Bearer {make.secret_key()}", "Accept": accept}

    assert client.get("/v1/recommendations", headers=headers).status_code == status


@pytest.mark.parametrize("key", ["secret", "browser", "test", "narrow", "unknown", "none"])
@pytest.mark.parametrize("origin", ["", "https://shop.example", "https://other.example"])
def test_a_quick_answer_has_the_status_the_words_and_the_headers_of_a_slow_one(
    client: Client, key: str, origin: str
) -> None:
    make.shop()
    active, who = run(), make.customer("C-1")
    make.product("p1")
    listed.customer(active, who, [["p1", 1.0, Reason.BOUGHT, []]])
    keys: dict[str, Callable[[], str]] = {
        "secret": make.secret_key,
        "browser": lambda: make.write_key(origins=["https://shop.example"]),
        "test": lambda: make.write_key(is_test=True),
        "narrow": lambda: make.secret_key(["orders:read"]),
        "unknown": lambda: "sk_live_" + "x" * 43,
        "none": str,
    }
    headers = {"Accept-Language": "zh-Hans"} | ({"Origin": origin} if origin else {})
    if plaintext := keys[key]():
        headers["Authorization"] = f"Bearer {plaintext}"

    def told(**asked: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        answer = client.get("/v1/recommendations", asked, headers=headers)
        body = answer.json()
        for name in ("recommendationId", "request_id", "instance"):
            body.pop(name, None)
        # Of each request, and what REST framework says of its own.
        without = {"X-Request-ID", "RateLimit", "Content-Length", "Allow"}
        kept = {name: value for name, value in answer.items() if name not in without}
        kept["Vary"] = kept["Vary"].removeprefix("Accept, ")
        return answer.status_code, body, kept

    warm(client, **headers)
    for asked in ({"userId": "C-1", "n": "1"}, {"anonymousId": "a"}, {}):
        # What it does not know, the quick way leaves to the view.
        assert told(**asked) == told(**asked, unknown="1")
