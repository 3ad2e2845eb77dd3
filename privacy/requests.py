"""Requests of persons about their own data: from the form to the answer, against the clock.

unconfirmed -> open -> working -> done or refused; unconfirmed -> lapsed after a day.
Nothing tells whoever asks whether an address is known: the link goes to any address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from privacy import (
    audit,
    deadlines,
    erasure,
    letters,
    links,
    registry,
    rights,
    subject_export,
    suppression,
)
from privacy.crypto.blind_index import NotAnAddressError, normalise_email, tag
from privacy.keystore import keystore
from privacy.models import (
    Channel,
    Erasure,
    Letter,
    PrivacyRequest,
    Shop,
    Staff,
    Subject,
    SubjectExport,
    Suppression,
)
from privacy.problems import DomainError
from privacy.purposes import purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

State = PrivacyRequest.State
Kind = PrivacyRequest.Kind
CONFIRM_WITHIN = timedelta(days=1)
PER_ADDRESS_A_DAY = 3
PER_VISITOR_AN_HOUR = 10
REMIND_BEFORE = timedelta(days=7)
REMIND_EVERY = timedelta(days=1)
MAX_DETAILS = 2_000
FORGET_AFTER = timedelta(days=30)


# The person's side ------------------------------------------------------------------------


def submit(
    kind: str, email: str, *, details: str, language: str, visitor: str, now: datetime
) -> None:
    """Take a request in and mail the link that confirms it, to any address alike.

    A fourth request for an address in a day is passed over without a word. `visitor` is the
    caller's network address, kept for an hour as a keyed tag. Raises DomainError
    `invalid_email`, `unknown_kind`, `too_long` or `too_many_requests` (429).
    """
    _check(kind, details)
    _count(visitor)
    try:
        normalise_email(email)
    except NotAnAddressError:
        detail = _("This is not an e-mail address; it reads name@example.com.")
        raise DomainError("invalid_email", detail, pointer="/email") from None
    today = PrivacyRequest.objects.filter(created_at__gt=now - timedelta(days=1))
    if today.filter(email=email).count() >= PER_ADDRESS_A_DAY:
        return
    request = PrivacyRequest(
        subject=Subject.objects.create(restricted=True),
        kind=kind,
        law=Shop.current().privacy_law,
        language=language,
        created_at=now,
        email=email,
        details=details or None,
    )
    with transaction.atomic():
        request.save()
        letters.write(request, Letter.Kind.CONFIRM, now=now)


def _check(kind: str, details: str) -> None:
    if kind not in Kind.values:
        raise DomainError("unknown_kind", _("Choose what you ask for."), pointer="/kind")
    if len(details) > MAX_DETAILS:
        detail = _("Write at most %(n)d characters.") % {"n": MAX_DETAILS}
        raise DomainError("too_long", detail, pointer="/details")


def _count(visitor: str) -> None:
    name = f"request:{tag(keystore.index_key('throttle', 'visitor'), visitor).hex()}"
    cache.add(name, 0, timeout=3600)
    if cache.incr(name) > PER_VISITOR_AN_HOUR:
        detail = _("Too many requests from here; try again in an hour.")
        raise DomainError("too_many_requests", detail, status=429)


def waiting(token: str, *, now: datetime) -> PrivacyRequest | None:
    """Return the request a link may still confirm."""
    request = links.find(token)
    if request is None or request.state != State.UNCONFIRMED:
        return None
    return request if request.created_at > now - CONFIRM_WITHIN else None


def confirm(token: str, *, now: datetime) -> bool:
    """Open the request of a link, once; the clock runs from when it came in.

    An objection is done at once. Returns False for a link that is used, old or not ours.
    """
    request = waiting(token, now=now)
    if request is None or request.email is None:
        return False
    with purpose("subject.rights", actor="system:requests", now=now, reason="who is it about"):
        address = request.email.reveal()
    found = sorted(registry.subjects_at(Channel.EMAIL, address))
    with transaction.atomic():
        mine = PrivacyRequest.objects.filter(pk=request.pk, state=State.UNCONFIRMED)
        opened = mine.update(
            state=State.OPEN,
            confirmed_at=now,
            due_at=deadlines.due(request.law, request.created_at, zone()),
            about=found[0] if found else None,
        )
        if not opened:
            return False
        request.refresh_from_db()
        _tell(request, "request.confirmed", actor="system:requests", now=now)
        if request.kind == Kind.OBJECT:
            _object(request, address, now=now)
        elif not found:
            _close(request, State.DONE, Letter.Kind.NOTHING, actor="system:requests", now=now)
        else:
            letters.write(request, Letter.Kind.RECEIVED, now=now)
    return True


def _object(request: PrivacyRequest, address: str, *, now: datetime) -> None:
    """Advertising ends with the objection (art. 21(3) GDPR), known customer or not."""
    if request.about is not None:
        rights.switch(
            request.about, rights.Right.OBJECTION, on=True, actor="system:requests", now=now
        )
    suppression.suppress(
        Channel.EMAIL, address, reason=Suppression.Reason.UNSUBSCRIBED, now=now, source="request"
    )
    _close(request, State.DONE, Letter.Kind.DONE, actor="system:requests", now=now)


# The privacy officer's side ---------------------------------------------------------------


def begin(request: PrivacyRequest, *, staff: Staff, now: datetime) -> None:
    """Take an open request in hand. Raises DomainError `not_open`."""
    _move(request, State.WORKING, from_states=[State.OPEN, State.WORKING], handled_by=staff)
    _tell(request, "request.begun", actor=_actor(staff), now=now)


def erase(request: PrivacyRequest, *, staff: Staff, now: datetime) -> Erasure:
    """Erase the person; the request is closed by `settle` when the certificate is there."""
    person = _person(request)
    with transaction.atomic():
        begin(request, staff=staff, now=now)
        begun = erasure.begin(person, actor=_actor(staff), now=now)
        PrivacyRequest.objects.filter(pk=request.pk).update(erasure=begun)
    request.refresh_from_db()
    return begun


def export(request: PrivacyRequest, *, staff: Staff, now: datetime) -> SubjectExport:
    """Have the person's copy made for this request."""
    person = _person(request)
    begin(request, staff=staff, now=now)
    return subject_export.ask(person, actor=_actor(staff), now=now, request=request)


