from importlib import import_module

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The composition root: no models, imports every app, imported by none."""

    name = "config"
    verbose_name = "Candor"

    def ready(self) -> None:
        import_module("config.checks")
