"""`/v1/recommendations`: a full strip, and nobody reads another person's."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from profiles.models import Event, Identity
from recommendations.models import CustomerListing, Offer, Product, Scenario, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shelf")]


@pytest.fixture
def shelf() -> TrainingRun:
    """Five products: popular p1 p2, bought with p3: p4, listed for customer C-1: p5."""
    for n in range(1, 6):
        make.product(f"p{n}")
    run = TrainingRun.objects.create(
        engine="item_based",
        as_of=NOW,
        n_customers=1,
        n_products=5,
        n_interactions=9,
        cpu_seconds=1,
        peak_rss_mb=1,
        is_active=True,
        verdict="activated",
        created_at=NOW,
        finished_at=NOW,
        activated_at=NOW,
    )
    popular = [["p1", 2.0, "popular", []], ["p2", 1.0, "popular", []]]
    listed.product(run, "", popular)
    listed.product(run, "p3", [["p4", 5.0, "because_you_bought", ["p3"]]])
    own = [["p5", 9.0, "because_you_bought", ["p3"]]]
    listed.customer(run, make.customer("C-1"), own)
    return run


def ask(client: Client, key: str, method: str = "GET", **params: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    if method == "GET":
        answer = client.get("/v1/recommendations", params, headers=headers)
    else:
        answer = client.post(
            "/v1/recommendations", json.dumps(params), "application/json", headers=headers
        )
    return answer.status_code, answer.json()


def shown(answer: tuple[int, dict[str, Any]]) -> list[str]:
    assert answer[0] == 200
    return [item["productId"] for item in answer[1]["items"]]


def vouched(user_id: str, *, hours: float = 1, secret: str = "") -> dict[str, Any]:
    expires = int((timezone.now() + timedelta(hours=hours)).timestamp())
    secret = secret or doors.identity_secret(make.source())
    said = hmac.new(bytes.fromhex(secret), f"{user_id}.{expires}".encode(), hashlib.sha256)
    return {"userId": user_id, "userHash": said.hexdigest(), "userHashExpires": expires}


def test_the_answer_says_what_is_shown_and_why(client: Client, shelf: TrainingRun) -> None:
    status, told = ask(client, make.secret_key(), userId="C-1", n=3, placement="home")

    assert status == 200
    assert (told["placement"], told["fallback"]) == ("home", True)
    assert told["model"] == {"name": "item_based", "version": str(shelf.pk)}
    first, *rest = told["items"]
    assert (first["productId"], first["position"], first["score"]) == ("p5", 1, 9.0)
    assert (first["reason"]["code"], first["reason"]["basedOn"]) == ("because_you_bought", ["p3"])
    assert first["reason"]["text"]
    assert first["product"]["title"] == "Product p5"
    assert (first["product"]["price"], first["product"]["currency"]) == ("19.99", "EUR")
    assert [item["productId"] for item in rest] == ["p1", "p2"]


def test_asking_by_body_gives_the_same_as_asking_by_address(client: Client) -> None:
    key = make.secret_key()

    assert shown(ask(client, key, "POST", userId="C-1")) == shown(ask(client, key, userId="C-1"))


def test_a_browser_key_reads_for_a_customer_only_with_the_shops_word(client: Client) -> None:
    key = make.write_key()
    stranger = vouched("C-1") | {"userId": "C-2"}

    assert ask(client, key, userId="C-1")[1]["code"] == "invalid_user_hash"
    assert ask(client, key, **stranger)[1]["code"] == "invalid_user_hash"
    assert ask(client, key, **vouched("C-1", hours=-1))[1]["code"] == "invalid_user_hash"
    assert ask(client, key, **vouched("C-1", hours=25))[1]["code"] == "invalid_user_hash"
    assert ask(client, key)[1]["code"] == "visitor_needed"
    assert shown(ask(client, key, **vouched("C-1")))[0] == "p5"


def test_the_identity_secret_before_the_last_rotation_still_vouches_and_no_older_one(
    client: Client,
) -> None:
    key, source, now = make.write_key(), make.source(), timezone.now()
    oldest = doors.identity_secret(source)
    newer = doors.rotate_identity_secret(source, actor="staff:1", now=now - timedelta(days=8))
    assert ask(client, key, **vouched("C-1", secret=oldest))[0] == 403  # its week is over

    newest = doors.rotate_identity_secret(source, actor="staff:1", now=now)

    assert ask(client, key, **vouched("C-1", secret=oldest))[0] == 403
    assert ask(client, key, **vouched("C-1", secret=newer))[0] == 200
    assert ask(client, key, **vouched("C-1", secret=newest))[0] == 200
    doors.end_old_identity_secret(source, actor="staff:1", now=timezone.now())
    assert ask(client, key, **vouched("C-1", secret=newer))[0] == 403
    assert ask(client, key, **vouched("C-1", secret=newest))[0] == 200


def test_what_a_visitor_looked_at_shapes_the_strip_at_once(client: Client) -> None:
    key = make.write_key()
    assert shown(ask(client, key, anonymousId="v-1"))[0] == "p1"
    now = timezone.now()
    Event.objects.create(
        source=make.source(),
        message_id="m",
        kind="track",
        name="Product Viewed",
        anonymous_id="v-1",
        product_id="p3",
        happened_at=now,
        received_at=now,
    )

    assert shown(ask(client, key, anonymousId="v-1"))[0] == "p4"
    assert shown(ask(client, key, anonymousId="v-2", productId="p3"))[0] == "p4"


def test_an_anonymous_id_that_was_joined_reads_its_customers_list(client: Client) -> None:
    customer = CustomerListing.objects.get().customer
    Identity.objects.create(anonymous_id="v-1", customer=customer, joined_at=NOW)

    assert shown(ask(client, make.write_key(), anonymousId="v-1"))[0] == "p5"


def test_an_unknown_user_gets_what_is_popular_and_is_told_so(client: Client) -> None:
    answer = ask(client, make.secret_key(), userId="nobody")

    assert shown(answer)[:2] == ["p1", "p2"]
    assert answer[1]["fallback"] is True


def test_products_that_go_with_one_are_listed(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.write_key()}"}

    answer = client.get("/v1/products/p3/similar", {"n": 1}, headers=headers)

    assert [item["productId"] for item in answer.json()["items"]] == ["p4"]
    assert answer["Cache-Control"] == "private, max-age=30"


def test_reasons_are_told_in_the_language_asked_for(client: Client) -> None:
    key = make.secret_key()
    english = ask(client, key, userId="C-1", language="en")[1]["items"][0]["reason"]["text"]
    chinese = ask(client, key, userId="C-1", language="zh-hans")[1]["items"][0]["reason"]["text"]

    assert english != chinese
    assert ask(client, key, userId="C-1", language="tlh")[0] == 400


def test_a_page_of_a_listed_origin_may_ask(client: Client) -> None:
    key = make.write_key(origins=["https://shop.example"])
    origin = {"Origin": "https://shop.example"}

    preflight = client.options("/v1/recommendations", headers=origin)
    answer = client.get(
        "/v1/recommendations",
        {"anonymousId": "v"},
        headers=origin | {"Authorization": f"Bearer {key}"},
    )

    assert (preflight.status_code, answer.status_code) == (204, 200)
    assert preflight["Access-Control-Allow-Origin"] == answer["Access-Control-Allow-Origin"]


def test_a_placement_of_the_shop_keeps_to_its_rules_and_says_what_fills_it() -> None:
    key = make.secret_key()
    Scenario.objects.create(
        placement="home", name="Home", kind="for_you", never_shown=["p1"], pinned=["p4"]
    )

    status, body = ask(Client(), key, placement="home", userId="C-1", n=3)

    assert status == 200
    assert [item["productId"] for item in body["items"]] == ["p4", "p5", "p2"]
    assert body["items"][0]["reason"]["code"] == "picked"
    assert (body["placement"], body["fallback"]) == ("home", True)
    assert body["filledWith"] == ["popular"]


def test_a_placement_that_is_not_active_is_served_as_any_other() -> None:
    key = make.secret_key()
    Scenario.objects.create(placement="home", name="Home", pinned=["p4"], is_active=False)

    _, body = ask(Client(), key, placement="home", userId="C-1", n=1)

    assert [item["productId"] for item in body["items"]] == ["p5"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_cart_may_be_told_in_the_question(method: str) -> None:
    key = make.secret_key()
    Scenario.objects.create(placement="cart", name="Cart", kind="cart", fills_up=False)

    _, body = ask(Client(), key, method, placement="cart", userId="C-1", productIds="p3, p1")

    assert [item["productId"] for item in body["items"]] == ["p4"]


def test_bought_together_leaves_out_the_product_and_what_the_placement_forbids() -> None:
    key = make.secret_key()
    page = "/v1/products/p3/bought-together"
    headers = {"Authorization": f"Bearer {key}"}

    free = Client().get(page, {"n": 2}, headers=headers).json()
    Scenario.objects.create(
        placement="bought-together", name="T", kind="bought_together", never_shown=["p4"]
    )
    ruled = Client().get(page, {"n": 2}, headers=headers).json()

    assert [item["productId"] for item in free["items"]] == ["p4", "p1"]
    assert [item["productId"] for item in ruled["items"]] == ["p1", "p2"]


def test_a_batch_gives_each_customer_a_list_and_strangers_what_is_popular(client: Client) -> None:
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    asked = json.dumps({"userIds": ["C-1", "nobody", "C-1"], "n": 2})

    answer = client.post(
        "/v1/recommendations/batch", asked, "application/json", headers=headers
    ).json()

    mine, strangers = answer["data"]
    assert [mine["userId"], strangers["userId"]] == ["C-1", "nobody"]
    assert [item["productId"] for item in mine["items"]] == ["p5", "p1"]
    assert [item["productId"] for item in strangers["items"]] == ["p1", "p2"]
    assert (mine["fallback"], strangers["filledWith"]) == (True, ["popular"])
    assert mine["recommendationId"] != strangers["recommendationId"]


def test_a_batch_of_a_placement_follows_its_rules(client: Client) -> None:
    when = {"combinator": "and", "rules": [{"field": "product", "operator": "=", "value": "p1"}]}
    Scenario.objects.create(
        placement="mail", name="Mail", kind="email", rules=[{"effect": "drop", "when": when}]
    )
    asked = json.dumps({"userIds": ["C-1", "nobody"], "n": 2, "placement": "mail"})
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    answer = client.post("/v1/recommendations/batch", asked, "application/json", headers=headers)

    shown = [[item["productId"] for item in one["items"]] for one in answer.json()["data"]]
    assert [len(ids) for ids in shown] == [2, 2]
    assert "p1" not in {id_ for ids in shown for id_ in ids}


def test_a_batch_is_for_secret_keys_and_at_most_a_hundred(client: Client) -> None:
    def status(key: str, n: int) -> int:
        asked = json.dumps({"userIds": [f"c{number}" for number in range(n)]})
        headers = {"Authorization": f"Bearer {key}"}
        page = "/v1/recommendations/batch"
        return client.post(page, asked, "application/json", headers=headers).status_code

    assert status(make.write_key(), 1) == 403
    assert status(make.secret_key(), 101) == 400
    assert status(make.secret_key(), 0) == 400


def test_prices_stock_and_links_are_those_of_the_country_where_the_shop_told_any(
    client: Client,
) -> None:
    make.shop(currency="EUR")
    p1, p2 = (Product.objects.get(product_id=id_) for id_ in ("p1", "p2"))
    Product.objects.update(link="https://shop.example/own")
    here = {"country": "JP", "currency": "JPY"}
    Offer.objects.create(
        product=p1, price_minor=9_800, link="https://shop.example/jp", stock=4, **here
    )
    Offer.objects.create(product=p2, availability="out_of_stock", **here)
    Scenario.objects.create(placement="top", name="Top", kind="trending", diversity=0)
    key = make.secret_key()

    _status, free = ask(client, key, country="JP")
    _status, ruled = ask(client, key, placement="top", country="JP")
    _status, elsewhere = ask(client, key, placement="top", country="DE")
    status, _body = ask(client, key, country="Japan")

    shown = {item["productId"]: item["product"] for item in free["items"]}
    told = [shown["p1"][name] for name in ("price", "currency", "link")]
    assert told == ["9800", "JPY", "https://shop.example/jp"]
    assert (shown["p2"]["currency"], shown["p2"]["link"]) == ("EUR", "https://shop.example/own")
    assert shown["p2"]["price"] == "19.99"
    ids = [item["productId"] for item in ruled["items"]]
    assert "p1" in ids
    assert "p2" not in ids
    assert "p2" in [item["productId"] for item in elsewhere["items"]]
    assert status == 400
