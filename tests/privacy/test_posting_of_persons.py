"""Who is told about whom is noted, and an erasure reaches what is on its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from privacy import consent, posting, webhooks
from privacy.models import Disclosure, Recipient, RecipientNotice, WebhookMessage
from profiles.models import Customer
from tests import make
from tests.make import NOW
from tests.privacy.persons import erase, everything
from tests.privacy.receiver import Receiver, guard, receiver

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def send(at: datetime = NOW, **facts: Any) -> int:
    return posting.send_due(at, guard=guard(**facts))


def withdraw(customer: Customer) -> None:
    consent.record(
        customer.subject,
        "campaign.email",
        "email",
        "withdrawn",
        wording="No",
        source="form",
        happened_at=NOW,
        now=NOW,
    )


def test_once_every_webhook_is_told_of_an_erasure_nobody_remembers_who_it_was(
    there: Receiver, settings: Any, tmp_path: Any
) -> None:
    settings.VAR_DIR, settings.OUTBOX_DIR = tmp_path, tmp_path / "outbox"
    for name in ("a", "b"):
        make.webhook(name, f"{there.url}/{name}", events=["customer.erased", "consent.changed"])
    ann = make.reader("ann-canary")
    withdraw(ann)
    send()
    assert Disclosure.objects.filter(subject=ann.subject).count() == 2
    there.heard.clear()
    erase(ann)
    assert "ann-canary" in everything()

    there.answer = lambda heard: (200 if heard.path.endswith("a") else 500, {})
    send(NOW + DAY)
    states = dict(RecipientNotice.objects.values_list("recipient__name", "state"))
    assert sorted(states.values()) == ["pending", "told"]
    assert "ann-canary" in everything()

    there.answer = lambda _heard: (200, {})
    send(NOW + 2 * DAY)
    assert set(RecipientNotice.objects.values_list("state", flat=True)) == {"told"}
    assert "ann-canary" not in everything()
    bodies = [json.loads(heard.body)["data"]["customerId"] for heard in there.heard]
    assert set(bodies) == {"ann-canary"}


def test_a_person_erased_after_the_claim_is_told_of_no_more(there: Receiver) -> None:
    make.webhook(url=there.url, events=["consent.changed"])
    ann = make.reader("ann")
    withdraw(ann)
    token = posting.claim(NOW, 1)
    assert token is not None
    WebhookMessage.objects.filter(subject=ann.subject).delete()
    assert posting.send_claimed(token, guard(), lambda: NOW) == 0
    assert (there.heard, Disclosure.objects.count()) == ([], 0)


def test_a_webhook_that_is_renamed_stays_the_recipient_it_was(there: Receiver) -> None:
    webhook = make.webhook(url=there.url, events=["consent.changed"])
    withdraw(make.reader("ann"))
    send()
    webhooks.change(webhook, name="New", actor="staff:1", now=NOW)
    [recipient] = Recipient.objects.all()
    assert (recipient.kind, recipient.name, recipient.gets_everybody) == ("webhook", "New", False)
    assert recipient.disclosures.count() == 1
