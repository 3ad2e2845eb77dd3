"""The service worker of web push in a real browser, on a shop's own site."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.foreign_shop import running_candor, running_shop

pytestmark = pytest.mark.django_db(transaction=True)
SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
    .map((one) => [one.title, one.body, one.lang, one.data.url])"""
CLICK = """async () => {
  const opened = [];
  self.clients.openWindow = async (url) => { opened.push(url); return null; };
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  const left = await self.registration.getNotifications();
  return [opened, left.length];
}"""


def test_a_push_is_shown_and_a_click_opens_where_it_leads(chromium: Browser) -> None:
    """What no message can be read from shows nothing; the window is the browser's to open."""
    told = {"title": "New TVs", "body": "Now in", "lang": "en", "url": "https://shop.test/c/x"}
    with running_candor() as candor, running_shop() as shop:
        worker = f'importScripts("{candor}/static/campaigns/push/1.0.0/worker.js");'
        shop.pages["/candor-push.js"] = ("text/javascript", worker)
        home = shop.show(
            "",
            '<p id="ready"></p>',
            'navigator.serviceWorker.register("/candor-push.js").then(() => navigator.serviceWorker'
            '.ready).then(() => { document.querySelector("#ready").textContent = "ready"; });',
        )
        context = chromium.new_context()
        context.grant_permissions(["notifications"], origin=shop.url)
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        numbers: list[str] = []
        protocol.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda told: numbers.extend(one["registrationId"] for one in told["registrations"]),
        )
        protocol.send("ServiceWorker.enable")
        page.goto(home)
        expect(page.locator("#ready")).to_have_text("ready")

        for data in ("no JSON", json.dumps({"body": "without a title"}), json.dumps(told)):
            protocol.send(
                "ServiceWorker.deliverPushMessage",
                {"origin": shop.url, "registrationId": numbers[0], "data": data},
            )
        page.wait_for_function(f"async () => (await ({SHOWN})()).length > 0")
        shown = page.evaluate(SHOWN)
        clicked = context.service_workers[0].evaluate(CLICK)
        context.close()

    assert shown == [["New TVs", "Now in", "en", "https://shop.test/c/x"]]
    assert clicked == [["https://shop.test/c/x"], 0]
