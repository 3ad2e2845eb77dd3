"""Webhooks: made, changed, rotated; their signatures hold with the receivers' own library."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from privacy import announcing, door_checks, posting, webhooks
from privacy.announcing import Fact
from privacy.models import AuditEntry, Webhook, WebhookDelivery
from privacy.problems import DomainError
from tests import make
from tests.make import NOW
from tests.privacy.receiver import guard, receiver

pytestmark = pytest.mark.django_db
URL = "https://erp.example/hook"
JOB = {"jobId": "1", "kind": "k", "state": "done", "errorCode": ""}


def refusal(**facts: Any) -> DomainError:
    given: dict[str, Any] = {"name": "ERP", "url": URL, "chosen": ["job.finished"]} | facts
    with pytest.raises(DomainError) as error:
        webhooks.create(**given, actor="staff:1", now=NOW)
    return error.value


def made(**facts: Any) -> tuple[Webhook, str]:
    given: dict[str, Any] = {"name": "ERP", "url": URL, "chosen": ["job.finished"]} | facts
    return webhooks.create(**given, actor="staff:1", now=NOW)


# Made and changed -----------------------------------------------------------------------------


def test_a_secret_is_in_no_table() -> None:
    webhook, secret = made()

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert webhooks.secret_of(Webhook.objects.get()) == secret
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 -- names of our own tables
            rows = str(cursor.fetchall())
            assert secret[6:] not in rows
            assert str(base64.b64decode(secret[6:]))[2:-1] not in rows
    assert AuditEntry.objects.get().reason == f"webhook {webhook.uuid}"


def test_secrets_of_webhooks_differ() -> None:
    assert made()[1] != made(name="Other")[1]


@pytest.mark.parametrize(
    ("facts", "code", "pointer"),
    [
        ({"url": "http://erp.example/hook"}, "invalid_webhook_url", "/url"),
        ({"url": "https://erp.example:8443/"}, "invalid_webhook_url", "/url"),
        ({"url": "https://user:pass@erp.example/"}, "invalid_webhook_url", "/url"),
        ({"url": "javascript:alert(1)"}, "invalid_webhook_url", "/url"),
        ({"chosen": ["job.finished", "sale.made"]}, "unknown_event_type", "/eventTypes/1"),
        ({"chosen": ["webhook.test"]}, "unknown_event_type", "/eventTypes/0"),
        ({"chosen": []}, "required", "/eventTypes"),
        ({"name": "  "}, "required", "/name"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(
    facts: dict[str, Any], code: str, pointer: str
) -> None:
    error = refusal(**facts)
    assert (error.code, error.pointer) == (code, pointer)
    assert not Webhook.objects.exists()


def test_a_name_is_taken_once_and_there_are_so_many_and_no_more() -> None:
    made()
    assert (refusal().code, refusal().status) == ("name_taken", 409)
    for number in range(webhooks.MOST_WEBHOOKS - 1):
        make.webhook(f"w{number}")
    assert refusal(name="One more").code == "too_many_webhooks"


def test_who_hears_of_customers_hears_of_their_erasure() -> None:
    assert made(chosen=["consent.changed"])[0].event_types == ["consent.changed", "customer.erased"]
    assert made(name="Jobs")[0].event_types == ["job.finished"]


def test_disabling_ends_what_waits_and_enabling_forgets_the_failures() -> None:
    webhook = make.webhook(n_failures=7, failing_since=NOW, resting_until=NOW)
    announcing.announce([Fact("job.finished", JOB)], now=NOW)

    off = webhooks.change(webhook, is_enabled=False, actor="staff:1", now=NOW)
    assert (off.state, off.disabled_at) == ("disabled", NOW)
    assert WebhookDelivery.objects.get().reason == "webhook_disabled"

    on = webhooks.change(webhook, is_enabled=True, url=f"{URL}2", actor="staff:1", now=NOW)
    on.refresh_from_db()
    assert (on.state, on.url, on.n_failures, on.failing_since) == ("enabled", f"{URL}2", 0, None)


def test_a_network_that_is_let_in_lets_its_receivers_be_entered(settings: Any) -> None:
    assert project.WEBHOOK_ALLOWED_NETWORKS == []
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.2.0/24"]
    assert made(url="http://erp.internal:8080/hook")[0].url == "http://erp.internal:8080/hook"
    assert webhooks.guard().resolve is not None
    assert door_checks.networks_can_be_read() == []
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.2.0/24", "10.1.2.3/24", "erp"]
    assert [message.id for message in door_checks.networks_can_be_read()] == ["privacy.E025"] * 2


# Signatures -----------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks specification, and of its libraries' tests."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, tz=NOW.tzinfo)
    signed = webhooks.signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [secret], now=at
    )
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_what_arrives_is_verified_by_the_receivers_library_and_altered_is_not() -> None:
    now = timezone.now()
    with receiver() as there:
        webhook = make.webhook(url=there.url)
        announcing.announce([Fact("job.finished", JOB)], now=now)
        assert posting.send_due(now, guard=guard()) == 1

    [heard] = there.heard
    headers = {name.lower(): value for name, value in heard.headers.items()}
    verifier = Verifier(webhooks.secret_of(webhook))
    told = verifier.verify(heard.body, headers)
    assert told == json.loads(heard.body)
    assert told["type"] == "job.finished"
    assert told["data"] == JOB
    assert headers["content-type"] == "application/json"
    late = {"webhook-timestamp": str(int(now.timestamp()) - 600)}
    for body, changes in (
        (heard.body + b" ", {}),
        (heard.body, {"webhook-id": "msg_other"}),
        (heard.body, late),
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers | changes)
    with pytest.raises(WebhookVerificationError):
        Verifier(webhooks.secret_of(make.webhook("Other"))).verify(heard.body, headers)


def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify() -> None:
    now = timezone.now()
    webhook, old = made()
    new = webhooks.rotate(webhook, actor="staff:1", now=now)
    assert new != old

    def verifies(secret: str, at: Any) -> bool:
        body, moment = b"{}", timezone.now()
        secrets = webhooks.secrets_of(webhook, now=at)
        headers = webhooks.signed("msg_1", body, secrets, now=moment)
        try:
            Verifier(secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    assert verifies(old, now)
    assert verifies(new, now)
    assert not verifies(old, now + timedelta(days=7))
    with pytest.raises(DomainError) as error:
        webhooks.rotate(webhook, actor="staff:1", now=now + timedelta(days=6))
    assert (error.value.code, error.value.status) == ("not_rotatable", 409)

    webhooks.end_old_secret(webhook, actor="staff:1", now=now)
    assert not verifies(old, now)
    assert verifies(new, now)
    assert webhooks.rotate(webhook, actor="staff:1", now=now) not in {old, new}
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == [
        "webhook.created",
        "webhook.rotated",
        "webhook.old_secret_ended",
        "webhook.rotated",
    ]
