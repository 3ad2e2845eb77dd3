"""The message page of a text-message campaign: each variant's text in each language, with its length and a preview."""

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

from campaigns import approvals, texting, writing
from campaigns.models import Campaign, SmsText, Variant
from campaigns.rendering import sms
from campaigns.rendering.sms import Size


class SmsForm(forms.ModelForm[SmsText]):
    """A text; its parameters a line each, as `name = value`."""

    lines = forms.CharField(
        label=gettext_lazy("Parameters of the registered text"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy("One a line: name = {{ customer.first_name }}"),
    )

    class Meta:
        model = SmsText
        fields = ["text", "template_id"]
        widgets = {"text": forms.Textarea(attrs={"rows": 4, "data-sms": ""})}
        help_texts = {
            "text": gettext_lazy("Left empty, there is no message in this language."),
            "template_id": gettext_lazy("Where the gateway sends registered texts alone."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].required = False
        kept = self.instance.parameters.items()
        self.initial["lines"] = "\n".join(f"{name} = {value}" for name, value in kept)

    def clean_lines(self) -> str:
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["lines"].splitlines(), start=1):
            name, sign, value = (part.strip() for part in line.partition("="))
            if line.strip() and not (sign and name.isidentifier()):
                raise forms.ValidationError(
                    _("Line %(n)d must read name = value.") % {"n": number}, code="invalid"
                )
            if line.strip():
                found[name] = value
        self.instance.parameters = found
        return str(self.cleaned_data["lines"])


@dataclass(frozen=True)
class Row:
    """One text's form with the length of what is saved, as one reader would get it."""

    variant: Variant
    locale: str
    language: str
    form: SmsForm
    size: Size
    fields: dict[str, str]


def sms_page(
    request: HttpRequest, campaign: Campaign, looks: Mapping[str, Any], *, may_edit: bool
) -> HttpResponse:
    """GET shows all texts and `looks`, POST keeps them; an approval that they change is void."""
    posted = request.POST if request.method == "POST" and may_edit else None
    short_link = texting.sample_short_link() if texting.has_short_links(campaign) else ""
    rows = _rows(campaign, posted, short_link)
    if posted is not None and all(row.form.is_valid() for row in rows):
        for row in rows:
            _keep(row)
        if approvals.void_if_edited(campaign, now=timezone.now()):
            messages.warning(request, _("The text changed, so the campaign needs a new approval."))
        messages.success(request, _("Message saved."))
        return redirect("admin:campaigns_campaign_texts", campaign.pk)
    context = {
        **admin.site.each_context(request),
        "title": campaign.name,
        "campaign": campaign,
        "rows": rows,
        "sign": texting.sign(),
        "short_link": short_link,
        "may_edit": may_edit,
        **looks,
    }
    return render(request, "campaigns/admin/sms_texts.html", context)


def _rows(campaign: Campaign, posted: Any, short_link: str) -> list[Row]:
    there = {
        (row.variant_id, row.locale): row
        for row in SmsText.objects.filter(variant__campaign=campaign)
    }
    now, found = timezone.now(), []
    frames = {locale: writing.frame(campaign, locale, now=now) for locale, _ in settings.LANGUAGES}
    for variant in campaign.variants.order_by("key"):
        for locale, language in settings.LANGUAGES:
            row = there.get((variant.pk, locale)) or SmsText(variant=variant, locale=locale)
            form = SmsForm(posted, instance=row, prefix=f"{variant.key}-{locale}", label_suffix="")
            sent = texting.as_sent(row, frames[locale], short_link)
            size = sms.size(texting.sign() + sent)
            fields = texting.sample_fields(frames[locale])
            found.append(Row(variant, locale, str(language), form, size, fields))
    return found


def _keep(row: Row) -> None:
    if row.form.cleaned_data["text"].strip():
        row.form.save()
    elif row.form.instance.pk is not None:
        row.form.instance.delete()
