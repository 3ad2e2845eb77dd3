"""Five steps to see what the shop can do; each ends on a result and takes a minute."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Campaign
from privacy.models import Staff
from profiles.models import Customer, Persona, Segment
from recommendations.models import TrainingRun


@dataclass(frozen=True)
class Item:
    text: str
    url: str
    is_done: bool


def checklist(request: HttpRequest) -> list[Item]:
    """The steps for whoever looks, empty once they were put away."""
    if isinstance(request.user, Staff) and request.user.checklist_hidden_at:
        return []
    campaign = (
        Campaign.objects.plans().filter(planned_at__isnull=False).order_by("planned_at").first()
    )
    draft = Campaign.objects.plans().filter(status=Campaign.Status.DRAFT).order_by("-pk").first()
    return [
        Item(
            _("Bring in orders and customers"),
            reverse("admin:profiles_upload_changelist"),
            Customer.objects.exists(),
        ),
        Item(
            _("Read who your customers are"),
            reverse("admin:profiles_persona_changelist"),
            Persona.objects.exists(),
        ),
        Item(
            _("Choose an audience and watch its size"),
            reverse("admin:profiles_segment_add"),
            Segment.objects.exists(),
        ),
        Item(
            _("Preview a message for one masked customer"),
            reverse("admin:campaigns_campaign_texts", args=[draft.pk])
            if draft
            else reverse("admin:campaigns_campaign_add"),
            Campaign.objects.plans().exists(),
        ),
        Item(
            _("Read what a campaign earned, and why a product was shown"),
            reverse("admin:campaigns_campaign_report", args=[campaign.pk])
            if campaign
            else reverse("admin:recommendations_trainingrun_inspect"),
            TrainingRun.objects.exists() and campaign is not None,
        ),
    ]


@require_POST
@login_required(login_url="admin:login")
def hide_action(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, Staff):
        Staff.objects.filter(pk=request.user.pk).update(checklist_hidden_at=timezone.now())
    return redirect("admin:index")
