"""The events of privacy itself and of the jobs below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from jobs import registry
from jobs.models import Job
from privacy import announcing, event_types, webhooks
from privacy.announcing import Fact
from privacy.event_types import Member

CUSTOMER = Member("customerId", "The shop's id of the customer.", can_be_null=True)
JOB_FINISHED = "job.finished"


def declare() -> None:
    """Register the types, and hear of jobs that end."""
    _of_customers()
    _of_addresses()
    event_types.register(
        JOB_FINISHED,
        _("A job has finished"),
        [
            Member("jobId", "The id under /v1/jobs.", "uuid"),
            Member("kind", "What it does, such as profiles.import_orders."),
            Member("state", "done, dead (failed for good) or cancelled."),
            Member("errorCode", "Why it failed; empty where it did not."),
        ],
        about="A background job ended, well or not. Jobs of every few seconds are left out.",
    )
    event_types.register(
        webhooks.TEST,
        _("Test"),
        [Member("webhookId", "The id under /v1/webhooks.", "uuid")],
        about="Somebody asked for a test. Sent to that webhook alone, once.",
    )
    registry.when_ended("privacy.webhooks", _jobs_ended)


def _of_customers() -> None:
    event_types.register(
        webhooks.ERASED,
        _("A customer was erased"),
        [
            Member(
                "customerId",
                "The shop's id of the customer; null in a replay once every webhook was told.",
                can_be_null=True,
            ),
            Member("erasureId", "The number of the erasure, as on its certificate.", "uuid"),
        ],
        about="Erase the customer too. Every webhook that hears of customers hears of this.",
        is_about_customers=True,
    )
    event_types.register(
        "consent.changed",
        _("A consent changed"),
        [
            CUSTOMER,
            Member("purpose", "Such as campaign.email."),
            Member("channel", "email, sms, push or onsite."),
            Member("state", "given, informed, withdrawn, or retracted: nothing is in force."),
        ],
        about="What is in force for a purpose and channel is another than before.",
        is_about_customers=True,
    )
    event_types.register(
        "customer.rights_changed",
        _("A customer's rights changed"),
        [
            CUSTOMER,
            Member("right", "restricted, objected or no_profiling."),
            Member("isSet", "Whether it was set, or lifted.", kind="boolean"),
        ],
        about="Processing was restricted, advertising or profiling objected to, or that lifted.",
        is_about_customers=True,
    )


def _of_addresses() -> None:
    event_types.register(
        "suppression.added",
        _("An address was suppressed"),
        [
            CUSTOMER,
            Member("channel", "email or sms."),
            Member("reason", "unsubscribed, bounced, complained or imported."),
        ],
        about="An address of a customer is not written to any more. "
        "Addresses of nobody are not told of.",
        is_about_customers=True,
    )
    event_types.register(
        "suppression.lifted",
        _("A suppression was lifted"),
        [
            CUSTOMER,
            Member("channel", "email or sms."),
            Member("reason", "Why it had been suppressed, as in suppression.added."),
        ],
        about="An address of a customer may be written to again, if its owner agrees to it.",
        is_about_customers=True,
    )


def _jobs_ended(jobs: Sequence[Job], now: datetime) -> None:
    announcing.announce(
        (
            Fact(
                JOB_FINISHED,
                {
                    "jobId": str(job.uuid),
                    "kind": job.kind,
                    "state": job.state,
                    "errorCode": job.error_code,
                },
            )
            for job in jobs
        ),
        now=now,
    )
