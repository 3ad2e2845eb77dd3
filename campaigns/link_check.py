"""Whether the addresses in a campaign's message answer: asked by a durable job, kept for review."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings

from campaigns import looking
from campaigns.models import Campaign, CheckedLink
from campaigns.models.checked_link import digest_of
from campaigns.rendering import links
from jobs import queue
from jobs.models import Job
from privacy import outbound, webhooks
from privacy.outbound import Guard, OutboundError

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.work import Work

JOB = "campaigns.check_links"
MOST = 60
SECONDS = 8.0
NO_HEAD = frozenset({403, 404, 405, 406, 429, 500, 501, 503})
HEADERS = {"User-Agent": "Candor-link-check", "Accept": "*/*"}
LONGEST = 262_144


def ask(campaign: Campaign, now: datetime) -> Job:
    """Ask that the campaign's links be checked, unless that is asked for already."""
    return queue.enqueue(JOB, {"campaign": campaign.pk}, now=now, unique_key=_key(campaign))


def under_way(campaign: Campaign) -> Job | None:
    return Job.objects.open().filter(unique_key=_key(campaign)).first()


def last(campaign: Campaign) -> datetime | None:
    """Return when the campaign's links were last asked."""
    rows = CheckedLink.objects.filter(campaign=campaign).order_by("-checked_at")
    return rows.values_list("checked_at", flat=True).first()


def run(work: Work, *, guard: Guard | None = None) -> dict[str, Any]:
    """Ask each address of the message once; what answered before a crash is not asked again."""
    campaign = Campaign.objects.get(pk=work.payload["campaign"])
    urls = targets(campaign, work.now)
    asking = guard or replace(webhooks.guard(), seconds=SECONDS)
    CheckedLink.objects.filter(campaign=campaign).exclude(url__in=urls).delete()
    for at, url in enumerate(urls):
        work.progress(at, len(urls))
        if at < work.cursor.get("n_done", 0):
            continue
        outcome = asked(url, asking)
        with work.step() as cursor:
            CheckedLink.objects.update_or_create(
                campaign=campaign,
                url_digest=digest_of(url),
                defaults={"url": url, "outcome": outcome, "checked_at": work.now},
            )
            cursor["n_done"] = at + 1
    return {"n_links": len(urls)}


def targets(campaign: Campaign, now: datetime) -> list[str]:
    """Return the addresses that anybody's message would lead to, ours left out."""
    found: dict[str, None] = {}
    for _variant, shown in looking.samples(campaign, now):
        found |= dict.fromkeys(links.targets(shown.html, shown.text))
    own = (f"{settings.PUBLIC_URL}/u/", f"{settings.PUBLIC_URL}/r/")
    return [url for url in found if not url.startswith(own)][:MOST]


def asked(url: str, guard: Guard) -> str:
    """Return the status that `url` answers with, or the code of why it does not.

    HEAD first; GET where that is refused, of which at most 256 KiB are read.
    """
    plain = url.partition("#")[0]
    try:
        status = outbound.head(plain, HEADERS, guard=guard)
        if status in NO_HEAD:
            status = _got(plain, guard)
    except OutboundError as error:
        return error.code
    return str(status)


def is_broken(outcome: str) -> bool:
    """Say whether an outcome means that readers would find nothing."""
    if outcome.isdecimal():
        return int(outcome) in {404, 410} or int(outcome) >= 500  # noqa: PLR2004 -- HTTP
    return outcome in {"unresolved", "invalid_url", "tls_failed", "not_connected"}


def _got(url: str, guard: Guard) -> int:
    try:
        return outbound.get(
            url, HEADERS, lambda _piece: None, guard=guard, max_bytes=LONGEST
        ).status
    except OutboundError as error:
        if error.code == "too_large":  # there it is, and long
            return 200
        raise


def _key(campaign: Campaign) -> str:
    return f"{JOB}:{campaign.pk}"
