from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy

from privacy import topics
from privacy.admin.viewing import ViewOnlyAdmin, shop_of
from privacy.models import Consent
from profiles import membership, personas, registry, timeline
from profiles.admin import customer_tabs
from profiles.admin.overview import overview_page
from profiles.admin.reveal import GROUPS, REASONS, REVEAL, reveal_action
from profiles.models import Customer, CustomerTraits, Order

N_LATEST = 10
N_SHARES = 6


@admin.register(Customer)
class CustomerAdmin(ViewOnlyAdmin[Customer]):
    """Customers, masked; found by their exact e-mail, phone or id."""

    list_display = ["external_id", "name", "mail", "locale", "city", "persona"]
    list_filter = ["gender", "country"]
    search_fields = ["external_id"]
    search_help_text = gettext_lazy(
        "Exact customer id, e-mail or phone, or the last four digits of a phone"
    )
    list_select_related = ["subject", "traits__persona"]
    ordering = ["pk"]
    show_full_result_count = False

    @admin.display(description=gettext_lazy("name"))
    def name(self, customer: Customer) -> str:
        return str(customer.full_name or "–")

    @admin.display(description=gettext_lazy("e-mail"))
    def mail(self, customer: Customer) -> str:
        return str(customer.email or "–")

    @admin.display(description=gettext_lazy("persona"))
    def persona(self, customer: Customer) -> str:
        traits: CustomerTraits | None = getattr(customer, "traits", None)
        if traits is None or traits.persona is None:
            return "–"
        return personas.title(traits.persona, get_language() or "en")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only by the filters beside the list: never by a sealed field or its tag."""
        return lookup.partition("__")[0] in {"gender", "country"}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        return queryset.filter(_exactly(term)), False

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(customer_page)
        reveal = self.admin_site.admin_view(reveal_action)
        overview = self.admin_site.admin_view(overview_page)
        return [
            path("overview/", overview, name="profiles_customer_overview"),
            path("<int:pk>/change/", page, name="profiles_customer_change"),
            path("<int:pk>/reveal/", reveal, name="profiles_customer_reveal"),
            *customer_tabs.urls(),
            *super().get_urls(),
        ]


def _exactly(term: str) -> Q:
    found = Q(external_id=term)
    if "@" in term:
        found |= Q(email=term)
    if term.lstrip("+").replace(" ", "").isdigit():
        found |= Q(phone=term) | Q(phone__last_four=term)
    return found


def customer_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One customer, masked: what is known, what was bought, what may be done."""
    if not request.user.has_perm("profiles.view_customer"):
        raise Http404
    customer = get_object_or_404(Customer.objects.select_related("subject"), pk=pk)
    found = CustomerTraits.objects.of_buyers().filter(pk=pk).select_related("persona__run").first()
    traits = found.seen_from(timezone.now()) if found else None
    context = {
        **admin.site.each_context(request),
        **_facts(customer, traits),
        "currency": shop_of(request).currency,
        "title": customer.external_id,
        "tab": "profile",
        "panels": _panels(request, customer),
        "may_reveal": request.user.has_perm(REVEAL),
        "reveal_groups": [(name, group.label) for name, group in GROUPS.items()],
        "reveal_reasons": REASONS.items(),
    }
    return render(request, "profiles/customer.html", context)


def _facts(customer: Customer, traits: CustomerTraits | None) -> dict[str, Any]:
    language = get_language() or "en"
    consents = Consent.objects.filter(subject=customer.subject).order_by("purpose", "channel")
    names = topics.names((one.purpose for one in consents), language)
    return {
        "customer": customer,
        "traits": traits,
        "persona_sentence": personas.sentence(traits.persona, language)
        if traits and traits.persona
        else "",
        "shares": _shares(traits.category_shares, language) if traits else [],
        "orders": Order.objects.filter(customer=customer)
        .prefetch_related("lines")
        .order_by("-placed_at", "-pk")[:N_LATEST],
        "consents": [(names[one.purpose], one) for one in consents],
        "stays": membership.stays_of(customer).values(),
        "page": timeline.page(customer, size=N_LATEST),
    }


def _shares(shares: dict[str, float], language: str) -> list[tuple[str, float]]:
    """The categories with most of the money, as the catalogue calls them in the language."""
    most = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:N_SHARES]
    words = registry.categories_in(language)
    return [(words.get(name, name), share) for name, share in most]


def _panels(request: HttpRequest, customer: Customer) -> list[SafeString]:
    """What the apps above add to the page; each renders its own template."""
    return [
        render_to_string(template, facts(customer, timezone.now()), request)
        for template, facts in registry.customer_panels()
    ]
