"""Letters to who asked: written when they are sent, in the person's language, never stored."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from jobs import queue
from jobs.work import ObstacleError
from privacy import links, registry
from privacy.models import Letter, PrivacyRequest, Shop
from privacy.purposes import purpose
from privacy.registry import Carried

if TYPE_CHECKING:
    from jobs.work import Work

JOB = "privacy.send_letters"


class MailAwayError(ObstacleError):
    """The mail server did not take a letter; it is tried again."""


def write(request: PrivacyRequest, kind: str, *, now: datetime, reason: str = "") -> Letter:
    """Have a letter sent to who asked; `reason` is what the officer wrote for the person."""
    with transaction.atomic():
        letter = Letter.objects.create(request=request, kind=kind, reason=reason, created_at=now)
        queue.enqueue(JOB, {"letter": letter.pk}, now=now, unique_key=f"{JOB}:{letter.pk}")
    return letter


def send(work: Work) -> dict[str, Any]:
    """Send the letter of `payload["letter"]`; raises MailAwayError to be tried again."""
    letter = Letter.objects.select_related("request").get(pk=work.payload["letter"])
    if letter.state != Letter.State.WAITING or letter.request.email is None:
        return {"state": letter.state}
    now = work.now
    with purpose("subject.rights", actor="system:letters", now=now, reason=letter.kind):
        address = letter.request.email.reveal()
    with translation.override(letter.request.language):
        title, text = compose(letter)
    carried, code = registry.carry(f"letter-{letter.pk}", address, title, text, now)
    if carried is Carried.LATER:
        raise MailAwayError(_("The mail server did not take a letter (%(c)s).") % {"c": code})
    state = Letter.State.SENT if carried is Carried.SENT else Letter.State.FAILED
    with work.step():
        Letter.objects.filter(pk=letter.pk).update(state=state, code=code[:40], sent_at=now)
    return {"state": state}


def compose(letter: Letter) -> tuple[str, str]:
    """Return subject line and text in the language that is active."""
    request = letter.request
    shop = Shop.current().name or _("The shop")
    text = _bodies(letter)[Letter.Kind(letter.kind)]
    title = _("Your request: %(kind)s") % {"kind": request.get_kind_display()}
    number = _("Your request has the number %(number)s.") % {"number": request.uuid}
    greeting = _("Hello,")
    more = _("Whatever else you want to know or change about your data, ask here: %(link)s")
    more %= {"link": f"{settings.PUBLIC_URL}{reverse('ask-about-data')}"}
    return f"{title} · {shop}", f"{greeting}\n\n{text}\n\n{number}\n{more}\n\n{shop}\n"


def _bodies(letter: Letter) -> dict[Letter.Kind, str]:
    request = letter.request
    due = date_format(request.due_at, "DATE_FORMAT") if request.due_at else ""
    facts = {
        "link": f"{settings.PUBLIC_URL}/privacy/requests/{links.token(request)}/",
        "due": due,
        "kind": request.get_kind_display(),
        "reason": letter.reason,
    }
    kinds = Letter.Kind
    return {
        kinds.CONFIRM: _(
            "somebody, we hope you, asked us about the data held under this address: "
            "%(kind)s. Confirm it here within a day; the link works once:\n\n%(link)s\n\n"
            "If it was not you, do nothing: nothing happens."
        )
        % facts,
        kinds.RECEIVED: _("we have your request and answer it by %(due)s at the latest.") % facts,
        kinds.NOTHING: _("we looked: we hold no data about a customer with this address.") % facts,
        kinds.EXTENDED: _(
            "we need longer than a month for your request, until %(due)s, because: %(reason)s "
            "You may complain to the data protection authority."
        )
        % facts,
        kinds.DONE: _done(request),
        kinds.REFUSED: _(
            "we cannot do what you asked, because: %(reason)s You may complain to the data "
            "protection authority, and go to court."
        )
        % facts,
    }


def _done(request: PrivacyRequest) -> str:
    kinds = PrivacyRequest.Kind
    return {
        kinds.ACCESS: _("the copy of your data is made; you get it from us separately."),
        kinds.ERASE: _(
            "your data is erased. We keep a code that stops mail to this address, and what the "
            "law has us keep about orders, without your name. Certificate: %(number)s."
        )
        % {"number": request.erasure.uuid if request.erasure else "–"},
        kinds.CORRECT: _("your data is corrected."),
        kinds.RESTRICT: _("we store your data but use it no more."),
        kinds.OBJECT: _("you get no more advertising from us."),
    }[kinds(request.kind)]
