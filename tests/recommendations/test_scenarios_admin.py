"""Placements in the admin: typed as people write, looked at before they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from privacy.models import Staff
from recommendations.models import Scenario
from tests import make

pytestmark = pytest.mark.django_db
LIST = "/admin/recommendations/scenario/"


@pytest.fixture
def browser() -> Client:
    make.shop(currency="EUR")
    for id_ in ("tv", "hifi", "radio"):
        make.product(id_, f"Title {id_}", price_minor=50_000)
    client = Client()
    client.force_login(make.staff(Staff.Role.ADMINISTRATOR))
    return client


def rules(**more: Any) -> dict[str, Any]:
    given = {"placement": "home", "name": "Home", "kind": "new", "is_active": "on"}
    return {**given, "diversity": "0.2", "fills_up": "on", **more}


def test_a_placement_is_saved_with_its_lists_and_amounts(browser: Client) -> None:
    typed = rules(never_shown=" tv \n\ntv\nhifi", pinned="radio", price_to_minor="499.90")

    answer = browser.post(f"{LIST}add/", typed)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Scenario.objects.get()
    assert (made.never_shown, made.pinned) == (["tv", "hifi"], ["radio"])
    assert (made.price_from_minor, made.price_to_minor) == (None, 49_990)
    page = browser.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "tv\nhifi" in page
    assert "499.90" in page


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"never_shown": "tv\nno-such"}, "never_shown"),
        ({"pinned": "\n".join(f"p{n}" for n in range(501))}, "pinned"),
        ({"diversity": "1.1"}, "diversity"),
        ({"placement": "home page"}, "placement"),
        ({"price_from_minor": "2", "price_to_minor": "1"}, "__all__"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    browser: Client, typed: dict[str, str], field: str
) -> None:
    answer = browser.post(f"{LIST}add/", rules(**typed))

    assert answer.context["adminform"].form.errors.keys() == {field}
    assert not Scenario.objects.exists()


def test_a_preview_shows_what_the_rules_would_show_and_saves_nothing(browser: Client) -> None:
    there = Scenario.objects.create(placement="home", name="Home", kind="new")

    answer = browser.post(f"{LIST}preview/", rules(never_shown="tv", pinned="radio"))

    shown = [item.product_id for item in answer.context["placed"].items]
    assert shown == ["radio", "hifi"]
    assert answer.context["left_out"] == [("Title tv", "tv", "On the list of what is never shown")]
    assert "Picked by the shop" in answer.content.decode()
    there.refresh_from_db()
    assert (there.never_shown, there.pinned) == ([], [])


def test_a_preview_for_a_customer_leaves_out_what_is_owned(browser: Client) -> None:
    make.order(make.customer("C-1"), ("tv", "", 1, 100), days_ago=2)

    owner = browser.post(f"{LIST}preview/", rules(seen_by="C-1", hides_owned="on"))
    stranger = browser.post(f"{LIST}preview/", rules(seen_by="C-2", hides_owned="on"))

    assert "tv" not in [item.product_id for item in owner.context["placed"].items]
    assert "tv" in [item.product_id for item in stranger.context["placed"].items]
    assert "what a stranger would see" in stranger.content.decode()


def test_a_preview_of_wrong_rules_names_the_field(browser: Client) -> None:
    answer = browser.post(f"{LIST}preview/", rules(pinned="no-such"))

    assert "The catalogue has no product no-such." in answer.content.decode()


def test_who_may_only_look_gets_no_preview() -> None:
    client = Client()
    client.force_login(make.staff(Staff.Role.VIEWER))

    assert client.post(f"{LIST}preview/", rules()).status_code == 403
