"""The privacy home: what is held, for what, until when; who waits for an answer; keys and audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from privacy import inventory, requests, rotation
from privacy.admin import access
from privacy.admin.requests import SOON, clock
from privacy.admin.root_keys import TITLES
from privacy.fields import ClearClass
from privacy.inventory import Kept
from privacy.keystore import keystore
from privacy.models import (
    Consent,
    PrivacyRequest,
    PurposeRecord,
    RecipientNotice,
    RootKey,
    Subject,
    SubjectKey,
    UseRule,
)
from privacy.providers import KeyUnavailableError
from privacy.registry import Action

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

CLEAR: Final[dict[str, StrOrPromise]] = {
    ClearClass.PSEUDONYM: gettext_lazy("The shop's own id"),
    ClearClass.PLACE: gettext_lazy("City, country, time zone"),
    ClearClass.AGE: gettext_lazy("Year of birth"),
    ClearClass.GENDER: gettext_lazy("Gender"),
    ClearClass.OCCUPATION: gettext_lazy("Occupation"),
    ClearClass.LANGUAGE: gettext_lazy("Language"),
    ClearClass.NOTE: gettext_lazy("Notes of staff"),
}
FATES: Final[dict[Action, StrOrPromise]] = {
    Action.DELETE: gettext_lazy("deleted"),
    Action.NULL: gettext_lazy("emptied of the person"),
    Action.AGGREGATE: gettext_lazy("kept without the person"),
    Action.SHRED: gettext_lazy("destroyed"),
    Action.KEEP: gettext_lazy("kept"),
}
N_REQUESTS: Final = 8
CHECKED_WITHIN: Final = timedelta(days=2)


@dataclass(frozen=True)
class Notice:
    """Something that needs a hand, and where that is done."""

    text: str
    url: str
    tone: str = "warn"


@dataclass(frozen=True)
class Held:
    """A data class as the page tells of it."""

    label: str
    is_sealed: bool
    n: int
    tables: str
    purposes: str
    kept: str


@dataclass(frozen=True)
class Table:
    label: str
    n: int
    is_exact: bool
    fate: str
    kept: str


@dataclass(frozen=True)
class Epoch:
    """A version of the key that wraps people's keys, with how many it wraps."""

    version: int
    created_at: datetime
    days: int
    n_keys: int


@staff_member_required
def privacy_home(request: HttpRequest) -> HttpResponse:
    """The page above all of privacy; who may not see it gets the list of what they may."""
    if not request.user.has_perm("privacy.view_purposerecord"):
        return admin.site.app_index(request, "privacy")
    now = timezone.now()
    head, keys, zone = access.head(), _keys(now), requests.zone()
    held = Subject.objects.filter(erased_at__isnull=True)
    open_ones = PrivacyRequest.objects.open()
    waiting = open_ones.select_related("handled_by").defer("email", "details").order_by("due_at")
    context = {
        **admin.site.each_context(request),
        "title": _("Privacy"),
        "notices": [*_faults(now, head, keys), *_clocks(now), *_papers(now)],
        # A request is sealed under a subject of its own, who is nobody else.
        "n_people": held.count() - PrivacyRequest.objects.count(),
        "n_erased": Subject.objects.filter(erased_at__isnull=False).count(),
        "n_open": open_ones.count(),
        "n_consents": Consent.objects.filter(state="given").count(),
        "requests": [(asked, *clock(asked, now, zone=zone)) for asked in waiting[:N_REQUESTS]],
        "held": [_held(one) for one in inventory.by_class(now)],
        "tables": [_table(one) for one in inventory.by_table(now)],
        "keys": keys,
        "head": head,
    }
    return render(request, "privacy/home.html", context)


def _faults(now: datetime, head: dict[str, Any], keys: dict[str, Any]) -> Iterator[Notice]:
    """What is wrong with the audit log and the keys."""
    audit_log = reverse("admin:privacy_auditentry_changelist")
    if head["fault"]:
        yield Notice(head["fault"], audit_log, "bad")
    if not head["is_guarded"]:
        text = _("The database no longer refuses changes of the audit log.")
        yield Notice(text, audit_log, "bad")
    if head["last"] and head["verified_at"] is None:
        yield Notice(_("The audit log was never checked yet."), audit_log)
    elif head["last"] and now - head["verified_at"] > CHECKED_WITHIN:
        yield Notice(_("The audit log has not been checked for two days."), audit_log)
    key_page = reverse("admin:privacy_rootkey_changelist")
    if keys["trouble"]:
        yield Notice(keys["trouble"], key_page, "bad")
    if keys["is_due"]:
        yield Notice(_("The newest key epoch is older than 90 days."), key_page)


