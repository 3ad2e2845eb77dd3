"""System checks of the doors: what must not stand open in production."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 -- Django's

PLACE = ("ENGINE", "NAME", "HOST", "PORT")
LEAST_DISTINCT = 10


def doors_are_shut(**_: Any) -> list[CheckMessage]:
    """Check the settings of production: secrets, databases, addresses, second factor."""
    return list(faults()) if settings.APP_ENV == "production" else []


def faults() -> Iterator[CheckMessage]:
    """Yield what stands open.

    `E020`: a key that somebody could guess. `E021`: one secret for two uses. `E022`: keys of
    persons in the database of the data they open. `E023`: pages without TLS. `W024`: accounts
    without a second factor.
    """
    for name in ("SECRET_KEY", "KEY_ROOT"):
        value = str(getattr(settings, name))
        if value and (len(set(value)) < LEAST_DISTINCT or "insecure" in value):
            hint = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(48))".'
            yield Error(f"{name} is an example or has no randomness.", hint=hint, id="privacy.E020")
    if settings.KEY_ROOT and settings.KEY_ROOT.strip() == settings.SECRET_KEY.strip():
        text = "SECRET_KEY is the root of the keys too: whoever signs sessions opens everything."
        yield Error(text, hint="Give each a value of its own.", id="privacy.E021")
    if _place("keystore") == _place("default"):
        text = "The keystore shares the database of the data: one stolen dump opens itself."
        yield Error(text, hint="Point KEYSTORE_DATABASE_URL elsewhere.", id="privacy.E022")
    if not settings.PUBLIC_URL.startswith("https://"):
        text = "PUBLIC_URL is not https: keys and sessions would travel in plain."
        yield Error(text, id="privacy.E023")
    if settings.STAFF_MFA != "required":
        text = "Accounts may do without a second factor."
        yield Warning(text, hint="Leave STAFF_MFA at `required`.", id="privacy.W024")


def networks_can_be_read(**_: Any) -> list[CheckMessage]:
    """`E025`: a network that webhooks are let into is written as none is."""
    found: list[CheckMessage] = []
    for text in settings.WEBHOOK_ALLOWED_NETWORKS:
        try:
            ip_network(text)
        except ValueError:
            what = f"WEBHOOK_ALLOWED_NETWORKS: {text!r} is no network."
            hint = "Write it as 10.1.2.0/24 or 10.1.2.3/32."
            found.append(Error(what, hint=hint, id="privacy.E025"))
    return found


def _place(alias: str) -> tuple[str, ...]:
    database = settings.DATABASES[alias]
    return tuple(str(database.get(part, "")) for part in PLACE)
