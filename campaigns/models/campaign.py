from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.models import Channel

if TYPE_CHECKING:
    from datetime import datetime


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def plans(self) -> CampaignQuerySet:
        """Those that people make, schedule and report on; no automation, nothing transactional."""
        return self.filter(kind=Campaign.Kind.CAMPAIGN)

    def sending(self, now: datetime) -> CampaignQuerySet:
        """Those whose messages go out as of `now`: a campaign past its end sends nothing more."""
        in_time = models.Q(latest_start__isnull=True) | models.Q(latest_start__gte=now)
        return self.filter(in_time, status=Campaign.Status.SENDING)


class Campaign(models.Model):
    """One message plan aimed at one segment, with its variants and its holdout.

    `key` is what the shop's server calls a transactional message by.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        REVIEW = "review", _("In review")
        APPROVED = "approved", _("Approved")
        SCHEDULED = "scheduled", _("Scheduled")
        PLANNING = "planning", _("Planning")
        PLANNED = "planned", _("Planned")
        SENDING = "sending", _("Sending")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")
        EXPIRED = "expired", _("Expired")

    class Kind(models.TextChoices):
        """A plan for a moment, a step that people come to one by one, or one message a call."""

        CAMPAIGN = "campaign", _("Campaign")
        AUTOMATION = "automation", _("Step of an automation")
        TRANSACTIONAL = "transactional", _("Transactional message")

    class Goal(models.TextChoices):
        """What the campaign is for, which says by what number it is judged."""

        SELL = "sell", _("Sell more")
        BRING_BACK = "bring_back", _("Bring customers back")
        INFORM = "inform", _("Inform")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100, unique=True)
    goal = models.CharField(
        _("goal"),
        max_length=10,
        choices=Goal.choices,
        default=Goal.SELL,
        help_text=_(
            "What its report shows first: extra revenue for selling, buyers for bringing back, "
            "clicks for informing."
        ),
    )
    kind = models.CharField(
        max_length=13, choices=Kind.choices, default=Kind.CAMPAIGN, editable=False
    )
    key = models.SlugField(_("key"), max_length=64, null=True, unique=True, editable=False)
    segment = models.ForeignKey(
        "profiles.Segment", models.PROTECT, related_name="+", verbose_name=_("segment")
    )
    also = models.ManyToManyField(
        "profiles.Segment",
        related_name="+",
        blank=True,
        verbose_name=_("or in"),
        help_text=_("Whoever is in one of these segments is addressed too."),
    )
    excluded = models.ManyToManyField(
        "profiles.Segment",
        related_name="+",
        blank=True,
        verbose_name=_("but not in"),
        help_text=_("Whoever is in one of these segments is left out, whatever else they are in."),
    )
    offer_minor = models.BigIntegerField(
        _("worth of the offer to a customer"),
        null=True,
        blank=True,
        help_text=_("Such as a voucher's value; the fairness preview shows who gets how much."),
    )
    purpose = models.CharField(_("purpose"), max_length=64, default="campaign.email")
    channel = models.CharField(
        _("channel"), max_length=8, choices=Channel.choices, default=Channel.EMAIL
    )
    topic = models.ForeignKey(
        "privacy.Topic",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("topic"),
        help_text=_("Who does not want to hear about it gets no message."),
    )
    adds_utm = models.BooleanField(
        _("mark links for web analytics"),
        default=True,
        help_text=_("Links to the shop get utm_source and the like when they are followed."),
    )
    utm_source = models.CharField("utm_source", max_length=100, blank=True)
    utm_medium = models.CharField("utm_medium", max_length=100, blank=True)
    utm_campaign = models.CharField("utm_campaign", max_length=100, blank=True)
    utm_content = models.CharField("utm_content", max_length=100, blank=True)
    status = models.CharField(
        _("status"), max_length=9, choices=Status.choices, default=Status.DRAFT
    )
    salt = models.UUIDField(default=uuid4, editable=False)
    holdout_ppm = models.PositiveIntegerField(
        _("holdout (parts per million)"),
        default=100_000,
        help_text=_("The part of the audience that gets no message, so that the effect shows."),
    )
    attribution_days = models.PositiveSmallIntegerField(_("attribution window"), default=30)
    cost_per_message_micros = models.PositiveBigIntegerField(
        _("cost per message (millionths of the currency)"), default=0
    )
    fixed_cost_minor = models.BigIntegerField(_("fixed cost"), default=0)
    budget_minor = models.BigIntegerField(
        _("budget"),
        null=True,
        blank=True,
        help_text=_("Messages that it does not pay for are not sent; empty for no limit."),
    )
    message_hash = models.CharField(max_length=64, blank=True, editable=False)
    audience_hash = models.CharField(max_length=64, blank=True, editable=False)
    pause_reason = models.CharField(_("paused because"), max_length=40, blank=True, editable=False)
    plan_cursor = models.BigIntegerField(default=0, editable=False)
    created_by = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    approved_by = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    created_at = models.DateTimeField(_("created at"))
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True, editable=False)
    placement = models.SlugField(
        _("place in the pages"),
        max_length=64,
        blank=True,
        db_index=False,
        help_text=_("What the shop's pages call it, such as home-hero."),
    )
    ends_at = models.DateTimeField(
        _("shown until"), null=True, blank=True, help_text=_("Empty: until it is cancelled.")
    )
    times_shown = models.PositiveSmallIntegerField(
        _("times shown to a person"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty for no limit."),
    )
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    latest_start = models.DateTimeField(
        _("not after"),
        null=True,
        blank=True,
        help_text=_("What has not gone out by then never does: the campaign expires."),
    )
    local_time = models.BooleanField(
        _("at the reader's own time"),
        default=False,
        help_text=_(
            "The start's day and hour count where each reader is: by their time zone, else their "
            "country, else the shop's. Whose hour is over already gets it a day later."
        ),
    )
    goes_at = models.DateTimeField(_("goes out at"), null=True, blank=True, editable=False)
    first_percent = models.PositiveSmallIntegerField(
        _("first part, %"),
        default=0,
        validators=[MaxValueValidator(50)],
        help_text=_("So many get it first; the others when somebody continues. 0 for all at once."),
    )
    continued_at = models.DateTimeField(null=True, blank=True, editable=False)
    planned_at = models.DateTimeField(_("planned at"), null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [
            ("approve_campaign", "Can approve campaigns"),
            ("send_campaign", "Can plan and launch campaigns"),
            ("pause_campaign", "Can pause and cancel campaigns"),
        ]
        constraints = [
            models.CheckConstraint(
                name="campaign_holdout_below_half",
                condition=models.Q(holdout_ppm__lte=500_000),
            ),
            models.CheckConstraint(
                name="campaign_planned_when_it_runs",
                condition=models.Q(
                    status__in=["draft", "review", "approved", "scheduled", "cancelled", "expired"]
                )
                | models.Q(planned_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_marketing(self) -> bool:
        return self.kind != self.Kind.TRANSACTIONAL

    def counts(self) -> dict[str, int]:
        """Return how many deliveries are in each state, states without any left out."""
        by_state = self.deliveries.order_by().values_list("state")
        return dict(by_state.annotate(n=models.Count("pk")).order_by("state"))


class Note(models.Model):
    """What somebody said or decided about a campaign: the record of its approval.

    `own` marks an approval by whoever made the campaign.
    """

    class Kind(models.TextChoices):
        COMMENT = "comment", _("Comment")
        ASKED = "asked", _("Asked for review")
        SENT_BACK = "sent_back", _("Sent back")
        APPROVED = "approved", _("Approved")
        VOIDED = "voided", _("Voided by an edit")
        SCHEDULED = "scheduled", _("Scheduled")

    campaign = models.ForeignKey("campaigns.Campaign", models.CASCADE, related_name="notes")
    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices)
    staff = models.ForeignKey(
        "privacy.Staff", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    text = models.TextField(_("text"), blank=True, max_length=2000)
    own = models.BooleanField(default=False)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")

    def __str__(self) -> str:
        return f"{self.kind} of campaign {self.campaign_id}"


class Variant(models.Model):
    """One arm of a campaign's test; arms share what the holdout leaves by `weight`."""

    campaign = models.ForeignKey("campaigns.Campaign", models.CASCADE, related_name="variants")
    key = models.CharField(_("letter"), max_length=1)
    weight = models.PositiveSmallIntegerField(_("weight"), default=1)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        constraints = [
            models.UniqueConstraint(name="variant_key_in_campaign", fields=["campaign", "key"])
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.key}"
