"""Asking for the background work of campaigns: each kind of job, its facts and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import queue
from jobs.models import Job

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.models.job import JobQuerySet
    from jobs.queue import Way

PLAN, SEND, COUNT = "campaigns.plan", "campaigns.send", "campaigns.attribute"
ENTER = "campaigns.enter"


def ask_for_plan(
    campaign: int, now: datetime, *, as_of: datetime | None = None, way: Way = queue.enqueue
) -> Job:
    """Ask for the plan of a campaign, as of a moment or else of when it is made."""
    payload = {"campaign": campaign} | ({"as_of": as_of.isoformat()} if as_of else {})
    return way(PLAN, payload, now=now, unique_key=_key(PLAN, campaign))


def ask_for_sending(
    campaign: int, now: datetime, *, to_the_end: bool = False, way: Way = queue.enqueue
) -> Job:
    """Ask that a planned campaign's messages go out: for a minute, or to the end."""
    payload = {"campaign": campaign, "to_the_end": to_the_end}
    return way(SEND, payload, now=now, unique_key=_key(SEND, campaign))


def ask_for_count(now: datetime, *, campaign: int | None = None, way: Way = queue.enqueue) -> Job:
    """Ask that the orders of a campaign, or of all whose counts can change, be counted anew."""
    payload = {} if campaign is None else {"campaign": campaign}
    return way(COUNT, payload, now=now, unique_key=_key(COUNT, campaign))


def ask_for_entries(now: datetime, way: Way = queue.enqueue) -> Job:
    """Ask that whoever set an automation off since the last time gets its messages planned."""
    return way(ENTER, {}, now=now, unique_key=ENTER)


def moving(campaign: int) -> JobQuerySet:
    """Return the open jobs that move a campaign on: its plan, its sending."""
    return Job.objects.open().filter(unique_key__in=[_key(PLAN, campaign), _key(SEND, campaign)])


def counting(campaign: int) -> Job | None:
    """Return the open job that counts the campaign's orders."""
    return Job.objects.open().filter(unique_key=_key(COUNT, campaign)).first()


def _key(kind: str, campaign: int | None) -> str:
    return kind if campaign is None else f"{kind}:{campaign}"
