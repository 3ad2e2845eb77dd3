"""When recurring work is due; each entry only wakes a worker up, which asks the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery.schedules import crontab

HOUR = 3600


def recurring(queues: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The entries of Celery's beat, one pulse for each of `queues` among them."""
    return {
        "sweep": every(5, "jobs.tasks.sweep_jobs", queue="critical"),
        "advance-campaigns": every(5, "campaigns.tasks.advance", queue="send"),
        "enter-automations": every(60, "campaigns.tasks.enter_due", queue="send"),
        "send-due": every(3, "campaigns.tasks.send_due", queue="send"),
        "tell-hits": every(15, "campaigns.tasks.tell_hits"),
        "read-bounces": every(120, "campaigns.tasks.wake_mailbox"),
        "send-webhooks": every(2, "privacy.tasks.send_webhooks", queue="send"),
        "merge-events": every(2, "profiles.tasks.wake_merge"),
        "prune-jobs": at(crontab(hour=3, minute=0), "jobs.tasks.prune_jobs"),
        "rotate-due-keys": at(crontab(hour=3, minute=20), "privacy.tasks.rotate_due_keys"),
        "keep-events": every(HOUR, "profiles.tasks.keep_events_in_order"),
        "clean": every(HOUR, "profiles.tasks.clean_hourly"),
        "sweep-carts": every(300, "profiles.tasks.sweep_carts"),
        "sign-audit": every(60, "privacy.tasks.sign_audit"),
        "verify-audit": at(crontab(hour=3, minute=40), "privacy.tasks.verify_audit_nightly"),
        "keep-clocks": every(HOUR, "privacy.tasks.keep_clocks"),
        "attribute-orders": at(crontab(minute=10), "campaigns.tasks.attribute_hourly"),
        "apply-retention": at(crontab(hour=1, minute=30), "privacy.tasks.retain_nightly"),
        "refresh-segments": at(crontab(minute=40), "profiles.tasks.refresh_segments_hourly"),
        "build-profiles": at(crontab(hour=2, minute=0), "profiles.tasks.build_nightly"),
        "train-scores": at(crontab(hour=2, minute=15), "profiles.tasks.train_scores_nightly"),
        "fetch-feeds": every(300, "recommendations.tasks.fetch_due_feeds"),
        "forget-old-prices": at(
            crontab(hour=3, minute=50), "recommendations.tasks.forget_old_nightly"
        ),
        "train-recommendations": at(
            crontab(hour=2, minute=30), "recommendations.tasks.train_nightly"
        ),
    } | {
        f"pulse-{queue}": every(15, "jobs.tasks.pulse", queue=queue, kwargs={"queue": queue})
        for queue in queues
    }


def every(seconds: int, task: str, *, queue: str = "default", **more: Any) -> dict[str, Any]:
    """One entry; a message nobody took until the next one is due is dropped."""
    return {"task": task, "schedule": seconds, "options": _options(queue, seconds), **more}


def at(when: crontab, task: str, *, queue: str = "default") -> dict[str, Any]:
    return {"task": task, "schedule": when, "options": _options(queue, HOUR)}


def _options(queue: str, seconds: int) -> dict[str, Any]:
    return {"queue": queue, "expires": seconds}
