"""Opens, clicks, unsubscriptions: facts kept, machines marked, GET never acts."""

from __future__ import annotations

import html
import os
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import approvals, delivery, following, tracking
from campaigns.channels.outbox import OutboxChannel
from campaigns.composing import click_url
from campaigns.models import Campaign, Delivery, Hit, Link
from privacy import consent, suppression
from privacy.models import ConsentEntry, Suppression
from profiles.events import merging
from profiles.models import Customer, Event, EventStaging
from tests import make
from tests.campaigns.sending import Tray
from tests.campaigns.sending import body as sent_body
from tests.make import NOW

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def sent(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    make.reader("ann", locale="zh-CN")
    campaign = make.written_campaign(locales=["en", "zh-hans"])
    delivery.plan(campaign, NOW)
    approvals.launch(campaign)
    delivery.send_due(NOW, channel=OutboxChannel(tmp_path_factory.mktemp("outbox")))
    return Delivery.objects.select_related("customer__subject", "campaign").get()


def link_path(row: Delivery) -> str:
    return click_url(row.token or "", Link.objects.get().pk).removeprefix("http://127.0.0.1:8000")


def is_reachable(row: Delivery) -> bool:
    free = Customer.objects.for_purpose("campaign.email", channel="email")
    return free.filter(pk=row.customer_id).exists()


def test_an_open_answers_an_image_and_is_kept(client: Client, sent: Delivery) -> None:
    reply = client.get(f"/o/{sent.token}", headers={"User-Agent": BROWSER})

    assert (reply.status_code, reply["Content-Type"]) == (200, "image/gif")
    assert "no-store" in reply["Cache-Control"]
    assert Hit.objects.values_list("kind", "by_machine").get() == ("open", False)


def test_an_unknown_open_answers_the_same_image(client: Client) -> None:
    reply = client.get(f"/o/{'x' * 43}")

    assert (reply.status_code, reply["Content-Type"]) == (200, "image/gif")
    assert not Hit.objects.exists()


def test_a_click_leads_to_the_stored_target(client: Client, sent: Delivery) -> None:
    reply = client.get(link_path(sent), headers={"User-Agent": BROWSER})

    assert (reply.status_code, reply["Location"]) == (302, "https://shop.test/zh-hans")
    assert reply["Referrer-Policy"] == "no-referrer"
    hit = Hit.objects.get()
    assert (hit.kind, hit.link, hit.by_machine) == ("click", Link.objects.get(), False)


@pytest.mark.parametrize(
    "path",
    ["/c/x", "/c/" + "x" * 43 + ".1", "/c/{token}", "/c/{token}.0", "/c/{token}.zzzzzzzzzzzzz",
     "/c/{token}.1?url=https://evil.test"],
)  # fmt: skip
def test_a_made_up_link_leads_nowhere(client: Client, sent: Delivery, path: str) -> None:
    Link.objects.update(id=900)

    reply = client.get(path.format(token=sent.token))

    assert reply.status_code == 404
    assert not Hit.objects.exists()


def test_a_link_of_another_campaign_leads_nowhere(client: Client, sent: Delivery) -> None:
    other = Link.objects.create(campaign=make.written_campaign("other"), url="https://evil.test/")

    assert client.get(f"/c/{sent.token}.{other.pk}").status_code == 404


@pytest.mark.parametrize(
    ("agent", "method", "seconds", "is_machine"),
    [
        (BROWSER, "GET", 300, False),
        (BROWSER, "HEAD", 300, True),
        (BROWSER, "GET", 1, True),
        ("", "GET", 300, True),
        ("Mozilla/5.0", "GET", 300, True),
        ("python-requests/2.32", "GET", 300, True),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "GET", 300, True),
        ("Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)", "GET", 300, False),
        ("Barracuda Sentinel (EE)", "GET", 300, True),
    ],
)  # fmt: skip
def test_machines_are_told_from_people(
    agent: str, method: str, seconds: int, *, is_machine: bool
) -> None:
    visit = tracking.Visit(method, agent)

    found = tracking.sign_of(visit, sent_at=NOW, now=NOW + timedelta(seconds=seconds))

    assert bool(found) == is_machine


def test_machines_are_kept_and_marked_and_told_to_no_profile(
    client: Client, sent: Delivery
) -> None:
    client.get(f"/o/{sent.token}", headers={"User-Agent": "curl/8"})

    tracking.tell(timezone.now() + tracking.SETTLED)

    assert (Hit.objects.get().by_machine, Hit.objects.get().sign) == (True, "agent")
    assert not EventStaging.objects.exists()


