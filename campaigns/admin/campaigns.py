from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from campaigns import approvals, making
from campaigns.admin import (
    audience,
    calendar,
    deliveries,
    in_steps,
    links,
    message_urls,
    outbox,
    report,
    service,
    steps,
)
from campaigns.admin.plan_form import MILLION, ONSITE, UTM, CampaignForm
from campaigns.models import Campaign, Delivery
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Channel, Shop, Staff
from profiles import figures

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

EDITABLE = {Campaign.Status.DRAFT, Campaign.Status.REVIEW, Campaign.Status.APPROVED}
AUDIENCE = ("segment", ("also", "excluded"), "topic")
START = ("starts_at", "local_time", "latest_start", "first_percent")


class ArchiveFilter(admin.SimpleListFilter):
    """Archived campaigns stand apart until somebody asks for them."""

    title = _("archive")
    parameter_name = "archived"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, StrOrPromise]]:
        return [("yes", _("Archived")), ("all", _("All"))]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        yield {**first, "display": _("In use")}
        yield from others

    def queryset(self, _request: HttpRequest, rows: QuerySet[Campaign]) -> QuerySet[Campaign]:
        if self.value() == "all":
            return rows
        return rows.filter(archived_at__isnull=self.value() != "yes")


@admin.register(Campaign)
class CampaignAdmin(ThemedAdmin[Campaign]):
    """Campaigns: facts here, then message, approval, sending and report on their own pages."""

    form = CampaignForm
    list_display = [
        "name",
        "goal",
        "channel",
        "status",
        "segment",
        "messages",
        "sent",
        "planned_at",
    ]
    list_filter = [ArchiveFilter, "status", "goal", "channel"]
    list_before_template = "campaigns/admin/list_head.html"
    list_select_related = ["segment"]
    search_fields = ["name"]
    ordering = ["-created_at", "-pk"]
    change_form_outer_before_template = "campaigns/admin/head.html"
    fieldsets = [
        (None, {"fields": [("name", "goal"), *AUDIENCE, ("holdout", "attribution_days")]}),
        (_("Start"), {"fields": START}),
        (
            _("Cost"),
            {"fields": [("fixed_cost_minor", "message_cost"), ("budget_minor", "offer_minor")]},
        ),
        (_("Web analytics"), {"fields": ["adds_utm", UTM[:2], UTM[2:]]}),
    ]
    # Where nothing can be typed there is no form, so its own fields have no value to show.
    facts = [
        (None, {"fields": [("name", "goal"), *AUDIENCE, ("held_out", "attribution_days")]}),
        (_("Start"), {"fields": START}),
        (_("Cost"), {"fields": [("paid_once", "paid_per_message"), "at_most"]}),
        (_("Web analytics"), {"fields": ["adds_utm", UTM[:2], UTM[2:]]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """The list holds the plans; an automation's step is opened from its automation."""
        rows = super().get_queryset(request)
        opened = request.resolver_match and request.resolver_match.kwargs.get("object_id")
        return rows if opened else rows.filter(kind=Campaign.Kind.CAMPAIGN)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Count the deliveries of the page's campaigns, of no other, in one query."""
        changes = super().get_changelist_instance(request)
        counts = Delivery.objects.counted(campaign.pk for campaign in changes.result_list)
        for campaign in changes.result_list:
            campaign.by_state = counts.get(campaign.pk, {})
        return changes

    @admin.display(description=_("messages"))
    def messages(self, campaign: Any) -> int:
        return sum(n for state, n in campaign.by_state.items() if state != Delivery.State.HOLDOUT)

    @admin.display(description=_("sent"))
    def sent(self, campaign: Any) -> int:
        return int(campaign.by_state.get(Delivery.State.SENT, 0))

    @admin.display(description=_("Holdout, %"))
    def held_out(self, campaign: Campaign) -> str:
        return figures.number(campaign.holdout_ppm / 10_000, get_language() or "en")

    @admin.display(description=_("Fixed cost"))
    def paid_once(self, campaign: Campaign) -> str:
        currency = Shop.current().currency
        return figures.money(campaign.fixed_cost_minor, currency, get_language() or "en")

    @admin.display(description=_("Budget"))
    def at_most(self, campaign: Campaign) -> StrOrPromise:
        if campaign.budget_minor is None:
            return _("no limit")
        currency = Shop.current().currency
        return figures.money(campaign.budget_minor, currency, get_language() or "en")

    @admin.display(description=_("Cost per message"))
    def paid_per_message(self, campaign: Campaign) -> str:
        cost = Decimal(campaign.cost_per_message_micros) / MILLION
        return f"{cost.normalize():f} {Shop.current().currency}"

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        if obj is not None:
            shown = self.fieldsets if self.has_change_permission(request, obj) else self.facts
            places = [(_("On site"), {"fields": [ONSITE[:2], ONSITE[2]]})]
            return [*shown, *(places if obj.channel == Channel.ONSITE else [])]
        return [*self.fieldsets, (_("Message"), {"fields": ["by", "starter"]})]

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or obj.status in EDITABLE)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or obj.status == Campaign.Status.DRAFT)

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:  # noqa: FBT001
        if not change:
            obj.created_at = timezone.now()
            obj.created_by = request.user if isinstance(request.user, Staff) else None
        super().save_model(request, obj, form, change)
        if not change:
            making.write(obj, form.cleaned_data["starter"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        if change:  # all of the audience is stored by now
            approvals.void_if_edited(form.instance, now=timezone.now())

    def response_add(
        self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:campaigns_campaign_texts", args=[obj.pk]))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = steps.overview(request, object_id)
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context}
        )

    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, tuple[Callable[..., HttpResponse], str]] = {
            **message_urls.PAGES,
            **in_steps.PAGES,
            "<int:pk>/do/<slug:verb>/": (steps.verb_action, "verb"),
            "<int:pk>/say/": (steps.say_action, "say"),
            "<int:pk>/clone/": (steps.clone_action, "clone"),
            "<int:pk>/deliveries/": (deliveries.deliveries_page, "deliveries"),
            "<int:pk>/audience/": (audience.audience_page, "audience"),
            "<int:pk>/links/": (links.links_page, "links"),
            "<int:pk>/report/": (report.report_page, "report"),
            "<int:pk>/report/counting/": (report.counting_part, "counting"),
            "<int:pk>/report/recount/": (report.recount_action, "recount"),
            "calendar/": (calendar.calendar_page, "calendar"),
            "transactional/": (service.service_page, "service"),
            "transactional/<int:pk>/do/<slug:verb>/": (service.switch_action, "service_verb"),
            "outbox/": (outbox.outbox_page, "outbox"),
            "outbox/<str:name>/": (outbox.message_page, "outbox_message"),
            "outbox/<str:name>/body/": (outbox.body_page, "outbox_body"),
        }
        own = [
            path(route, self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")
            for route, (view, name) in pages.items()
        ]
        return [*own, *super().get_urls()]
