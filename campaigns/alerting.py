"""What staff should hear at once, in the group where they are: durable, once each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.channels.base import Outcome
from jobs import queue
from jobs.work import ObstacleError

if TYPE_CHECKING:
    from jobs.work import Work

JOB: Final = "campaigns.tell_staff"


class RobotAwayError(ObstacleError):
    """A robot did not take an alert; it is tried again."""


def tell(what: str, now: datetime, **facts: str) -> int:
    """Have every robot of STAFF_ROBOTS say it; the same again while it waits is said once."""
    for number in range(len(settings.STAFF_ROBOTS)):
        payload = {"robot": number, "what": what, "facts": facts}
        key = f"{JOB}:{number}:{what}:{':'.join(facts.values())}"[:200]
        queue.enqueue(JOB, payload, now=now, unique_key=key)
    return len(settings.STAFF_ROBOTS)


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


def in_words(what: str, facts: dict[str, str]) -> str:
    """Return an alert in the words of the shop's language."""
    words = {
        "provider_shut": _("%(provider)s fails (%(error)s); nothing is sent until it is back."),
        "review_asked": _("The campaign “%(campaign)s” asks for review."),
        "first_part_out": _("The first part of “%(campaign)s” is out; it waits for a decision."),
    }
    return words[what] % facts