def test_what_people_do_becomes_events_of_the_customer(client: Client, sent: Delivery) -> None:
    client.get(f"/o/{sent.token}", headers={"User-Agent": BROWSER})
    client.get(link_path(sent), headers={"User-Agent": BROWSER})

    assert tracking.tell(timezone.now()) == 0
    later = timezone.now() + tracking.SETTLED
    assert [tracking.tell(later) for _again in range(2)] == [2, 0]
    assert merging.merge(later) == 2

    found = Event.objects.filter(customer=sent.customer).order_by("name")
    assert [event.name for event in found] == ["Email Clicked", "Email Opened"]
    assert {event.properties["campaign"] for event in found} == {str(sent.campaign.uuid)}


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_page_unsubscribes_nobody(
    client: Client, sent: Delivery, method: str
) -> None:
    for _ in range(3):
        reply = getattr(client, method)(f"/u/{sent.token}", headers={"User-Agent": BROWSER})

    assert reply.status_code == 200
    assert is_reachable(sent)
    assert not Hit.objects.exists()
    assert not reply.cookies


def test_the_page_speaks_the_language_of_the_message(client: Client, sent: Delivery) -> None:
    reply = client.get(f"/u/{sent.token}", headers={"Accept-Language": "en"})

    assert b'<html lang="zh-hans">' in reply.content
    assert b'<form method="post"' in reply.content


@pytest.mark.parametrize(
    "shape",
    [
        {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"},
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"data": b"", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"", "content_type": ""},
        {"data": b"\xff\x00nonsense", "content_type": "text/plain"},
        {"data": {"List-Unsubscribe": "One-Click"}, "headers": {"User-Agent": "java"}},
    ],
    ids=["form", "multipart", "empty form", "empty", "nonsense", "java"],
)
def test_one_click_works_for_every_client(sent: Delivery, shape: dict[str, object]) -> None:
    strict = Client(enforce_csrf_checks=True)

    replies = [strict.post(f"/u/{sent.token}", **shape) for _ in range(2)]  # type: ignore[arg-type]

    assert [reply.status_code for reply in replies] == [200, 200]
    assert not any(reply.cookies for reply in replies)
    assert not is_reachable(sent)
    assert not consent.is_in_force(sent.customer.subject, "campaign.email")
    assert suppression.is_suppressed("email", "ann@example.com")
    assert ConsentEntry.objects.filter(state="withdrawn").count() == 1
    assert Hit.objects.get().kind == Hit.Kind.UNSUBSCRIBE


def test_whoever_unsubscribes_gets_no_message_of_the_next_campaign(
    client: Client, sent: Delivery
) -> None:
    client.post(f"/u/{sent.token}")

    assert delivery.plan(make.written_campaign("next"), NOW) == 0


def test_the_link_of_an_erased_person_still_answers(client: Client, sent: Delivery) -> None:
    Customer.objects.all().delete()

    assert client.post(f"/u/{sent.token}").status_code == 200


def test_a_cut_off_link_says_so(client: Client, sent: Delivery) -> None:
    assert client.post(f"/u/{(sent.token or '')[:20]}").status_code == 404
    assert is_reachable(sent)


def test_a_link_works_whatever_became_of_the_campaign(client: Client, sent: Delivery) -> None:
    Campaign.objects.update(status=Campaign.Status.CANCELLED, finished_at=timezone.now())

    assert client.get(link_path(sent)).status_code == 302


def test_the_unsubscribe_page_leads_to_the_readers_own_choices(
    client: Client, sent: Delivery
) -> None:
    page = client.get(f"/u/{sent.token}").content.decode()
    link = re.search(r'href="[^"]*(/p/[A-Za-z0-9_-]{43})(?:[?][^"]*)?"', page)

    assert link
    choices = client.get(link[1])
    assert choices.status_code == 200
    for shown in (page, choices.content.decode(), client.get("/p/cut-off").content.decode()):
        assert 'href="/privacy/requests/"' in shown, "where to ask about one's data"


# Machines that behave like people ---------------------------------------------------------------


def visit(row: Delivery, link: Link, seconds: float, *, agent: str = BROWSER) -> None:
    token = click_url(row.token or "", link.pk).rpartition("/")[2]
    tracking.clicked(token, tracking.Visit("GET", agent), LATER + timedelta(seconds=seconds))


