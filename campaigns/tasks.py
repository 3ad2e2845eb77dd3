"""Background work of campaigns: the durable jobs, and the pulse that sends what is due."""

from __future__ import annotations

from datetime import datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import (
    alerting,
    approvals,
    asking,
    attribution,
    automations,
    delivery,
    link_check,
    mailbox,
    scheduling,
    signing_up,
    throttling,
    tracking,
)
from campaigns.models import Campaign
from jobs.models import Job
from jobs.registry import job
from jobs.running import JobFailedError
from privacy.problems import DomainError

if TYPE_CHECKING:
    from jobs.work import Work

STEP_SECONDS = 60
# A message of Celery costs as much as several of mail, so that each is for many.
PULSE_BATCHES, PULSE_SECONDS = 4, 20
RECIPIENTS = PULSE_BATCHES * delivery.BATCH


@job(asking.PLAN, title=_("Plan of a campaign"), queue=Job.Queue.BATCH)
def plan(work: Work) -> dict[str, Any]:
    """Plan the campaign `payload["campaign"]`, as of `payload["as_of"]` or now."""
    campaign = Campaign.objects.get(pk=work.payload["campaign"])
    as_of = work.payload.get("as_of")
    moment = datetime.fromisoformat(as_of) if as_of else work.now
    try:
        delivery.plan(campaign, moment, progress=work.progress)
    except DomainError as error:
        raise JobFailedError(error.code, error.detail) from error
    return _counts(campaign)


@job(signing_up.JOB, title=_("Letter of a sign-up"), queue=Job.Queue.DEFAULT, max_attempts=12)
def send_sign_up_letter(work: Work) -> dict[str, Any]:
    return signing_up.send_letter(work)


@job(asking.SEND, title=_("Sending of a campaign"), queue=Job.Queue.SEND)
def send(work: Work) -> dict[str, Any]:
    """Launch the campaign if need be and send what is due.

    Stops after a minute unless `payload["to_the_end"]`: the pulse goes on from there.
    """
    campaign = Campaign.objects.get(pk=work.payload["campaign"])
    if campaign.status == Campaign.Status.PLANNED:
        approvals.launch(campaign)
    messages = campaign.deliveries.exclude(state="holdout")
    n_total, n_open = messages.count(), messages.open().count()
    began = monotonic()
    work.progress(n_total - n_open, n_total)
    while _send_some(campaign, work):
        work.progress(n_total - messages.open().count(), n_total)
        if not work.payload.get("to_the_end") and monotonic() - began > STEP_SECONDS:
            break
    return _counts(campaign)


def _send_some(campaign: Campaign, work: Work) -> bool:
    """Send a batch; says if there may be more, which to the end means: in other hands too."""
    if delivery.send_due(work.now, campaign=campaign):
        return True
    if not work.payload.get("to_the_end"):
        return False
    held = campaign.deliveries.filter(state__in=["claimed", "sending"])
    due = campaign.deliveries.due(work.now, [campaign.pk])
    if not held.exists() and not (
        throttling.limit(work.now, channel=campaign.channel) and due.exists()
    ):
        return False
    sleep(1)
    return True


@job(asking.COUNT, title=_("Count of campaigns' orders"), queue=Job.Queue.BATCH)
def attribute(work: Work) -> dict[str, Any]:
    """Count orders, one step a campaign: `payload["campaign"]`, or all that can still change."""
    one = work.payload.get("campaign")
    campaigns = list(Campaign.objects.filter(pk=one)) if one else attribution.unsettled(work.now)
    for n_done, campaign in enumerate(campaigns):
        work.progress(n_done, len(campaigns))
        if campaign.pk > work.cursor.get("campaign", 0):
            with work.step() as cursor:
                attribution.attribute(campaign, work.now)
                cursor["campaign"] = campaign.pk
    return {"n_campaigns": len(campaigns)}


@job(mailbox.JOB, title=_("Reading of the bounce mailbox"), is_routine=True)
def read_mailbox(work: Work) -> dict[str, Any]:
    """Read what came back since the last time."""
    return mailbox.read_new(work)


@job(alerting.JOB, title=_("Alert to staff"), is_routine=True)
def tell_staff(work: Work) -> dict[str, Any]:
    """Say one alert to one robot."""
    return alerting.send(work)


@job(alerting.MAIL, title=_("Letter to staff"), is_routine=True)
def mail_staff(work: Work) -> dict[str, Any]:
    """Write one alert to one person."""
    return alerting.mail(work)


@job(link_check.JOB, title=_("Check of a message's links"))
def check_links(work: Work) -> dict[str, Any]:
    """Ask every address in the message of the campaign `payload["campaign"]`."""
    try:
        return link_check.run(work)
    except DomainError as error:
        raise JobFailedError(error.code, error.detail) from error


@shared_task
def tell_hits() -> None:
    """Tell the profiles what readers did, once it is sure that they were readers."""
    tracking.tell(timezone.now())


@shared_task
def wake_mailbox() -> None:
    """Ask that the bounce mailbox be read, if there is one."""
    mailbox.ask(timezone.now())


@job(asking.ENTER, title=_("Entries of automations"), queue=Job.Queue.SEND, is_routine=True)
def enter(work: Work) -> dict[str, Any]:
    """Let in whoever set an automation off, one step an automation."""
    n_added = 0
    for automation in automations.running():
        if automation.pk > work.cursor.get("automation", 0):
            with work.step() as cursor:
                n_added += automations.enter(automation, work.now)
                cursor["automation"] = automation.pk
    return {"n_deliveries": n_added}


@shared_task
def enter_due() -> None:
    """Ask for the entries of automations, if one is on."""
    if automations.running():
        asking.ask_for_entries(timezone.now())


@shared_task
def attribute_hourly() -> None:
    """Ask for a count of the orders, unless one is waiting or running."""
    asking.ask_for_count(timezone.now())


@shared_task
def advance() -> None:
    """Plan, launch or expire what is scheduled and due."""
    scheduling.advance(timezone.now())


@shared_task
def send_due() -> None:
    """Send some batches, and say so to the next worker if there is more."""
    began = monotonic()
    for _batch in range(PULSE_BATCHES):
        if delivery.send_due(timezone.now()) < delivery.BATCH:
            return
        if monotonic() - began > PULSE_SECONDS:
            break
    send_due.delay()


def _counts(campaign: Campaign) -> dict[str, Any]:
    return {"status": Campaign.objects.get(pk=campaign.pk).status, **campaign.counts()}
