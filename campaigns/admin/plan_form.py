"""The form of a campaign's facts, whole or a step of it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from campaigns import block_words, utm
from campaigns.making import PURPOSES
from campaigns.models import Campaign
from campaigns.rendering import starters
from privacy.models import Channel, Shop
from profiles.admin.amounts import in_money

MILLION = 1_000_000
MAX_DAYS = 365
ONSITE = ("placement", "times_shown", "ends_at")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content")


def _title(obj: Any) -> str:
    return str(obj.title(get_language() or "en"))


class CampaignForm(forms.ModelForm[Campaign]):
    """The plan's facts, in the units people think in: percent and whole currency."""

    holdout = forms.DecimalField(
        label=_("Holdout, %"),
        min_value=0,
        max_value=50,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=_("This part of the audience gets no message, so that the effect shows."),
    )
    message_cost = forms.DecimalField(
        label=_("Cost per message"),
        min_value=0,
        max_value=1000,
        decimal_places=6,
        widget=UnfoldAdminDecimalFieldWidget,
    )
    by = forms.ChoiceField(
        label=_("Channel"),
        required=False,
        choices=[(one, Channel(one).label) for one in PURPOSES],
        widget=UnfoldAdminSelectWidget,
        help_text=_("It stays as it is chosen here."),
    )
    starter = forms.ChoiceField(
        label=_("Start from"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("For e-mail; a text message starts from a short text."),
    )

    class Meta:
        model = Campaign
        fields = [
            *("name", "goal", "segment", "also", "excluded", "topic", "attribution_days"),
            *("adds_utm", *UTM, *ONSITE),
            *("starts_at", "local_time", "latest_start", "first_percent"),
            *("fixed_cost_minor", "budget_minor", "offer_minor"),
        ]
        labels = dict(zip(UTM, UTM, strict=True))  # as analytics spell them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (days := self.fields.get("attribution_days")) is not None:
            days.validators += [MinValueValidator(1), MaxValueValidator(MAX_DAYS)]
        money = ("fixed_cost_minor", "budget_minor", "offer_minor")
        in_money(self, Shop.current().currency, *money)
        campaign = self.instance
        self.initial.update(
            {
                "holdout": Decimal(campaign.holdout_ppm) / 10_000,
                "message_cost": Decimal(campaign.cost_per_message_micros) / MILLION,
            }
        )
        topic = self.fields.get("topic")
        if isinstance(topic, forms.ModelChoiceField):
            topic.label_from_instance = _title  # type: ignore[method-assign]
        for name, default in utm.defaults(campaign, "").items():
            if (field := self.fields.get(name)) is not None:
                field.widget.attrs["placeholder"] = default or _("the variant's letter")
        choice = self.fields.get("starter")
        if isinstance(choice, forms.ChoiceField):
            choice.choices = [(name, block_words.starter(name)) for name in starters.names()]

    def save(self, commit: bool = True) -> Campaign:  # noqa: FBT001, FBT002 -- Django's signature
        campaign, given = self.instance, self.cleaned_data
        if "holdout" in given:
            campaign.holdout_ppm = int(given["holdout"] * 10_000)
        if "message_cost" in given:
            campaign.cost_per_message_micros = int(given["message_cost"] * MILLION)
        if campaign._state.adding and (purpose := PURPOSES.get(given.get("by", ""))):
            campaign.channel, campaign.purpose = given["by"], purpose
        return super().save(commit)


class StepForm(CampaignForm):
    """Some of the facts; the others stay as they are."""

    def __init__(self, names: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        self.fields = {name: self.fields[name] for name in names}
        for field in self.fields.values():
            if isinstance(field, forms.DateTimeField):
                field.widget = forms.DateTimeInput(
                    attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
                )
