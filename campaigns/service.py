"""Transactional messages: what the shop's server asks for, one customer at a time.

At least once: a message whose fate is not known is sent again, under the same Message-ID.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import approvals, occasions, writing
from campaigns.models import Campaign, Delivery, ServiceMessage, Variant
from campaigns.rendering import locales
from campaigns.rendering.content import Reader
from campaigns.rendering.faults import TemplateError
from privacy.models import Shop
from privacy.problems import DomainError
from profiles import segmentation
from profiles.models import Customer, Segment

if TYPE_CHECKING:
    from privacy.models import Staff

PURPOSE = "service.email"
MAX_DATA = 16_384
MAX_DEPTH = 5
EVERYBODY = {"combinator": "and", "not": False, "rules": []}
Kind, Status = Campaign.Kind, Campaign.Status


@transaction.atomic
def create(key: str, name: str, *, starter: str, staff: Staff, now: datetime) -> Campaign:
    """Make a transactional message, not on yet. Raises DomainError `key_taken`."""
    if Campaign.objects.filter(key=key).exists() or Campaign.objects.filter(name=name).exists():
        raise DomainError("key_taken", _("Another message has this key or name."), pointer="/key")
    segment = Segment.objects.filter(rule=EVERYBODY).order_by("pk").first()
    made = Campaign.objects.create(
        name=name,
        key=key,
        kind=Kind.TRANSACTIONAL,
        purpose=PURPOSE,
        segment=segment or segmentation.create(_("All customers"), EVERYBODY, now=now),
        holdout_ppm=0,
        created_by=staff,
        created_at=now,
    )
    writing.start_from(Variant.objects.create(campaign=made, key="A"), starter)
    return made


@transaction.atomic
def switch_on(campaign: Campaign, *, staff: Staff, now: datetime) -> None:
    """Approve the message as it stands and take calls for it. Raises DomainError."""
    approvals.approve(campaign, staff=staff, now=now)
    approvals.change(campaign, [Status.APPROVED], status=Status.SENDING, planned_at=now)


def switch_off(campaign: Campaign) -> None:
    """Take no calls for it any more; its text can be edited again."""
    approvals.change(
        campaign, [Status.SENDING, Status.PAUSED], **approvals.UNAPPROVED, pause_reason=""
    )


def ask(
    key: str,
    customer_id: str,
    *,
    data: Mapping[str, Any],
    locale: str = "",
    once: str = "",
    now: datetime,
) -> ServiceMessage:
    """Take a message on and return it; it goes out within seconds.

    `once` names the call: repeated, it returns the same message. Raises DomainError
    `message_unknown`, `message_off`, `customer_unknown`, `data_too_large`, `template_fault`.
    """
    campaign = _find(key)
    customer = Customer.objects.select_related("subject").filter(external_id=customer_id).first()
    if customer is None:
        raise DomainError(
            "customer_unknown",
            _("There is no customer of this id."),
            status=HTTPStatus.NOT_FOUND,
            pointer="/customerId",
        )
    occurrence = sha256(once.encode()).hexdigest() if once else uuid4().hex
    if (there := _of(campaign, customer, occurrence)) is not None:
        return there
    variant = campaign.variants.get()
    language = locales.choose(
        locale or customer.locale,
        writing.languages(campaign),
        shop_language=Shop.current().language,
    )
    _check(campaign, variant, language, data, now)
    return _store(
        campaign,
        customer,
        variant=variant,
        occurrence=occurrence,
        language=language,
        data=data,
        now=now,
    )


def find(uuid: Any) -> ServiceMessage | None:
    rows = ServiceMessage.objects.defer("data")
    return rows.select_related("delivery__campaign", "delivery__customer").filter(uuid=uuid).first()


def _find(key: str) -> Campaign:
    campaign = Campaign.objects.filter(kind=Kind.TRANSACTIONAL, key=key).first()
    if campaign is None:
        raise DomainError(
            "message_unknown",
            _("There is no transactional message of this key."),
            status=HTTPStatus.NOT_FOUND,
            pointer="/template",
        )
    if campaign.status != Status.SENDING:
        raise DomainError(
            "message_off",
            _("The message is not on: have it approved and switched on."),
            status=HTTPStatus.CONFLICT,
            pointer="/template",
        )
    return campaign


def _of(campaign: Campaign, customer: Customer, occurrence: str) -> ServiceMessage | None:
    rows = ServiceMessage.objects.select_related("delivery__campaign", "delivery__customer")
    return rows.filter(
        delivery__campaign=campaign, delivery__customer=customer, delivery__occurrence=occurrence
    ).first()


def _check(
    campaign: Campaign, variant: Variant, language: str, data: Mapping[str, Any], now: datetime
) -> None:
    """Render once, so that a call that lacks what the template names is refused, not lost."""
    if len(json.dumps(data)) > MAX_DATA or occasions.depth(data) > MAX_DEPTH:
        raise DomainError(
            "data_too_large",
            _("The data may have %(n)s bytes and %(depth)s levels.")
            % {"n": MAX_DATA, "depth": MAX_DEPTH},
            pointer="/data",
        )
    content = writing.contents(campaign)[variant.pk, language]
    reader = Reader(occasion={"data": data})
    try:
        content.render(writing.frame(campaign, language, now=now), reader, unsubscribe_url="")
    except TemplateError as error:
        raise DomainError("template_fault", writing.explain(error), pointer="/data") from None


@transaction.atomic
def _store(
    campaign: Campaign,
    customer: Customer,
    *,
    variant: Variant,
    occurrence: str,
    language: str,
    data: Mapping[str, Any],
    now: datetime,
) -> ServiceMessage:
    delivery, is_new = Delivery.objects.get_or_create(
        campaign=campaign,
        customer=customer,
        occurrence=occurrence,
        defaults={
            "variant": variant,
            "bucket": 0,
            "locale": language,
            "state": Delivery.State.PLANNED,
            "due_at": now,
            "entered_at": now,
            "token": occasions.new_token(),
        },
    )
    if not is_new:  # the same call, a moment ago
        return ServiceMessage.objects.select_related("delivery").get(delivery=delivery)
    return ServiceMessage.objects.create(
        subject=customer.subject, delivery=delivery, data=json.dumps(data), asked_at=now
    )
