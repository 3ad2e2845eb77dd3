"""The message page of an on-site or push campaign: each variant's card in each language, with a preview and a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import approvals
from campaigns.models import Campaign, Card, Variant


class CardForm(forms.ModelForm[Card]):
    url = forms.URLField(
        label=gettext_lazy("Where it leads"), required=False, assume_scheme="https", max_length=500
    )
    image_url = forms.URLField(
        label=gettext_lazy("Image"), required=False, assume_scheme="https", max_length=500
    )

    class Meta:
        model = Card
        fields = ["title", "text", "button", "url", "image_url"]
        widgets = {"text": forms.Textarea(attrs={"rows": 2})}
        labels = {"title": gettext_lazy("Heading")}
        help_texts = {"title": gettext_lazy("Left empty, there is no message in this language.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["title"].required = False

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("title") and not given.get("url") and "url" not in self.errors:
            self.add_error("url", _("Say where the message leads."))
        return given


@dataclass(frozen=True)
class Row:
    variant: Variant
    locale: str
    language: str
    form: CardForm


def cards_page(
    request: HttpRequest, campaign: Campaign, looks: Mapping[str, Any], *, may_edit: bool
) -> HttpResponse:
    """GET shows all cards and `looks`, POST keeps them; an approval that they change is void."""
    posted = request.POST if request.method == "POST" and may_edit else None
    rows = _rows(campaign, posted)
    if posted is not None and all(row.form.is_valid() for row in rows):
        for row in rows:
            _keep(row.form)
        if approvals.void_if_edited(campaign, now=timezone.now()):
            messages.warning(request, _("The text changed, so the campaign needs a new approval."))
        messages.success(request, _("Message saved."))
        return redirect("admin:campaigns_campaign_texts", campaign.pk)
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "rows": rows,
        "may_edit": may_edit,
        **looks,
    }
    return render(request, "campaigns/admin/card_texts.html", context)


def _rows(campaign: Campaign, posted: Any) -> list[Row]:
    there = {
        (row.variant_id, row.locale): row for row in Card.objects.filter(variant__campaign=campaign)
    }
    found = []
    for variant in campaign.variants.order_by("key"):
        for locale, language in settings.LANGUAGES:
            row = there.get((variant.pk, locale)) or Card(variant=variant, locale=locale)
            form = CardForm(posted, instance=row, prefix=f"{variant.key}-{locale}", label_suffix="")
            found.append(Row(variant, locale, str(language), form))
    return found


def _keep(form: CardForm) -> None:
    if form.cleaned_data["title"].strip():
        form.save()
    elif form.instance.pk is not None:
        form.instance.delete()
