from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    name = "profiles"
    verbose_name = _("Profiles")

    def ready(self) -> None:
        from privacy import consent, purposes
        from profiles import (
            asking,
            auditing,
            changes,
            custom_traits,
            event_catalogue,
            holdings,
            registry,
            sections,
            timeline,
        )
        from profiles.identity import joining
        from profiles.orders import ordering
        from profiles.scoring import showing
        from profiles.traits import devices

        panel = "profiles/identity_panel.html"
        registry.customer_panel("profiles.identity", panel, joining.of_customer)
        registry.customer_panel("profiles.devices", "profiles/devices_panel.html", devices.panel)
        own = "profiles/own_traits_panel.html"
        registry.customer_panel("profiles.own_traits", own, custom_traits.panel)
        asked = "profiles/requests_panel.html"
        registry.customer_panel("profiles.requests", asked, timeline.requests_panel)
        registry.customer_panel("profiles.scores", "profiles/scores_panel.html", showing.panel)
        registry.after_import("profiles.traits", asking.ask_for_traits)
        auditing.declare()
        event_catalogue.declare()
        holdings.declare()
        sections.declare()
        timeline.declare()
        purposes.tell_buyers(ordering.has_bought)
        consent.tell_changed(changes.mark_subjects)
