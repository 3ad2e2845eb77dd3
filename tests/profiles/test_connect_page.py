"""Connect your shop: keys with no more than they need, and a light that tells what arrived."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from privacy.models import ApiKey, Source, Staff
from profiles.events import connecting
from profiles.events.connecting import State
from tests import make
from tests.profiles.calls import merge, post, track

pytestmark = pytest.mark.django_db
PAGE = "/admin/connect/"


@pytest.fixture
def admin(client: Client) -> Client:
    make.shop()
    client.force_login(make.staff())
    return client


def state(since_hours_ago: float | None = None, source: Source | None = None) -> State:
    now = timezone.now()
    since = None if since_hours_ago is None else now - timedelta(hours=since_hours_ago)
    return connecting.light(source or make.source(), since=since, now=now).state


def test_without_a_source_the_page_says_what_to_do_first(admin: Client) -> None:
    assert "/admin/privacy/source/add/" in admin.get(PAGE).content.decode()


def test_before_there_are_keys_the_samples_say_where_they_go(admin: Client) -> None:
    make.source()
    page = admin.get(PAGE).content.decode()

    assert "YOUR_BROWSER_KEY" in page
    assert "YOUR_SECRET_KEY" in page
    assert ApiKey.objects.count() == 0


def test_keys_are_made_for_what_the_source_is_and_stand_in_the_samples_once(admin: Client) -> None:
    source = make.source()
    chosen = {"source": source.pk, "is_test": "live", "origins": "https://shop.example"}
    page = admin.post(PAGE, chosen).content.decode()

    browser, server = ApiKey.objects.order_by("-kind")
    assert (browser.kind, browser.origins) == ("wk", ["https://shop.example"])
    assert (server.kind, server.scopes, server.is_test) == ("sk", ["events:write"], False)
    for found in re.findall(r"(?:wk|sk)_live_[\w-]{43}", page):
        assert doors.find(found, now=timezone.now()) in {browser, server}
    again = admin.get(PAGE).content.decode()
    assert not re.search(r"(?:wk|sk)_live_[\w-]{43}", again)


@pytest.mark.parametrize(("kind", "kinds"), [("app", ["ak", "sk"]), ("server", ["sk"])])
def test_only_a_website_gets_the_snippet(admin: Client, kind: str, kinds: list[str]) -> None:
    source = make.source("Other", kind=kind)
    page = admin.post(PAGE, {"source": source.pk, "is_test": "test"}).content.decode()

    assert sorted(ApiKey.objects.values_list("kind", flat=True)) == kinds
    assert 'data-sample="snippet"' not in page
    assert 'data-sample="php"' in page


def test_an_origin_that_is_not_exact_is_refused_and_no_key_is_made(admin: Client) -> None:
    chosen = {"source": make.source().pk, "is_test": "test", "origins": "https://*.example"}
    page = admin.post(PAGE, chosen).content.decode()

    assert "Write each origin as" in page
    assert "https://*.example" in page  # what was typed is still there
    assert ApiKey.objects.count() == 0


@pytest.mark.parametrize("role", [Staff.Role.VIEWER, Staff.Role.MARKETER, Staff.Role.SUPPORT])
def test_who_may_not_make_keys_reads_the_page_alone(client: Client, role: str) -> None:
    make.shop()
    source = make.source()
    client.force_login(make.staff(role))

    assert "Only an administrator makes keys." in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"source": source.pk, "is_test": "test"}).status_code == 403
    assert ApiKey.objects.count() == 0


def test_who_signed_in_long_ago_shows_again_who_they_are(admin: Client) -> None:
    source = make.source()
    session = admin.session
    now = timezone.now().timestamp()
    session.update({"signed_in_at": now, "seen_at": now, "confirmed_at": now - 3_600})
    session.save()

    answer = admin.post(PAGE, {"source": source.pk, "is_test": "test"})
    assert answer.status_code == 302
    assert "confirm" in answer["Location"]
    assert ApiKey.objects.count() == 0


def test_the_light_goes_from_waiting_to_on(client: Client) -> None:
    assert state() == state(1) == State.WAITING
    post(client, track(""))
    assert state() == State.REJECTED
    post(client, track())
    assert state() == State.ON
    merge()
    assert state() == State.ON
    assert state(source=make.source("App")) == State.WAITING


def test_an_event_of_a_test_key_turns_it_on(client: Client) -> None:
    post(client, track(), key=make.write_key(is_test=True))
    assert state(1) == State.ON


def test_events_of_before_the_keys_do_not_turn_it_on(client: Client) -> None:
    post(client, track())
    assert state(-1) == State.WAITING


def test_a_page_of_another_origin_is_told_from_silence(client: Client) -> None:
    key = make.write_key(origins=["https://shop.example"])
    assert state(1) == State.WAITING
    headers = {"Origin": "https://www.shop.example", "Authorization": f"Bearer {key}"}
    refused = client.post(
        "/v1/batch", {"batch": [track()]}, content_type="application/json", headers=headers
    )
    assert refused.status_code == 403
    assert state(1) == State.REFUSED


def test_the_light_is_asked_for_until_it_is_on(admin: Client) -> None:
    address = f"/admin/connect/{make.source().pk}/light/"
    waiting = admin.get(address, {"since": "1"}).content.decode()
    assert f'hx-get="{address}?since=1"' in waiting
    post(admin, track("Looked"))
    on = admin.get(address, {"since": "junk"}).content.decode()
    assert "Looked came in at" in on
    assert "hx-get" not in on
    assert admin.get("/admin/connect/999999/light/").status_code == 404
