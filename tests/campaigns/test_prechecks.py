"""Checks before a campaign goes out: what bars it, what is advice, whether its links answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from campaigns import link_check, prechecks
from campaigns.models import Campaign, Card, CheckedLink, SmsText, Template
from campaigns.models.checked_link import digest_of
from campaigns.rendering import inspecting
from jobs import running
from jobs.models import Job
from privacy.outbound import Guard
from tests import make
from tests.campaigns.test_sms import campaign as sms_campaign
from tests.make import NOW

pytestmark = pytest.mark.django_db
STOP = '<a href="{{ unsubscribe_url }}">Stop</a>'


def written(body: str, *, subject: str = "News", locales: tuple[str, ...] = ("en",)) -> Campaign:
    return make.written_campaign(
        body=f"<body>{body}{STOP}</body>", subject=subject, locales=locales, approved=False
    )


def card_campaign(channel: str, **columns: Any) -> Campaign:
    made = make.written_campaign(
        channel, approved=False, channel=channel, purpose=f"campaign.{channel}", **columns
    )
    url = f"https://shop.test/{channel}"
    Card.objects.create(variant=made.variants.get(), locale="en", title="New", text="x", url=url)
    return made


def codes(campaign: Campaign) -> set[tuple[str, bool]]:
    return {(one.code, one.bars) for one in prechecks.findings(campaign, NOW)}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('<img src="https://shop.test/a.png" alt=" ">', "no_alt"),
        ("<p>Click here, risk-free!</p>", "spam_words"),
        ("<p>恭喜中奖，点击领取</p>", "spam_words"),
        (f"<p>{'words ' * 20_000}</p>", "too_large"),
    ],
)
def test_what_is_better_put_right_is_advice_and_bars_nothing(body: str, code: str) -> None:
    assert codes(written(body)) == {(code, False)}


def test_a_message_without_fault_has_no_finding() -> None:
    assert (
        codes(written('<img src="https://shop.test/a.png" alt="A lamp"><p>Good day.</p>')) == set()
    )


def test_a_subject_that_shouts_or_is_cut_off_is_named() -> None:
    assert codes(written("<p>x</p>", subject="BUY NOW EVERYBODY!!")) == {("shouted", False)}
    campaign = make.written_campaign("Long", subject="word " * 20, approved=False)
    assert codes(campaign) == {("long_subject", False)}


def test_languages_that_say_the_same_are_not_translated_yet() -> None:
    campaign = written("<p>Same words</p>", locales=("en", "zh-hans"))
    Template.objects.update(subject="Same subject")

    assert ("untranslated", False) in codes(campaign)
    Template.objects.filter(locale="zh-hans").update(subject="一样的标题")
    assert codes(campaign) == set()


def test_what_cannot_go_out_bars_the_campaign() -> None:
    campaign = make.written_campaign(body="<p>{{ nobody }}</p>", approved=False)

    assert codes(campaign) == {("unknown_variable", True), ("no_unsubscribe_link", True)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("This is not spam", ["this is not spam"]),
        ("Our winners circle", []),
        ("全网最低价", ["最低价", "全网最低"]),
        ("Guaranteed for two years", ["guaranteed"]),
    ],
)
def test_words_count_whole_in_english_and_anywhere_in_chinese(text: str, found: list[str]) -> None:
    assert inspecting.spam_words(text) == found


class Site(BaseHTTPRequestHandler):
    """A shop that does not know HEAD for one of its pages."""

    def do_HEAD(self) -> None:
        self.answer({"/gone": 404, "/no-head": 405}.get(self.path, 200))

    def do_GET(self) -> None:
        self.answer(404 if self.path == "/gone" else 200, b"x" * 400_000)

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_facts: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_links_are_asked_and_the_broken_ones_named(site: str) -> None:
    paths = ("/", "/gone", "/no-head", "/part#here")
    campaign = written("".join(f'<a href="{site}{path}">x</a>' for path in paths))
    own_ground = Guard(allowed=(ip_network("127.0.0.0/8"),))

    asked = {path: link_check.asked(f"{site}{path}", own_ground) for path in paths}
    for path, outcome in asked.items():
        CheckedLink.objects.create(
            campaign=campaign,
            url=f"{site}{path}",
            url_digest=digest_of(f"{site}{path}"),
            outcome=outcome,
            checked_at=NOW,
        )

    assert asked == {"/": "200", "/gone": "404", "/no-head": "200", "/part#here": "200"}
    broken = [one for one in prechecks.findings(campaign, NOW) if one.code == "broken_link"]
    assert [f"{site}/gone" in one.detail for one in broken] == [True]


def test_links_of_texts_and_cards_are_asked_as_those_of_mail_are(client: Client) -> None:
    text = sms_campaign(text="{{ shop.url }}/a, https://shop.test/tv. Reply STOP to end.")
    SmsText.objects.update(parameters={"where": "https://shop.test/registered"})
    push, site = card_campaign("push"), card_campaign("onsite", placement="hero")
    broken: dict[int, list[str]] = {}
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    for campaign in (text, push, site):
        targets = link_check.targets(campaign, NOW)
        for url in targets:
            CheckedLink.objects.create(
                campaign=campaign, url=url, url_digest=digest_of(url), outcome="404", checked_at=NOW
            )
        found = prechecks.findings(campaign, NOW)
        broken[campaign.pk] = [one.code for one in found if not one.bars]
        page = client.get(f"/admin/campaigns/campaign/{campaign.pk}/message/").content.decode()
        assert all(url in page for url in targets)
        assert "Check the links" in page

    assert broken == {
        text.pk: ["broken_link"] * 3, push.pk: ["broken_link"], site.pk: ["broken_link"]
    }  # fmt: skip


def test_words_of_texts_and_cards_are_weighed_too() -> None:
    text = sms_campaign(text="Risk-free! Reply STOP to end.")
    SmsText.objects.create(
        variant=text.variants.get(), locale="zh-hans", text="Risk-free! Reply STOP to end."
    )
    assert {("spam_words", False), ("untranslated", False)} <= codes(text)


def test_a_link_into_our_own_networks_is_not_asked(site: str, client: Client) -> None:
    make.shop(sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    campaign = written(f'<a href="{site}/">x</a><a href="http://169.254.169.254/">y</a>')

    client.post(f"/admin/campaigns/campaign/{campaign.pk}/message/links/")
    client.post(f"/admin/campaigns/campaign/{campaign.pk}/message/links/")
    job = Job.objects.get(kind=link_check.JOB)
    Job.objects.filter(pk=job.pk).update(not_before=NOW)
    running.run(job.pk, clock=lambda: NOW)

    outcomes = CheckedLink.objects.values_list("url", "outcome")
    assert dict(outcomes) == {
        f"{site}/": "refused_address",
        "http://169.254.169.254/": "refused_address",
    }
    page = client.get(f"/admin/campaigns/campaign/{campaign.pk}/message/").content.decode()
    assert "Links checked at" in page
