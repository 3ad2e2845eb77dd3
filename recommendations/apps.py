from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecommendationsConfig(AppConfig):
    name = "recommendations"
    verbose_name = _("Recommendations")

    def ready(self) -> None:
        from profiles import registry
        from recommendations import auditing, catalogue, holdings, sections, serving

        registry.after_import("recommendations.catalogue", catalogue.refresh)
        panel = "recommendations/customer_panel.html"
        registry.customer_panel("recommendations.served", panel, serving.of_customer)
        auditing.declare()
        holdings.declare()
        sections.declare()