def links_of(row: Delivery, n: int) -> list[Link]:
    return [Link.objects.create(campaign=row.campaign, url=f"https://x.test/{i}") for i in range(n)]


@pytest.mark.parametrize(
    ("seconds", "n_people"),
    [
        ((0, 5, 9), 0),  # three different links in ten seconds
        ((0, 0.5), 0),  # two in one
        ((0, 3), 2),
        ((0, 8, 16), 3),
    ],
)
def test_many_links_at_once_are_a_machines_with_those_before(
    sent: Delivery, seconds: tuple[float, ...], n_people: int
) -> None:
    for link, at in zip(links_of(sent, len(seconds)), seconds, strict=True):
        visit(sent, link, at)

    assert Hit.objects.filter(by_machine=False).count() == n_people
    assert tracking.tell(LATER + timedelta(hours=1)) == n_people


def test_the_same_link_twice_is_a_reader_in_a_hurry(sent: Delivery) -> None:
    (link,) = links_of(sent, 1)
    for seconds in (0, 0.3, 0.6):
        visit(sent, link, seconds)

    assert not Hit.objects.filter(by_machine=True).exists()


def test_whoever_follows_the_hidden_link_was_a_machine_all_along(sent: Delivery) -> None:
    before, after, later = links_of(sent, 3)
    canary = f"{sent.token}.{tracking.CANARY}"
    visit(sent, before, 0)
    tracking.clicked(canary, tracking.Visit("GET", BROWSER), LATER + timedelta(seconds=20))
    visit(sent, after, 40)
    visit(sent, later, 600)

    people = Hit.objects.filter(by_machine=False)
    assert list(people.values_list("link", flat=True)) == [later.pk]
    assert set(Hit.objects.filter(by_machine=True).values_list("sign", flat=True)) == {"canary"}


def test_a_page_fetched_ahead_is_no_visit_of_the_reader(client: Client, sent: Delivery) -> None:
    client.get(
        link_path(sent), headers={"User-Agent": BROWSER, "Sec-Purpose": "prefetch;prerender"}
    )

    assert Hit.objects.get().sign == "prefetch"


def test_a_scanner_on_every_link_of_many_messages_unsubscribes_nobody_and_is_nobody(
    client: Client, settings: Any
) -> None:
    n = int(os.environ.get("SCANNED_MESSAGES", "30"))
    for number in range(n):
        make.reader(f"r{number}")
    body = make.MESSAGE.replace("</body>", '<a href="https://shop.test/b">B</a></body>')
    made, tray = make.written_campaign(body=body), Tray()
    delivery.plan(made, NOW)
    approvals.launch(made)
    while delivery.send_due(NOW, channel=tray):
        pass

    n_links = 0
    for message in tray.taken:
        # Like a security gateway: a browser's name, every address in the HTML, hidden or not.
        for url in re.findall(r'(?:href|src)="([^"]+)"', sent_body(message)):
            path = html.unescape(url).removeprefix(settings.PUBLIC_URL)
            if path.startswith("/"):
                n_links += 1
                client.head(path, headers={"User-Agent": BROWSER})
                client.get(path, headers={"User-Agent": BROWSER})

    assert len(tray.taken) == n
    assert n_links == 5 * n  # hidden, two of the shop, unsubscribe, pixel
    assert not Hit.objects.filter(by_machine=False).exists()
    assert not Hit.objects.filter(kind="unsubscribe").exists()
    assert tracking.tell(timezone.now() + timedelta(hours=1)) == 0
    assert not consent.standing().filter(state="withdrawn").exists()
    assert not Suppression.objects.exists()


def test_the_link_map_counts_people_and_keeps_what_machines_did(
    client: Client, sent: Delivery
) -> None:
    first, second = links_of(sent, 2)
    for seconds in (0, 60):
        visit(sent, first, seconds)
    visit(sent, second, 120, agent="curl/8")
    client.force_login(make.staff(username="eve"), backend="privacy.roles.RoleBackend")

    found = following.links(sent.campaign)
    shown = client.get(f"/admin/campaigns/campaign/{sent.campaign_id}/links/").content.decode()

    assert [(one.url, one.n_people, one.n_clicks, one.n_machine) for one in found][:2] == [
        ("https://x.test/0", 1, 2, 0),
        ("https://x.test/1", 0, 0, 1),
    ]
    assert following.machines(sent.campaign) == [("Click", "Names itself a program", 1)]
    assert "x.test/0" in shown
