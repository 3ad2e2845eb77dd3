from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import (
            auditing,
            event_catalogue,
            history,
            holdings,
            post,
            sections,
            targeting,
        )
        from privacy import registry as privacy_registry
        from profiles import registry

        panel = "campaigns/admin/customer_panel.html"
        registry.customer_panel("campaigns.messages", panel, history.of_customer)
        registry.tell_timeline("message", history.TIMELINE)
        registry.uses_segments("campaigns", targeting.users_of)
        registry.on_merge("campaigns.deliveries", history.move)
        auditing.declare()
        event_catalogue.declare()
        holdings.declare()
        sections.declare()
        privacy_registry.carry_mail(post.carry)
