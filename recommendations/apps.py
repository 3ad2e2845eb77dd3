from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecommendationsConfig(AppConfig):
    name = "recommendations"
    verbose_name = _("Recommendations")

    def ready(self) -> None:
        from profiles import registry
        from recommendations import (
            auditing,
            catalogue,
            holdings,
            product_facts,
            sections,
            serving,
        )

        registry.after_import("recommendations.catalogue", catalogue.refresh)
        registry.tell_brands(catalogue.products_of, catalogue.brands_of)
        registry.tell_words(catalogue.categories_in, catalogue.titles_in)
        registry.product_facts_from(product_facts.of_catalogue)
        panel = "recommendations/customer_panel.html"
        registry.customer_panel("recommendations.served", panel, serving.of_customer)
        auditing.declare()
        holdings.declare()
        sections.declare()
