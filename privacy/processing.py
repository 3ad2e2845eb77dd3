"""The record of processing activities (art. 30 GDPR, art. 55 PIPL), written from what is declared.

Nothing is typed twice: activities come from the registry of purposes, recipients and periods
from their own pages, measures from how the installation is set up.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from privacy import retention, use_rules
from privacy.models import Channel, PurposeRecord, Recipient, Shop, Staff, UseRule
from privacy.purpose_registry import REGISTRY, Known, Purpose
from privacy.spreadsheets import cell

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

KNOWN: Final[dict[Known, StrOrPromise]] = {
    Known.ATTRIBUTES: gettext_lazy("Country, city, age, gender, occupation, language"),
    Known.BEHAVIOUR: gettext_lazy("Orders, carts, events, messages opened"),
    Known.PROFILE: gettext_lazy("Traits, segments, personas"),
    Known.CHOICES: gettext_lazy("Consents, objections, suppressed addresses"),
}


@dataclass(frozen=True)
class Controller:
    """Who answers for it all: art. 30(1)(a)."""

    name: str
    address: str
    email: str
    privacy_contact: str


@dataclass(frozen=True)
class Activity:
    """One purpose, in the columns of art. 30(1)(b) to (f), and what more one asks of it."""

    code: str
    purpose: str
    legal_basis: str
    data_subjects: str
    personal_data: list[str]
    channels: list[str]
    opened_by: list[str]
    kept: str
    needs_consent: bool
    is_automated: bool
    confirmed_on: date | None
    valid_until: date | None


@dataclass(frozen=True)
class Receiver:
    """Somebody outside who gets data: art. 30(1)(d) and (e)."""

    name: str
    kind: str
    country: str
    safeguard: str
    since: date
    until: date | None


@dataclass(frozen=True)
class Period:
    """How long one kind of data is kept: art. 30(1)(f)."""

    what: str
    days: int | None
    reason: str


@dataclass(frozen=True)
class Record:
    controller: Controller
    activities: list[Activity]
    recipients: list[Receiver]
    periods: list[Period]
    measures: list[str]
    written_at: datetime


COLUMNS: Final[dict[str, StrOrPromise]] = {
    "controller": gettext_lazy("Controller"),
    "purpose": gettext_lazy("Purpose"),
    "legal_basis": gettext_lazy("Lawful basis"),
    "data_subjects": gettext_lazy("Data subjects"),
    "personal_data": gettext_lazy("Personal data"),
    "channels": gettext_lazy("Channels"),
    "opened_by": gettext_lazy("May be opened by"),
    "recipients": gettext_lazy("Recipients"),
    "transfers": gettext_lazy("Countries and safeguards"),
    "kept": gettext_lazy("Kept"),
    "needs_consent": gettext_lazy("Needs consent"),
    "is_automated": gettext_lazy("Automated decision"),
    "confirmed_on": gettext_lazy("Confirmed by counsel on"),
    "valid_until": gettext_lazy("Valid until"),
    "measures": gettext_lazy("Security measures"),
}


def record(now: datetime) -> Record:
    """Return the record as of now, in the active language."""
    shop = Shop.current()
    today = now.date()
    stored = {one.name: one for one in PurposeRecord.objects.filter(is_known=True)}
    openers = _openers(now)
    current = Recipient.objects.filter(Q(until__isnull=True) | Q(until__gte=today))
    return Record(
        controller=Controller(
            shop.name, shop.legal_footer, shop.sender_email, shop.privacy_contact
        ),
        activities=[
            _activity(purpose, stored.get(purpose.name), openers.get(purpose.name, []))
            for purpose in REGISTRY.values()
        ],
        recipients=[
            Receiver(
                one.name, one.get_kind_display(), one.country, one.safeguard, one.since, one.until
            )
            for one in current.order_by("name")
        ],
        periods=[
            Period(str(schedule.title), days, str(schedule.reason))
            for schedule, days in retention.periods()
        ],
        measures=_measures(),
        written_at=now,
    )


def to_json(found: Record) -> str:
    return json.dumps(asdict(found), ensure_ascii=False, indent=1, default=str)


def to_csv(found: Record) -> str:
    """One line an activity, with what holds for all of them repeated, as authorities ask for it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([cell(str(title)) for title in COLUMNS.values()])
    for_all = {
        "controller": _joined(value for value in asdict(found.controller).values() if value),
        "recipients": _joined(f"{one.name} ({one.kind})" for one in found.recipients),
        "transfers": _joined(
            ": ".join(filter(None, (one.name, one.country, one.safeguard)))
            for one in found.recipients
            if one.country
        ),
        "measures": _joined(found.measures),
    }
    for activity in found.activities:
        said = {name: _text(value) for name, value in asdict(activity).items()} | for_all
        writer.writerow([cell(said[name]) for name in COLUMNS])
    return out.getvalue()


def data_of(purpose: Purpose) -> list[str]:
    """What personal data the purpose uses, in words."""
    sealed = [UseRule.DataClass(name) for name in UseRule.DataClass.values]
    opened = [str(one.label) for one in sealed if one.value in purpose.data_classes]
    return opened + [str(KNOWN[one]) for one in Known if one in purpose.known]


def _activity(purpose: Purpose, stored: PurposeRecord | None, openers: list[str]) -> Activity:
    return Activity(
        code=purpose.name,
        purpose=str(purpose.label),
        legal_basis=str(purpose.basis),
        data_subjects=str(purpose.people),
        personal_data=data_of(purpose),
        channels=[str(one.label) for one in Channel if one.value in purpose.channels],
        opened_by=openers,
        kept=str(purpose.retention),
        needs_consent=purpose.needs_consent,
        is_automated=purpose.is_automated,
        confirmed_on=stored.confirmed_on if stored else None,
        valid_until=stored.valid_until if stored else None,
    )


def _openers(now: datetime) -> dict[str, list[str]]:
    """Which roles of staff may open values for a purpose, by its name: as the use rules say."""
    found: dict[str, set[str]] = {}
    for rule in use_rules.in_force(now):
        if rule.kind == UseRule.Kind.ROLE and rule.who in Staff.Role.values:
            found.setdefault(rule.purpose, set()).add(str(Staff.Role(rule.who).label))
    return {purpose: sorted(roles) for purpose, roles in found.items()}


def _measures() -> list[str]:
    """What protects the data, as this installation is set up: art. 30(1)(g), art. 32(1)."""
    second = (
        _("Staff sign in with a second factor.")
        if settings.STAFF_MFA == "required"
        else _("Staff may set up a second factor; nobody has to (STAFF_MFA).")
    )
    return [
        _(
            "Values that name a person are sealed with AES-256-GCM under a key of each person's"
            " own. The keys stand in a database apart, wrapped by the key provider “%(name)s”."
        )
        % {"name": settings.KEY_PROVIDER},
        _(
            "Values are shown masked. To open one takes a permission, a purpose, a use rule and a"
            " fresh sign-in; a signed audit chain notes it first."
        ),
        second,
        _("An erasure destroys the person's key and is repeated after every restore."),
        _("What is kept long enough is deleted every night."),
    ]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return _joined(value)
    return "" if value is None else str(value)


def _joined(values: Iterable[object]) -> str:
    return "; ".join(str(value) for value in values)
