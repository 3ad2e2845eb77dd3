"""The admin's look and its menu: what a marketer sees first, in the order of the work."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _

_BASE = {
    "50": "oklch(98.4% .003 247)",
    "100": "oklch(96.8% .005 247)",
    "200": "oklch(92.6% .009 250)",
    "300": "oklch(86.9% .015 252)",
    "400": "oklch(70.4% .026 256)",
    "500": "oklch(55.1% .03 257)",
    "600": "oklch(44.4% .031 258)",
    "700": "oklch(37.2% .032 259)",
    "800": "oklch(27.9% .03 261)",
    "900": "oklch(20.8% .028 264)",
    "950": "oklch(14.5% .026 266)",
}
_PRIMARY = {
    "50": "oklch(97.2% .014 236)",
    "100": "oklch(94.1% .03 235)",
    "200": "oklch(88.6% .058 233)",
    "300": "oklch(80.6% .098 234)",
    "400": "oklch(70.3% .132 238)",
    "500": "oklch(60.9% .148 243)",
    "600": "oklch(51.4% .145 247)",
    "700": "oklch(44.6% .126 249)",
    "800": "oklch(38.6% .104 250)",
    "900": "oklch(34.1% .082 251)",
    "950": "oklch(25.6% .062 253)",
}


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _is_below(path: str, *, but_not: Collection[str]) -> Callable[[HttpRequest], bool]:
    """An address within `path` that has none of `but_not` in it."""
    return lambda request: (
        path in request.path and not any(other in request.path for other in but_not)
    )


def _item(title: Any, icon: str, model: str) -> dict[str, Any]:
    """A menu entry that leads to the list of `app.model` and shows to whom may view it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _may(f"{app}.view_{name}"),
    }


