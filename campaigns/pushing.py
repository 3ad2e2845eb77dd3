"""Web push: who takes it in which browser, and the messages made for them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import cards, gate, targeting
from campaigns.channels.base import Message
from campaigns.composing import click_url, link_numbers
from campaigns.models import Card, PushSubscription
from campaigns.rendering import push
from privacy import consent, outbound, webhooks
from privacy.fields import reveal_columns
from privacy.models import Channel, ConsentEntry
from privacy.outbound import OutboundError
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.sealed import keys
from profiles.models import Customer

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign, Delivery

PURPOSE: Final = "campaign.push"
MOST: Final = 10  # browsers of one person; the oldest makes room


def subscribe(
    external_id: str,
    target: Mapping[str, str],
    *,
    wording: str,
    source: str,
    language: str,
    now: datetime,
) -> None:
    """Take a customer's browser on and record that they agree to push messages.

    `target` has `endpoint`, `p256dh` and `auth`. A browser belongs to whoever subscribed in it
    last. Raises DomainError `customer_unknown`, `invalid_endpoint`, `invalid_push_keys`.
    """
    _check(target)
    customer = Customer.objects.select_related("subject").filter(external_id=external_id).first()
    if customer is None:
        detail = _("There is no customer of this id.")
        raise DomainError(
            "customer_unknown", detail, status=HTTPStatus.NOT_FOUND, pointer="/userId"
        )
    tag = _tag(target["endpoint"])
    with transaction.atomic():
        PushSubscription.objects.filter(endpoint_tag=tag).delete()
        PushSubscription.objects.create(
            subject=customer.subject,
            customer=customer,
            endpoint_tag=tag,
            target=json.dumps(dict(target), sort_keys=True),
            made_at=now,
        )
        mine = PushSubscription.objects.filter(customer=customer).order_by("-made_at", "-pk")
        spare = list(mine.values_list("pk", flat=True)[MOST:])
        PushSubscription.objects.filter(pk__in=spare).delete()
        consent.record(
            customer.subject,
            PURPOSE,
            Channel.PUSH,
            ConsentEntry.State.GIVEN,
            wording=wording,
            source=source,
            locale=language,
            happened_at=now,
            now=now,
        )


def forget(endpoint: str) -> bool:
    """Take a browser off; whoever knows its endpoint may. Returns whether it was known."""
    n_gone, _by_model = PushSubscription.objects.filter(endpoint_tag=_tag(endpoint)).delete()
    return n_gone > 0


def _tag(endpoint: str) -> bytes:
    return keys().tagger("other", "push.endpoint").tag(endpoint)


def _check(target: Mapping[str, str]) -> None:
    try:
        parsed = outbound.parse(target["endpoint"])
    except OutboundError:
        parsed = None
    if parsed is None or not (parsed.is_ordinary or webhooks.guard().allowed):
        detail = _("The endpoint is the address of a push service, as the browser gave it.")
        raise DomainError("invalid_endpoint", detail, pointer="/subscription/endpoint")
    try:
        push.check_keys(target["p256dh"], target["auth"])
    except ValueError:
        detail = _("The keys are not those of a browser's push subscription.")
        raise DomainError("invalid_push_keys", detail, pointer="/subscription/keys") from None


def told(card: Card, url: str, tag: str) -> dict[str, str]:
    """Return what a browser is told of a card; it has no place for a button."""
    return {
        "title": card.title,
        "body": card.text,
        "image": card.image_url,
        "url": url,
        "tag": tag,
        "lang": card.locale,
    }


class PushComposer:
    """Composes one campaign's push messages at `now`, as `Composer` does its mails."""

    def __init__(self, campaign: Campaign, *, now: datetime) -> None:
        self._campaign = campaign
        self._now = now
        self._cards = cards.by_variant(campaign)

    def compose(self, deliveries: Sequence[Delivery]) -> tuple[list[Message], dict[int, str]]:
        """Return the messages, and by delivery the reason where none could be made."""
        browsers = self._browsers([row.customer_id for row in deliveries])
        missing = {row.customer_id for row in deliveries} - browsers.keys()
        barred = gate.barred(self._campaign, missing) if missing else {}
        numbers = link_numbers(self._campaign, (card.url for card in self._cards.values()))
        made, failed = [], {}
        for row in deliveries:
            if targets := browsers.get(row.customer_id):
                made.append(self._message(row, targets, numbers))
            else:
                failed[row.pk] = barred.get(row.customer_id, "no_address")
        return made, failed

    def test(self, card: Card, customer: int, key: str) -> Message:
        """Return a test for the browsers of one customer, links as written."""
        targets = self._browsers([customer]).get(customer, {})
        # A tag of its own: a test takes the place of no message that a browser shows already.
        content = told(card, card.url, key)
        content["title"] = _("[Test] %(subject)s") % {"subject": card.title}
        return self._sealed(key, content, targets, key)

    def _message(
        self, row: Delivery, targets: Mapping[str, str], numbers: Mapping[str, int]
    ) -> Message:
        card = self._cards[row.variant_id or 0, row.locale]
        url = click_url(row.token or "", numbers[card.url])
        content = told(card, url, str(self._campaign.uuid))
        return self._sealed(str(row.pk), content, targets, f"{self._campaign.pk}-{row.pk}")

    def _sealed(
        self, key: str, content: Mapping[str, str], targets: Mapping[str, str], reference: str
    ) -> Message:
        body = json.dumps(content, ensure_ascii=False).encode()
        return Message(key, "", "", body, self._now, reference=reference, parameters=targets)

    def _browsers(self, customers: Collection[int]) -> dict[int, dict[str, str]]:
        """Return, by customer, the targets of their browsers by row; opened in one audited act."""
        people = targeting.reachable(self._campaign)
        people = people.filter(pk__in=customers)
        allowed = set(people.values_list("pk", flat=True))
        rows = PushSubscription.objects.live().filter(customer__in=allowed).order_by("pk")
        whose = dict(rows.values_list("pk", "customer_id"))
        actor = f"campaign:{self._campaign.uuid}"
        with purpose(self._campaign.purpose, actor=actor, now=self._now):
            opened = reveal_columns(
                rows.for_purpose(self._campaign.purpose),
                ["target"],
                self._campaign.purpose,
            )
        found: dict[int, dict[str, str]] = {}
        for pk, values in opened.items():
            if target := values.get("target"):
                found.setdefault(whose[pk], {})[str(pk)] = target
        return found
