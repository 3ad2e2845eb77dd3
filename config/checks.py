"""Settings that cannot work together, refused before anything starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def a_broker_in_memory_serves_one_process(**_: Any) -> list[CheckMessage]:
    if settings.APP_ENV == "production" and settings.CELERY_BROKER_URL.startswith("memory:"):
        return [
            Error(
                "The broker is in memory, but production runs several processes.",
                hint="Set REDIS_URL, for example redis://127.0.0.1:6379/0.",
                id="config.E001",
            )
        ]
    return []