NAVIGATION = [
    {"items": [{"title": _("Home"), "icon": "home", "link": reverse_lazy("admin:index")}]},
    {
        "title": _("Campaigns"),
        "items": [
            _item(_("Campaigns"), "campaign", "campaigns.campaign")
            | {"active": _is_below("/campaign/", but_not=("/outbox/", "/calendar/"))},
            {
                "title": _("Calendar"),
                "icon": "calendar_month",
                "link": reverse_lazy("admin:campaigns_campaign_calendar"),
                "permission": _may("campaigns.view_campaign"),
            },
            _item(_("Automations"), "autorenew", "campaigns.automation"),
            {
                "title": _("Transactional messages"),
                "icon": "receipt_long",
                "link": reverse_lazy("admin:campaigns_campaign_service"),
                "permission": _may("campaigns.view_campaign"),
            },
            _item(_("Sign-up forms"), "person_add", "campaigns.signupform"),
            _item(_("Topics"), "label", "privacy.topic"),
            _item(_("Brand kit"), "palette", "campaigns.brand"),
            _item(_("Pictures"), "photo_library", "campaigns.picture"),
            _item(_("Sending rules"), "rule", "campaigns.sendingrules"),
            _item(_("Channel health"), "monitor_heart", "campaigns.provider"),
            {
                "title": _("Outbox"),
                "icon": "outbox",
                "link": reverse_lazy("admin:campaigns_campaign_outbox"),
                "permission": _may("campaigns.view_campaign"),
            },
        ],
    },
    {
        "title": _("Customers"),
        "items": [
            {
                "title": _("Overview"),
                "icon": "monitoring",
                "link": reverse_lazy("admin:profiles_customer_overview"),
                "permission": _may("profiles.view_customer"),
            },
            _item(_("Customers"), "group", "profiles.customer")
            | {"active": _is_below("/customer/", but_not=["/overview/"])},
            _item(_("Carts"), "shopping_cart", "profiles.cart"),
            _item(_("Segments"), "filter_alt", "profiles.segment"),
            _item(_("Personas"), "face", "profiles.persona"),
            _item(_("Traits"), "sell", "profiles.customtrait"),
            _item(_("Scores"), "online_prediction", "profiles.scorerun"),
            _item(_("Events"), "bolt", "profiles.eventname"),
            {
                "title": _("Event debugger"),
                "icon": "bug_report",
                "link": reverse_lazy("event-debugger"),
                "permission": _may("profiles.view_event"),
            },
            _item(_("Uploads"), "upload_file", "profiles.upload"),
            _item(_("Data quality"), "fact_check", "profiles.cleaningstate"),
            _item(_("Exchange rates"), "currency_exchange", "profiles.rate"),
        ],
    },
    {
        "title": _("Products"),
        "items": [
            _item(_("Products"), "devices", "recommendations.product"),
            _item(_("Feeds"), "rss_feed", "recommendations.feed"),
            _item(_("Placements"), "view_carousel", "recommendations.scenario"),
            _item(_("Served lists"), "fact_check", "recommendations.servedlist"),
            _item(_("Recommendations"), "auto_awesome", "recommendations.trainingrun"),
            _item(_("Fairness rules"), "balance", "recommendations.fairnessrules"),
        ],
    },
    {
        "title": _("Privacy"),
        "items": [
            {
                "title": _("Overview"),
                "icon": "shield_person",
                "link": reverse_lazy("privacy-home"),
                "permission": _may("privacy.view_purposerecord"),
                "active": lambda request: request.path == reverse("privacy-home"),
            },
            _item(_("Requests"), "contact_mail", "privacy.privacyrequest"),
            _item(_("Erasures"), "delete_forever", "privacy.erasure"),
            _item(_("Purposes"), "rule", "privacy.purposerecord"),
            _item(_("Use rules"), "lock_person", "privacy.userule"),
            _item(_("Consent ledger"), "how_to_reg", "privacy.consententry"),
            _item(_("Suppressions"), "block", "privacy.suppression"),
            _item(_("Recipients of data"), "outgoing_mail", "privacy.recipient"),
            _item(_("Retention"), "auto_delete", "privacy.retentionperiod"),
            _item(_("Access log"), "policy", "privacy.auditentry"),
            {
                "title": _("Record of processing"),
                "icon": "description",
                "link": reverse_lazy("privacy-record"),
                "permission": _may("privacy.view_purposerecord"),
            },
            _item(_("Encryption keys"), "key", "privacy.rootkey"),
            {
                "title": _("Fairness"),
                "icon": "balance",
                "link": reverse_lazy("fairness"),
                "permission": _may("privacy.view_shop"),
            },
        ],
    },
    {
        "title": _("System"),
        "items": [
            {
                "title": _("Connect your shop"),
                "icon": "cable",
                "link": reverse_lazy("connect"),
                "permission": _may("privacy.view_source"),
            },
            _item(_("Jobs"), "work_history", "jobs.job"),
            _item(_("Sources"), "input", "privacy.source"),
            _item(_("API keys"), "key", "privacy.apikey"),
            _item(_("Webhooks"), "webhook", "privacy.webhook"),
            _item(_("Staff"), "badge", "privacy.staff"),
            _item(_("Shop"), "storefront", "privacy.shop"),
        ],
    },
]

UNFOLD = {
    "SITE_TITLE": "Candor",
    "SITE_HEADER": "Candor",
    "SITE_SUBHEADER": "config.admin.shop_name",
    "SITE_SYMBOL": "candle",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("candor/icon.svg"),
        }
    ],
    "ACCOUNT": {
        "navigation": [
            {
                "title": _("Second factor"),
                "link": reverse_lazy("admin:privacy_staff_second_factor"),
            }
        ]
    },
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": False,
    "ENVIRONMENT": "config.admin.badge",
    "DASHBOARD_CALLBACK": "config.admin.home",
    "SCRIPTS": [lambda _request: static("candor/shim.js")],
    "STYLES": [lambda _request: static("candor/candor.css")],
    "COLORS": {"base": _BASE, "primary": _PRIMARY},
    "BORDER_RADIUS": "8px",
    "SIDEBAR": {"show_search": False, "navigation": NAVIGATION},
    "COMMAND": {"search_models": False},
}
