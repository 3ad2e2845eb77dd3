"""What people agreed to, and the ledger behind it, for reading."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.views import ChangeList

from privacy import registry
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import Channel, Consent, ConsentEntry, OptIn, Subject
from privacy.purpose_registry import REGISTRY, Purpose
from privacy.rights import Right

State = ConsentEntry.State


@dataclass(frozen=True)
class InForce:
    """A purpose on a channel, with how many people said what of it last."""

    purpose: Purpose
    channel: str
    n_given: int
    n_informed: int
    n_withdrawn: int
    n_waiting: int

    @property
    def label(self) -> str:
        return f"{self.purpose.label} · {self.channel}"

    @property
    def value(self) -> float:
        """How many may be reached by what they said: what the chart shows."""
        return self.n_informed if self.purpose.needs_notice else self.n_given

    @property
    def text(self) -> str:
        return f"{self.value:,.0f}"


class LedgerList(ChangeList):
    """A page of entries with the shop's ids of the people, asked for once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        shop_ids = registry.names_by_subject({entry.subject_id for entry in self.result_list})
        for entry in self.result_list:
            entry.shop_id = shop_ids.get(entry.subject_id, "")


@admin.register(ConsentEntry)
class ConsentEntryAdmin(ViewOnlyAdmin[ConsentEntry]):
    list_display = ["happened_at", "customer", "use", "channel", "state", "source"]
    list_filter = ["purpose", "channel", "state"]
    search_fields = ["pk"]
    search_help_text = gettext_lazy("Exact customer id")
    ordering = ["-happened_at", "-pk"]
    show_full_result_count = False
    list_before_template = "privacy/admin/consents_head.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerList]:
        return LedgerList

    @admin.display(description=gettext_lazy("Customer"))
    def customer(self, entry: ConsentEntry) -> str:
        return getattr(entry, "shop_id", "") or f"{str(entry.subject_id)[:8]}…"

    @admin.display(description=gettext_lazy("Purpose"), ordering="purpose")
    def use(self, entry: ConsentEntry) -> str:
        found = REGISTRY.get(entry.purpose)
        return str(found.label) if found else entry.purpose

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ConsentEntry], search_term: str
    ) -> tuple[QuerySet[ConsentEntry], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        return queryset.filter(subject__uuid__in=registry.subjects_called(term)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        head = {"consents": in_force(), **switched_off()}
        return super().changelist_view(request, {"head": head, **(extra_context or {})})


def in_force() -> list[InForce]:
    """Every purpose that people declare something about, by channel: what holds now."""
    said: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    counted = Consent.objects.values_list("purpose", "channel", "state").annotate(n=Count("pk"))
    for name, channel, state, n in counted:
        said[name, channel][state] = n
    now = timezone.now()
    open_ones = OptIn.objects.filter(confirmed_at__isnull=True, expires_at__gt=now)
    waiting = {
        (name, channel): n
        for name, channel, n in open_ones.values_list("purpose", "channel").annotate(n=Count("pk"))
    }
    return [
        InForce(
            purpose,
            str(channel.label),
            n_given=said[purpose.name, channel.value].get(State.GIVEN, 0),
            n_informed=said[purpose.name, channel.value].get(State.INFORMED, 0),
            n_withdrawn=said[purpose.name, channel.value].get(State.WITHDRAWN, 0),
            n_waiting=waiting.get((purpose.name, channel.value), 0),
        )
        for purpose in REGISTRY.values()
        if purpose.is_declared
        for channel in Channel
        if channel.value in purpose.channels
    ]


def switched_off() -> dict[str, int]:
    """How many people refused a use as a whole, whatever they agreed to before."""
    counts = {right.value: Count("pk", filter=Q(**{right.value: True})) for right in Right}
    return Subject.objects.filter(erased_at__isnull=True).aggregate(**counts)
