"""Connecting a shop: what it puts where, and whether anything of it has arrived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from privacy import doors
from privacy.models import ApiKey, Source
from profiles import snippet
from profiles.events import debugging
from profiles.events.debugging import Line, Wanted
from profiles.models import EventDay, EventVerdict

SERVER_SCOPES: Final = ("events:write",)
BROWSERS: Final = {Source.Kind.WEBSITE: ApiKey.Kind.WRITE, Source.Kind.APP: ApiKey.Kind.APP}
SAMPLES: Final[dict[str, str | Promise]] = {
    "curl": "curl",
    "python": "Python",
    "node": "Node",
    "php": "PHP",
}


@dataclass(frozen=True)
class Keys:
    """In plain, for this once; a placeholder stands where there is none."""

    browser: str = "YOUR_BROWSER_KEY"
    server: str = "YOUR_SECRET_KEY"


@dataclass(frozen=True)
class Sample:
    name: str
    title: str | Promise
    text: str


class State(StrEnum):
    WAITING = "waiting"
    REFUSED = "refused"
    REJECTED = "rejected"
    ON = "on"


@dataclass(frozen=True)
class Light:
    """Whether a source is connected: `line` is what says so, `at` when it came."""

    state: State
    at: datetime | None = None
    line: Line | None = None


def issue(source: Source, *, is_test: bool, origins: list[str], actor: str, now: datetime) -> Keys:
    """Make the keys that the samples need, with no more scopes than they need.

    Raises DomainError `invalid_origin` where an origin is not exact.
    """
    exact = [doors.exact_origin(origin) for origin in origins]
    make = partial(doors.issue, source, is_test=is_test, actor=actor, now=now)
    keys = Keys(server=make(kind=ApiKey.Kind.SECRET, scopes=SERVER_SCOPES)[1])
    if kind := BROWSERS.get(Source.Kind(source.kind)):
        keys = replace(keys, browser=make(kind=kind, origins=exact)[1])
    return keys


def samples(source: Source, keys: Keys) -> list[Sample]:
    """What can be copied and run as it stands, once there are keys."""
    facts = {"host": settings.PUBLIC_URL, "key": keys.server}
    written = [
        Sample(name, title, render_to_string(f"profiles/samples/{name}.txt", facts))
        for name, title in SAMPLES.items()
    ]
    if source.kind == Source.Kind.WEBSITE:
        title = _("In the head of every page of the shop")
        written.insert(0, Sample("snippet", title, f"{snippet.tag(keys.browser)}\n"))
        asked = render_to_string("profiles/samples/onsite.txt", facts | {"key": keys.browser})
        pushed = render_to_string("profiles/samples/push.txt", facts | {"key": keys.browser})
        written.append(Sample("push", _("Push messages to browsers"), pushed))
        written.append(Sample("onsite", _("Content of on-site campaigns in a page"), asked))
    return written


def light(source: Source, *, since: datetime | None, now: datetime) -> Light:
    """What of the source arrived, since keys were made or ever."""
    came = debugging.lines(Wanted(source_id=source.pk, since=since), now=now, limit=20)
    good = next((line for line in came if line.verdict != EventVerdict.Verdict.REJECTED), None)
    if good:
        return Light(State.ON, good.received_at, good)
    if came:
        return Light(State.REJECTED, came[0].received_at, came[0])
    if since is None:
        days = EventDay.objects.filter(source=source).order_by("-day")
        return Light(State.ON) if days.exists() else Light(State.WAITING)
    used = ApiKey.objects.filter(source=source, last_used_at__gte=since).order_by("-last_used_at")
    at = used.values_list("last_used_at", flat=True).first()
    return Light(State.REFUSED, at) if at else Light(State.WAITING)
