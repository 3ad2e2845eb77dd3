from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class PrivacyConfig(AppConfig):
    name = "privacy"
    verbose_name = _("Privacy")

    def ready(self) -> None:
        from privacy import checks, door_checks, event_catalogue, holdings, sealed, sections
        from privacy.keystore import keystore
        from privacy.purposes import PurposeGate

        sealed.register(keys=keystore, gate=PurposeGate())
        holdings.declare()
        sections.declare()
        event_catalogue.declare()
        register(door_checks.doors_are_shut, Tags.security, deploy=True)
        register(door_checks.networks_can_be_read, Tags.security)
        register(checks.every_way_to_a_person_is_declared)
