"""What staff should hear at once, by mail and in the group where they are: durable, once each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.channels.base import Outcome
from jobs import queue
from jobs.work import ObstacleError
from privacy import registry
from privacy.models import Shop, Staff
from privacy.registry import Carried

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from jobs.work import Work

JOB: Final = "campaigns.tell_staff"
MAIL: Final = "campaigns.mail_staff"


class RobotAwayError(ObstacleError):
    """A robot did not take an alert; it is tried again."""


class MailAwayError(ObstacleError):
    """The mail server did not take an alert; it is tried again."""


def tell(
    what: str,
    now: datetime,
    *,
    to: QuerySet[Staff] | None = None,
    about: int | None = None,
    **facts: str,
) -> int:
    """Have every robot of STAFF_ROBOTS say it, and a letter to those of `to` with an address.

    The same again while it waits is said once. `about` is the campaign a letter links to.
    Returns how many are told.
    """
    words = f"{what}:{':'.join(facts.values())}"
    for number in range(len(settings.STAFF_ROBOTS)):
        payload = {"robot": number, "what": what, "facts": facts}
        queue.enqueue(JOB, payload, now=now, unique_key=f"{JOB}:{number}:{words}"[:200])
    people = [] if to is None else list(_addressed(to).values_list("pk", flat=True))
    for pk in people:
        letter = {"staff": pk, "what": what, "facts": facts, "campaign": about}
        letter["key"] = uuid4().hex
        queue.enqueue(MAIL, letter, now=now, unique_key=f"{MAIL}:{pk}:{words}"[:200])
    return len(settings.STAFF_ROBOTS) + len(people)


def _addressed(people: QuerySet[Staff]) -> QuerySet[Staff]:
    return people.filter(is_active=True).exclude(email="").order_by("pk")


def send(work: Work) -> dict[str, Any]:
    """Say one alert to one robot; raises RobotAwayError to be tried again."""
    from campaigns.channels import robots  # noqa: PLC0415 -- slow to load

    urls = robots.check(settings.STAFF_ROBOTS)
    if work.payload["robot"] >= len(urls):
        return {"state": "gone"}
    text = in_words(work.payload["what"], work.payload["facts"])
    result = robots.tell(urls[work.payload["robot"]], text, work.now)
    if result.outcome is Outcome.LATER:
        raise RobotAwayError(_("A robot did not take an alert (%(c)s).") % {"c": result.code})
    return {"state": result.outcome.value, "code": result.code}


def mail(work: Work) -> dict[str, Any]:
    """Write one alert to one person in their language; raises MailAwayError to be tried again."""
    staff = _addressed(Staff.objects.filter(pk=work.payload["staff"])).first()
    if staff is None or not Shop.current().sender_email:
        return {"state": "gone" if staff is None else "no_sender"}
    with translation.override(staff.language or settings.LANGUAGE_CODE):
        title = in_words(work.payload["what"], work.payload["facts"])
        lines = [title, _link(work.payload["campaign"]), _("You can answer on that page.")]
    text = "\n\n".join(lines) + "\n"
    carried, code = registry.carry(
        f"alert-{work.payload['key']}", staff.email, title, text, work.now
    )
    if carried is Carried.LATER:
        raise MailAwayError(_("The mail server did not take a letter (%(c)s).") % {"c": code})
    return {"state": carried.value, "code": code}


def _link(campaign: int) -> str:
    return settings.PUBLIC_URL + reverse("admin:campaigns_campaign_change", args=[campaign])


def in_words(what: str, facts: dict[str, str]) -> str:
    """Return an alert in the words of the language that is active."""
    words = {
        "provider_shut": _("%(provider)s fails (%(error)s); nothing is sent until it is back."),
        "review_asked": _("The campaign “%(campaign)s” asks for review."),
        "first_part_out": _("The first part of “%(campaign)s” is out; it waits for a decision."),
    }
    return words[what] % facts
