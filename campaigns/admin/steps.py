"""What a campaign may do next, as buttons; each button is one verb."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from campaigns import approvals, asking, cloning, pace, scheduling, targeting, throttling
from campaigns.models import Campaign, Delivery
from privacy.admin.viewing import shop_of
from privacy.models import Staff
from privacy.problems import DomainError
from profiles import segmentation

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Status = Campaign.Status


@dataclass(frozen=True)
class Verb:
    """A button: `act` does it, `permission` opens it, `status` are the states it is shown in.

    `of_archived` says whether it is for archived campaigns, for the others, or for both.
    """

    label: Any
    permission: str
    status: frozenset[str]
    act: Callable[[Campaign, Staff, datetime], object]
    is_main: bool = False
    of_archived: bool | None = None

    def suits(self, campaign: Campaign) -> bool:
        archived = campaign.archived_at is not None
        return campaign.status in self.status and self.of_archived in {None, archived}


SEND, APPROVE, PAUSE = (
    "campaigns.send_campaign",
    "campaigns.approve_campaign",
    "campaigns.pause_campaign",
)
VERBS = {
    "approve": Verb(
        gettext_lazy("Approve"),
        APPROVE,
        frozenset({Status.DRAFT, Status.REVIEW}),
        lambda campaign, staff, now: approvals.approve(campaign, staff=staff, now=now),
        is_main=True,
    ),
    "review": Verb(
        gettext_lazy("Ask for review"),
        "campaigns.change_campaign",
        frozenset({Status.DRAFT}),
        lambda campaign, staff, now: approvals.ask_for_review(campaign, staff=staff, now=now),
    ),
    "schedule": Verb(
        gettext_lazy("Schedule"),
        SEND,
        frozenset({Status.APPROVED}),
        lambda campaign, staff, now: scheduling.schedule(campaign, staff=staff, now=now),
        is_main=True,
    ),
    "undo": Verb(
        gettext_lazy("Undo the schedule"),
        SEND,
        frozenset({Status.SCHEDULED}),
        lambda campaign, _staff, _now: scheduling.undo(campaign),
        is_main=True,
    ),
    "withdraw": Verb(
        gettext_lazy("Back to draft"),
        "campaigns.change_campaign",
        frozenset({Status.REVIEW, Status.APPROVED}),
        lambda campaign, _staff, _now: approvals.withdraw(campaign),
    ),
    "plan": Verb(
        gettext_lazy("Fix the audience"),
        SEND,
        frozenset({Status.APPROVED}),
        lambda campaign, _staff, now: asking.ask_for_plan(campaign.pk, now),
    ),
    "send": Verb(
        gettext_lazy("Send"),
        SEND,
        frozenset({Status.PLANNED}),
        lambda campaign, _staff, now: asking.ask_for_sending(campaign.pk, now),
        is_main=True,
    ),
    "pause": Verb(
        gettext_lazy("Pause"),
        PAUSE,
        frozenset({Status.SENDING}),
        lambda campaign, _staff, _now: approvals.pause(campaign),
    ),
    "resume": Verb(
        gettext_lazy("Resume"),
        SEND,
        frozenset({Status.PAUSED}),
        lambda campaign, _staff, now: approvals.resume(campaign, now=now),
        is_main=True,
    ),
    "rest": Verb(
        gettext_lazy("Send to the rest"),
        SEND,
        frozenset({Status.FINISHED}),
        lambda campaign, _staff, now: approvals.send_to_the_rest(campaign, now=now),
    ),
    "cancel": Verb(
        gettext_lazy("Cancel"),
        SEND,
        frozenset(
            {
                Status.APPROVED,
                Status.SCHEDULED,
                Status.PLANNING,
                Status.PLANNED,
                Status.SENDING,
                Status.PAUSED,
            }
        ),
        lambda campaign, _staff, now: approvals.cancel(campaign, now=now),
    ),
    "archive": Verb(
        gettext_lazy("Archive"),
        "campaigns.change_campaign",
        frozenset({Status.DRAFT, *approvals.OVER}),
        lambda campaign, _staff, now: approvals.archive(campaign, now=now),
        of_archived=False,
    ),
    "take_back": Verb(
        gettext_lazy("Take out of the archive"),
        "campaigns.change_campaign",
        frozenset(Status),
        lambda campaign, _staff, _now: approvals.take_back(campaign),
        of_archived=True,
    ),
}


MOVING = {Status.SCHEDULED, Status.PLANNING, Status.SENDING}
N_NOTES = 50
PAUSES = {
    "staff": gettext_lazy("Paused by hand."),
    "message_changed": gettext_lazy("Paused: the message is not the approved one any more."),
    "restored": gettext_lazy("Paused: the data was restored from a backup."),
    approvals.FIRST_PART: gettext_lazy(
        "The first part is out. Look at the report and the deliveries, then resume for the others."
    ),
}


def overview(request: HttpRequest, object_id: str) -> dict[str, Any]:
    """What the head of a campaign's page shows: state, audience, faults, buttons."""
    if not object_id.isdecimal():
        raise Http404
    campaign = get_object_or_404(Campaign.objects.select_related("segment"), pk=object_id)
    now = timezone.now()
    is_open = campaign.status in {Status.DRAFT, *approvals.WATCHED}
    has_audience = is_open and not targeting.faults(campaign)
    working = asking.moving(campaign.pk).first()
    estimate = targeting.estimate(campaign, now) if has_audience else None
    return {
        "campaign": campaign,
        "estimate": estimate,
        "warmed_up_on": throttling.warmed_up_on(estimate.n_messages, now, channel=campaign.channel)
        if estimate
        else None,
        "faults": approvals.faults(campaign, now=now) if is_open else [],
        "counts": None
        if is_open
        else [(Delivery.State(state).label, n) for state, n in campaign.counts().items()],
        "rule_words": segmentation.in_words(
            campaign.segment, request.LANGUAGE_CODE, currency=shop_of(request).currency
        ),
        "also": campaign.also.order_by("name"),
        "excluded": campaign.excluded.order_by("name"),
        "working": working,
        "is_moving": working is not None or campaign.status in MOVING,
        "pause_words": PAUSES.get(campaign.pause_reason, campaign.pause_reason),
        "pace": pace.of(campaign, now) if campaign.status in pace.UNDER_WAY else None,
        "limited": _limited(campaign, now),
        "notes": campaign.notes.select_related("staff").order_by("-at", "-pk")[:N_NOTES],
        "may_say": request.user.has_perm("campaigns.view_campaign"),
        "may_send_back": campaign.status == Status.REVIEW and request.user.has_perm(APPROVE),
        "may_clone": request.user.has_perm("campaigns.add_campaign"),
        "verbs": offered(request, campaign),
    }


