"""Segment's `analytics-next`, unchanged, in a browser on the pages of a shop."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from profiles.events import merging, staging
from profiles.models import Customer, Event
from tests import make
from tests.clients import npm
from tests.journeys.foreign_shop import running_candor, running_shop

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = npm.HERE / "node_modules/@segment/analytics-next/dist/umd"
SCRIPT = """
    window.told = AnalyticsNext.AnalyticsBrowser
        .load({{ writeKey: "{key}", cdnURL: "{candor}" }})
        .then(async ([analytics]) => {{
            await analytics.page("Home");
            await analytics.identify("C-1", {{ email: "ann@shop.example" }});
            await analytics.track("Product Viewed", {{ product_id: "tv", price: 9.5 }});
            return analytics.user().anonymousId();
        }});
"""


def test_what_it_sends_of_a_visit_is_stored(
    chromium: Browser, settings: Settings, faults: list[str]
) -> None:
    npm.ready()
    make.shop()
    with running_candor() as candor, running_shop() as shop:
        settings.PUBLIC_URL = candor
        for file in CLIENT.glob("*.js"):
            shop.pages[f"/{file.name}"] = ("text/javascript", file.read_text(encoding="utf-8"))
        key = make.write_key(origins=[shop.url])
        context = chromium.new_context()
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        script = SCRIPT.format(key=key, candor=candor)
        page.goto(shop.show('<script src="/index.js" defer></script>', script=script))
        visitor = page.evaluate("window.told")
        until = time.monotonic() + 10
        while len(list(staging.newest(9))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        context.close()

    merging.merge(timezone.now())
    assert sorted(Event.objects.values_list("kind", flat=True)) == ["identify", "page", "track"]
    ann = Customer.objects.get(email="ann@shop.example")
    assert set(Event.objects.values_list("customer", flat=True)) == {ann.pk}
    assert set(Event.objects.values_list("anonymous_id", flat=True)) == {visitor}
    viewed = Event.objects.get(kind="track")
    assert (viewed.name, viewed.product_id) == ("Product Viewed", "tv")
    assert viewed.context["library"]["name"] == "analytics.js"
    assert not viewed.is_confirmed