def restrict(request: PrivacyRequest, *, staff: Staff, now: datetime) -> None:
    """Restrict the use of the person's data, and close the request."""
    person = _person(request)
    with transaction.atomic():
        rights.switch(person, rights.Right.RESTRICTION, on=True, actor=_actor(staff), now=now)
        finish(request, staff=staff, now=now)


def correct(
    request: PrivacyRequest, changes: Mapping[str, str], *, staff: Staff, now: datetime
) -> list[str]:
    """Set what the person named as wrong; returns the names of the fields."""
    person = _person(request)
    with transaction.atomic():
        begin(request, staff=staff, now=now)
        return rights.correct(person, changes, actor=_actor(staff), now=now)


def extend(request: PrivacyRequest, reason: str, *, staff: Staff, now: datetime) -> None:
    """Take two more months under GDPR, with the reason the person is told.

    Raises DomainError `reason_missing`, `not_extendable`.
    """
    _need(reason)
    later = request.due_at and deadlines.extended(request.law, request.due_at, zone())
    if later is None or request.extended_at is not None or now > (request.due_at or now):
        raise DomainError(
            "not_extendable",
            _("This can be extended once, before it is due, and under GDPR only."),
            status=409,
        )
    with transaction.atomic():
        _move(request, State.WORKING, extended_at=now, due_at=later, reason=reason[:300])
        _tell(request, "request.extended", actor=_actor(staff), now=now)
        letters.write(request, Letter.Kind.EXTENDED, now=now, reason=reason[:300])


def refuse(request: PrivacyRequest, reason: str, *, staff: Staff, now: datetime) -> None:
    """Say no, with the reason the person is told. Raises DomainError `reason_missing`."""
    _need(reason)
    with transaction.atomic():
        _close(
            request, State.REFUSED, Letter.Kind.REFUSED, actor=_actor(staff), now=now, reason=reason
        )


def finish(request: PrivacyRequest, *, staff: Staff, now: datetime) -> None:
    """Close the request as done and tell the person. Raises DomainError `not_open`."""
    if request.kind == Kind.ERASE:
        raise DomainError(
            "not_erased", _("This is closed by the erasure's certificate."), status=409
        )
    with transaction.atomic():
        _close(request, State.DONE, Letter.Kind.DONE, actor=_actor(staff), now=now)