def _limited(campaign: Campaign, now: datetime) -> StrOrPromise:
    found = (
        throttling.limit(now, channel=campaign.channel)
        if campaign.status == Status.SENDING
        else None
    )
    return throttling.in_words(found) if found else ""


def offered(
    request: HttpRequest, campaign: Campaign, *, only: Container[str] | None = None
) -> list[tuple[str, Verb]]:
    """Return the verbs that the campaign's state and the person's role allow."""
    return [
        (name, verb)
        for name, verb in VERBS.items()
        if campaign.kind == Campaign.Kind.CAMPAIGN
        and (only is None or name in only)
        and verb.suits(campaign)
        and request.user.has_perm(verb.permission)
    ]


@require_POST
def verb_action(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Do one verb; a refusal is shown with everything that is wrong."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if (found := VERBS.get(verb)) is None:
        raise Http404
    if not isinstance(request.user, Staff) or not request.user.has_perm(found.permission):
        raise PermissionDenied
    try:
        found.act(campaign, request.user, timezone.now())
    except DomainError as error:
        told = [error.detail, *(fault.detail for fault in error.errors)]
        messages.error(request, " ".join(dict.fromkeys(told)))
    else:
        messages.success(request, _("%(verb)s: done.") % {"verb": found.label})
    return redirect("admin:campaigns_campaign_change", pk)


@require_POST
def say_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a comment; with `back` it sends a campaign in review back to draft."""
    campaign = get_object_or_404(Campaign, pk=pk)
    sends_back = "back" in request.POST
    needed = APPROVE if sends_back else "campaigns.view_campaign"
    if not isinstance(request.user, Staff) or not request.user.has_perm(needed):
        raise PermissionDenied
    say = approvals.send_back if sends_back else approvals.comment
    try:
        say(campaign, staff=request.user, text=request.POST.get("text", ""), now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect("admin:campaigns_campaign_change", pk)


@require_POST
def clone_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a draft like this campaign and open it."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if not isinstance(request.user, Staff) or not request.user.has_perm("campaigns.add_campaign"):
        raise PermissionDenied
    made = cloning.clone(campaign, staff=request.user, now=timezone.now())
    messages.success(request, _("This is the copy, a draft."))
    return redirect("admin:campaigns_campaign_change", made.pk)
