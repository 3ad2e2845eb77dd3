"""The first start: only whoever holds the one-time link may claim an empty shop."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from config import first_run
from privacy.admin.shop import ShopForm
from privacy.models import Shop, Staff

pytestmark = pytest.mark.django_db
FACTS = {
    "name": "Lumen & Co",
    "language": "en",
    "currency": "GBP",
    "time_zone": "Europe/London",
    "tax_rate": "20",
    "margin_rate": "27.5",
    "sender_name": "Lumen",
    "sender_email": "hello@example.com",
    "privacy_law": "gdpr",
    "legal_footer": "",
    "username": "owner",
    "password": "correct-horse-9",
}


def token() -> str:
    return first_run.link("http://127.0.0.1:8000/").split("token=")[1]


def test_without_the_link_nobody_gets_in(client: Client) -> None:
    assert client.get("/setup/").status_code == 403
    assert client.get("/setup/?token=guess").status_code == 403
    assert client.post("/setup/", {**FACTS, "token": "guess"}).status_code == 403
    assert not Staff.objects.exists()


def test_the_page_asks_for_every_fact_it_needs(client: Client) -> None:
    page = client.get(f"/setup/?token={token()}").content.decode()

    assert ShopForm.base_fields.keys() <= FACTS.keys()
    assert [name for name in FACTS if f'name="{name}"' not in page] == []


def test_the_link_makes_the_shop_and_its_administrator(client: Client) -> None:
    answer = client.post("/setup/", {**FACTS, "token": token()})

    assert answer.status_code == 302
    shop = Shop.objects.get()
    assert (shop.name, shop.currency, float(shop.tax_rate)) == ("Lumen & Co", "GBP", 0.2)
    assert float(shop.margin_rate) == 0.275
    owner = Staff.objects.get()
    assert owner.role == Staff.Role.ADMINISTRATOR
    assert owner.check_password("correct-horse-9")
    assert client.get("/admin/").status_code == 200


def test_the_link_works_once(client: Client) -> None:
    used = token()
    client.post("/setup/", {**FACTS, "token": used})
    other = Client()

    assert other.post("/setup/", {**FACTS, "username": "second", "token": used}).status_code == 403
    assert Staff.objects.count() == 1


def test_a_weak_password_is_refused_and_what_was_typed_is_kept(client: Client) -> None:
    answer = client.post("/setup/", {**FACTS, "password": "12345678", "token": token()})

    assert answer.status_code == 200
    assert b"Lumen &amp; Co" in answer.content
    assert not Staff.objects.exists()


def test_the_link_leads_to_where_the_server_listens_or_to_the_address_given(
    settings: Settings,
) -> None:
    assert first_run.link("http://127.0.0.1:8010/").startswith(
        "http://127.0.0.1:8010/setup/?token="
    )

    settings.PUBLIC_URL = "https://shop.example.com"

    link = first_run.link("http://127.0.0.1:8010/")
    assert link.startswith("https://shop.example.com/setup/?token=")
