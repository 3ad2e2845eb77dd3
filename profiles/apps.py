from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfilesConfig(AppConfig):
    name = "profiles"
    verbose_name = _("Profiles")

    def ready(self) -> None:
        from privacy import purposes
        from profiles import auditing, holdings, joining, ordering, registry, sections

        panel = "profiles/identity_panel.html"
        registry.customer_panel("profiles.identity", panel, joining.of_customer)
        auditing.declare()
        holdings.declare()
        sections.declare()
        purposes.tell_buyers(ordering.has_bought)
