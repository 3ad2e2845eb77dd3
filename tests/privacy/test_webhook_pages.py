"""The pages of webhooks: made with a secret shown once, looked at, tested, sent again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from privacy import announcing, webhooks
from privacy.announcing import Fact
from privacy.models import Staff, Webhook, WebhookDelivery
from tests import make
from tests.make import NOW
from tests.privacy.receiver import receiver

pytestmark = pytest.mark.django_db
LIST = "/admin/privacy/webhook/"
FORM = {"name": "ERP", "url": "https://erp.example/hook", "event_types": ["job.finished"]}


@pytest.fixture(autouse=True)
def _own_shop() -> None:
    make.shop(set_up_at=NOW, time_zone="Asia/Shanghai")


@pytest.fixture
def boss() -> Client:
    return signed_in(Staff.Role.ADMINISTRATOR)


def signed_in(role: str, *, confirmed: bool = True) -> Client:
    client = Client()
    client.force_login(make.staff(role), backend="privacy.roles.RoleBackend")
    client.get("/admin/")
    session = client.session
    session["confirmed_at"] = timezone.now().timestamp() if confirmed else 0
    session.save()
    return client


def do(client: Client, webhook: Webhook, act: str, **facts: str) -> Any:
    return client.post(f"{LIST}{webhook.pk}/do/{act}/", facts, follow=True)


def announce(n: int = 1) -> None:
    data = {"jobId": "1", "kind": "k", "state": "done", "errorCode": ""}
    announcing.announce([Fact("job.finished", data)] * n, now=NOW)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_webhook_is_made_and_its_secret_shown_once(boss: Client) -> None:
    shown = boss.post(f"{LIST}add/", FORM)

    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", text(shown))
    Verifier(secret)
    assert "no-store" in shown["Cache-Control"]
    webhook = Webhook.objects.get()
    assert secret == webhooks.secret_of(webhook)
    page = text(boss.get(f"{LIST}{webhook.pk}/change/"))
    assert "whsec_" not in page
    assert "https://erp.example/hook" in page
    assert "erp.example" in text(boss.get(LIST))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"url": "http://127.0.0.1/"}, "https on port 443"),
        ({"url": "erp"}, "https://shop.example/path"),
        ({"event_types": []}, "required"),
        ({"event_types": ["x.y"]}, "not one of the available choices"),
    ],
)
def test_a_form_with_a_fault_says_which(boss: Client, facts: dict[str, Any], said: str) -> None:
    assert said in text(boss.post(f"{LIST}add/", FORM | facts))
    assert not Webhook.objects.exists()


def test_a_name_that_is_taken_is_refused_by_the_form(boss: Client) -> None:
    make.webhook()
    assert "already exists" in text(boss.post(f"{LIST}add/", FORM))


def test_a_webhook_is_changed_on_its_form(boss: Client) -> None:
    webhook = make.webhook()
    facts = FORM | {"name": "New", "event_types": ["consent.changed"]}
    answer = boss.post(f"{LIST}{webhook.pk}/edit/", facts)
    assert answer["Location"] == f"{LIST}{webhook.pk}/change/"
    webhook.refresh_from_db()
    assert (webhook.name, webhook.event_types) == ("New", ["consent.changed", "customer.erased"])


def test_what_changes_a_webhook_asks_who_it_is() -> None:
    webhook = make.webhook()
    boss = signed_in(Staff.Role.ADMINISTRATOR, confirmed=False)
    for act in ("rotate", "end-old", "switch", "delete"):
        assert "/confirm/" in do(boss, webhook, act).redirect_chain[0][0]
    assert "/confirm/" in boss.get(f"{LIST}add/")["Location"]
    assert "/confirm/" in boss.get(f"{LIST}{webhook.pk}/edit/")["Location"]
    webhook.refresh_from_db()
    assert (webhook.generation, webhook.state) == (1, "enabled")


@pytest.mark.parametrize("role", ["viewer", "marketer", "support", "privacy_officer"])
def test_only_administrators_touch_webhooks(role: str) -> None:
    webhook = make.webhook()
    announce()
    client = signed_in(role)
    for act in ("rotate", "end-old", "switch", "delete", "test", "replay"):
        assert do(client, webhook, act).status_code == 404
    row = WebhookDelivery.objects.get()
    assert client.post(f"{LIST}messages/{row.pk}/replay/").status_code == 404
    assert client.get(f"{LIST}add/").status_code == 403
    looks = 200 if role == "privacy_officer" else 404
    assert client.get(f"{LIST}{webhook.pk}/change/").status_code == looks
    assert client.get(f"{LIST}messages/{row.pk}/").status_code == looks
    assert Webhook.objects.count() == 1


def test_a_secret_is_rotated_and_the_old_one_ended(boss: Client) -> None:
    webhook = make.webhook()
    assert "whsec_" in text(do(boss, webhook, "rotate"))
    assert "The old one signs too until" in text(boss.get(f"{LIST}{webhook.pk}/change/"))
    assert "The old secret still signs" in text(do(boss, webhook, "rotate"))
    assert "new signature alone" in text(do(boss, webhook, "end-old"))


def test_a_webhook_is_disabled_enabled_and_deleted(boss: Client) -> None:
    webhook = make.webhook()
    announce()
    do(boss, webhook, "switch")
    assert Webhook.objects.get().state == "disabled"
    assert "The webhook was disabled" in text(boss.get(f"{LIST}{webhook.pk}/change/"))
    do(boss, webhook, "switch")
    assert Webhook.objects.get().state == "enabled"
    do(boss, webhook, "delete")
    assert not Webhook.objects.exists()


def test_a_test_is_sent_and_its_answer_told(boss: Client, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with receiver() as there:
        webhook = make.webhook(url=there.url)
        assert "The test was answered: 200" in text(do(boss, webhook, "test"))
        there.answer = lambda _heard: (302, {"Location": "/"})
        answer = text(do(boss, webhook, "test"))
    assert "302 · It redirected, which is not followed" in answer
    webhook.url = "https://10.0.0.1/"
    webhook.save()
    assert "network that is not let in" in text(do(boss, webhook, "test"))


def test_one_message_and_those_that_failed_are_sent_again(boss: Client) -> None:
    webhook = make.webhook()
    announce(3)
    rows = list(WebhookDelivery.objects.order_by("pk"))
    WebhookDelivery.objects.update(state="failed", ended_at=NOW)
    boss.post(f"{LIST}messages/{rows[0].pk}/replay/")
    assert list(WebhookDelivery.objects.order_by("pk").values_list("state", flat=True)) == [
        "waiting",
        "failed",
        "failed",
    ]
    again = boss.post(f"{LIST}messages/{rows[0].pk}/replay/", follow=True)
    assert "Only what has ended" in text(again)
    # Nine o'clock in London is five in the afternoon in the shop.
    assert "sent again: 0" in text(do(boss, webhook, "replay", since="2026-03-02T17:01"))
    assert "sent again: 2" in text(do(boss, webhook, "replay", since="2026-03-02T17:00"))
    for wrong in ("", "yesterday", "2026-02-31T00:00"):
        assert "Write the moment" in text(do(boss, webhook, "replay", since=wrong))


def test_the_page_of_a_message_shows_what_it_says_and_each_attempt(boss: Client) -> None:
    make.webhook()
    announce()
    row = WebhookDelivery.objects.get()
    row.attempts.create(at=NOW, reason="timeout", n_ms=5_001)
    row.attempts.create(at=NOW, status=503, reason="http_error", n_ms=12)
    page = text(boss.get(f"{LIST}messages/{row.pk}/"))
    for words in (row.message.wire_id, "No whole answer", "503 · It refused", "5001"):
        assert words in page
    assert "&quot;jobId&quot;: &quot;1&quot;" in page
    assert "2026-03-02 17:00:00" in page


def test_messages_are_shown_by_state_and_page_by_page(boss: Client) -> None:
    webhook = make.webhook()
    announce(120)
    WebhookDelivery.objects.filter(pk=webhook.deliveries.earliest("pk").pk).update(state="failed")
    page = f"{LIST}{webhook.pk}/change/"
    links = re.compile(rf"{LIST}messages/(\d+)/\"")

    seen: list[str] = []
    query: str | None = ""
    while query is not None:
        shown = text(boss.get(f"{page}{query}"))
        seen += links.findall(shown)
        following = re.search(r'href="(\?state=&amp;before=\d+)"', shown)
        query = following.group(1).replace("&amp;", "&") if following else None
    assert len(seen) == 120
    assert seen == sorted(seen, key=int, reverse=True)
    assert len(links.findall(text(boss.get(f"{page}?state=failed")))) == 1
    for wrong in ("?before=x", "?before=" + "9" * 40, "?state=x", "?before=²"):
        assert boss.get(f"{page}{wrong}").status_code == 200


def test_home_tells_of_webhooks_that_were_disabled(boss: Client) -> None:
    make.webhook(state="failing")
    assert "1 webhook was disabled." in text(boss.get("/admin/"))
