"""The demo from nothing to a whole shop, as steps with a name each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError

from config.demo import filling, flaws, marketing
from jobs import running
from jobs.models import Job
from privacy.models import Shop
from profiles import asking as asking_profiles
from recommendations import asking as asking_recommendations

# So long ago the shop looked at its customers before: what changed since shows in the comparison.
LOOKED_BEFORE = timedelta(days=42)
Step = tuple[str, Callable[[], object]]


def is_whole() -> bool:
    """Whether a demo was made to its end here; a half-made one is made anew."""
    try:
        return Shop.objects.filter(is_demo=True).exists()
    except OperationalError:
        return False


def renew_password(password: str) -> None:
    filling.owner(password)


def steps(password: str, *, now: datetime, n_customers: int) -> list[Step]:
    """What makes the shop, in order; each step is one verb a real shop's data goes through."""
    kept: dict[str, Any] = {}
    before = now - LOOKED_BEFORE

    def imagine() -> None:
        kept["world"] = filling.imagine(now, n_customers=n_customers)

    def plan() -> None:
        kept["campaigns"] = marketing.plan(kept["world"], kept["owner"])

    def open_shop() -> None:
        filling.open_shop(now)
        kept["owner"] = filling.owner(password)

    def with_campaigns(act: Callable[..., object]) -> Callable[[], object]:
        return lambda: act(kept["world"], kept["campaigns"])

    return [
        ("Imagining a year", imagine),
        ("Opening the shop", open_shop),
        ("Filling the shelves", lambda: filling.fill_shelves(kept["world"])),
        ("Registering customers", lambda: filling.register_people(kept["world"])),
        ("Merging events", lambda: filling.tell_events(kept["world"])),
        ("Taking orders", lambda: filling.take_orders(kept["world"], kept["world"].year.purchases)),
        ("Getting things wrong", lambda: get_things_wrong(kept["world"])),
        ("Planning campaigns", plan),
        ("Letting messages work", with_campaigns(marketing.let_people_buy)),
        (
            "Training recommendations",
            lambda: run_job(asking_recommendations.ask_for_training(now), now),
        ),
        ("Sending campaigns", with_campaigns(marketing.send)),
        ("Counting clicks", with_campaigns(marketing.let_people_click)),
        ("Telling who answered", lambda: marketing.tell_who_answered(kept["world"])),
        ("Looking back", lambda: run_job(asking_profiles.ask_for_build(before), before)),
        ("Building profiles", lambda: run_job(asking_profiles.ask_for_build(now), now)),
        ("Training scores", lambda: run_job(asking_profiles.ask_for_scores(now), now)),
        ("Attributing orders", with_campaigns(marketing.count_what_it_earned)),
        ("Closing the books", lambda: Shop.objects.update(is_demo=True)),
    ]


def get_things_wrong(world: filling.World) -> None:
    flaws.take_flawed_orders(world)
    flaws.tell_flawed_events(world)
    run_job(asking_profiles.ask_for_cleaning(world.now), world.now)


def run_job(waiting: Job, now: datetime) -> None:
    """Run a durable job here and now. Raises RuntimeError with its code if it does not end well."""
    done = running.run(waiting.pk, clock=lambda: now)
    if done is None or done.state != Job.State.DONE:
        raise RuntimeError(f"{waiting.kind} ended as {done.error_code if done else 'not ours'}")