def _clocks(now: datetime) -> Iterator[Notice]:
    """Which requests are late or soon will be."""
    page = reverse("admin:privacy_privacyrequest_changelist")
    if n := PrivacyRequest.objects.overdue(now).count():
        text = ngettext("%(n)d request is overdue.", "%(n)d requests are overdue.", n) % {"n": n}
        yield Notice(text, page, "bad")
    if n := PrivacyRequest.objects.open().filter(due_at__gte=now, due_at__lt=now + SOON).count():
        text = ngettext(
            "%(n)d request is due within a week.", "%(n)d requests are due within a week.", n
        ) % {"n": n}
        yield Notice(text, page)


def _papers(now: datetime) -> Iterator[Notice]:
    """What counsel has not seen, what ends, and who was not told of an erasure."""
    purposes = reverse("admin:privacy_purposerecord_changelist")
    known = PurposeRecord.objects.filter(is_known=True)
    if n := known.filter(confirmed_on__isnull=True).count():
        text = ngettext(
            "The lawful basis of %(n)d purpose is not confirmed by counsel yet.",
            "The lawful bases of %(n)d purposes are not confirmed by counsel yet.",
            n,
        ) % {"n": n}
        yield Notice(text, purposes)
    soon = (now + timedelta(days=30)).date()
    if n := known.filter(valid_until__lt=soon, valid_until__gte=now.date()).count():
        text = ngettext(
            "%(n)d purpose ends within 30 days.", "%(n)d purposes end within 30 days.", n
        ) % {"n": n}
        yield Notice(text, purposes)
    if n := RecipientNotice.objects.filter(state=RecipientNotice.State.PENDING).count():
        text = ngettext(
            "%(n)d recipient waits to be told of an erasure.",
            "%(n)d recipients wait to be told of an erasure.",
            n,
        ) % {"n": n}
        yield Notice(text, reverse("admin:privacy_erasure_changelist"))


def _keys(now: datetime) -> dict[str, Any]:
    """Whether the provider answers, how old each epoch is, what it wraps, what is being rotated."""
    trouble = ""
    try:
        keystore.ring()
    except KeyUnavailableError as error:
        trouble = str(error)
    wrapped = dict(SubjectKey.objects.values_list("epoch").annotate(n=Count("pk")).order_by())
    epochs = RootKey.objects.filter(use=RootKey.Use.KEK).order_by("-version")
    jobs = [(title, rotation.last(what)) for what, title in TITLES.items()]
    return {
        "provider": settings.KEY_PROVIDER,
        "trouble": trouble,
        "is_due": rotation.is_due(now),
        "epochs": [
            Epoch(
                one.version,
                one.created_at,
                (now - one.created_at).days,
                wrapped.get(one.version, 0),
            )
            for one in epochs
        ],
        "rotations": [(title, job) for title, job in jobs if job is not None],
    }


def _held(one: inventory.Values) -> Held:
    label = UseRule.DataClass(one.data_class).label if one.is_sealed else CLEAR[one.data_class]
    return Held(
        label=str(label),
        is_sealed=one.is_sealed,
        n=one.n,
        tables=", ".join(str(model._meta.verbose_name_plural) for model in one.tables),
        purposes=", ".join(str(purpose.label) for purpose in one.purposes),
        kept="; ".join(filter(None, map(_period, one.kept))),
    )


def _table(one: inventory.Rows) -> Table:
    return Table(
        label=str(one.holding.model._meta.verbose_name_plural),
        n=one.n,
        is_exact=one.is_exact,
        fate=str(FATES[one.holding.action]),
        kept=_period(one.kept),
    )


def _period(kept: Kept) -> str:
    if kept.until:
        return str(kept.until).rstrip(".。")
    if kept.days is not None:
        return ngettext("%(n)d day", "%(n)d days", kept.days) % {"n": kept.days}
    return str(kept.schedule.reason).rstrip(".。") if kept.schedule else ""
