"""The link map: which links of a campaign's messages people follow, and what machines did."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from campaigns import following, picking
from campaigns.models import Campaign


@permission_required("campaigns.view_campaign", raise_exception=True)
def links_page(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    rows = following.links(campaign)
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "rows": rows,
        "most": max((row.n_people for row in rows), default=0),
        "products": picking.pulled(campaign),
        "n_with_products": picking.n_shown(campaign),
        "machines": following.machines(campaign),
        "n_sent": following.n_out(campaign),
    }
    return render(request, "campaigns/admin/links.html", context)