# What time does ---------------------------------------------------------------------------


def settle(now: datetime) -> int:
    """Close what an ended erasure answers, and let lapse what nobody confirmed."""
    erased = PrivacyRequest.objects.open().filter(
        erasure__state__in=[Erasure.State.DONE, Erasure.State.REPLAYED]
    )
    n_closed = 0
    for request in erased:
        with transaction.atomic():
            _close(request, State.DONE, Letter.Kind.DONE, actor="system:requests", now=now)
        n_closed += 1
    unconfirmed = PrivacyRequest.objects.filter(
        state=State.UNCONFIRMED, created_at__lte=now - CONFIRM_WITHIN
    )
    return n_closed + unconfirmed.update(state=State.LAPSED, closed_at=now)


def forget(now: datetime) -> int:
    """Destroy the address and words of requests that ended a month ago; returns how many.

    What stays is that something was asked and answered, by whom and when.
    """
    ended = PrivacyRequest.objects.filter(
        closed_at__lte=now - FORGET_AFTER, email_tag__isnull=False
    )
    n_forgotten = 0
    for request in ended.select_related("subject"):
        PrivacyRequest.objects.filter(pk=request.pk).update(email=None, details=None)
        erasure.destroy_key(request.subject.uuid)
        n_forgotten += 1
    return n_forgotten


def remind(now: datetime) -> int:
    """Mail the privacy officers about requests due within a week; returns how many are.

    The mail holds numbers and dates, nothing about who asked.
    """
    due = list(
        PrivacyRequest.objects.open()
        .filter(due_at__lt=now + REMIND_BEFORE)
        .exclude(reminded_at__gt=now - REMIND_EVERY)
        .order_by("due_at")
    )
    if not due:
        return 0
    officers = Staff.objects.filter(
        role__in=[Staff.Role.PRIVACY_OFFICER, Staff.Role.ADMINISTRATOR], is_active=True
    ).exclude(email="")
    for officer in officers:
        registry.carry(
            f"reminder-{officer.pk}-{now:%Y%m%d}",
            officer.email,
            _("Requests that are due: %(n)d") % {"n": len(due)},
            _reminder(due),
            now,
        )
    PrivacyRequest.objects.filter(pk__in=[one.pk for one in due]).update(reminded_at=now)
    return len(due)


def _reminder(due: Iterable[PrivacyRequest]) -> str:
    lines = [
        f"{one.due_at.astimezone(zone()):%Y-%m-%d}  {one.get_kind_display()}  "
        f"{settings.PUBLIC_URL}/admin/privacy/privacyrequest/{one.pk}/change/"
        for one in due
        if one.due_at
    ]
    return "\n".join(lines) + "\n"


# Moves ------------------------------------------------------------------------------------


def zone() -> ZoneInfo:
    return ZoneInfo(Shop.current().time_zone)


def _move(
    request: PrivacyRequest,
    state: str,
    *,
    from_states: Iterable[str] = (State.OPEN, State.WORKING),
    **columns: object,
) -> None:
    mine = PrivacyRequest.objects.filter(pk=request.pk, state__in=list(from_states))
    if not mine.update(state=state, **columns):
        raise DomainError("not_open", _("This request is not open."), status=409)
    request.refresh_from_db()


def _close(
    request: PrivacyRequest,
    state: str,
    letter: str,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
) -> None:
    _move(request, state, closed_at=now, reason=reason[:300] or request.reason)
    _tell(request, f"request.{state}", actor=actor, now=now)
    letters.write(request, letter, now=now, reason=reason[:300])


def _tell(request: PrivacyRequest, action: str, *, actor: str, now: datetime) -> None:
    about = [request.about_id.bytes] if request.about_id else []
    audit.append(action, actor=actor, at=now, subjects=about, reason=f"request {request.uuid}")


def _person(request: PrivacyRequest) -> Subject:
    if request.about is None:
        raise DomainError(
            "nobody_known", _("No customer has this address; there is nothing to do."), status=409
        )
    return request.about


def _need(reason: str) -> None:
    if not reason.strip():
        raise DomainError(
            "reason_missing", _("Write the reason; the person is told."), pointer="/reason"
        )


def _actor(staff: Staff) -> str:
    return f"staff:{staff.pk}"
