"""What django-anymail reads: the one provider's settings, under the names it gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

# Those whose reports are signed, or guarded by `webhook_secret`, and that need no further package.
PROVIDERS: Final = frozenset(
    {
        "brevo",
        "mailersend",
        "mailgun",
        "mailjet",
        "mailtrap",
        "mandrill",
        "postmark",
        "resend",
        "sendgrid",
        "sparkpost",
        "unisender_go",
    }
)
SECONDS: Final = 20
_SHARED: Final = frozenset({"webhook_secret"})


def anymail(provider: str, given: Iterable[str]) -> dict[str, Any]:
    """Return anymail's settings for a provider; raises ImproperlyConfigured naming the fault."""
    if not provider:
        return {}
    if provider not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise ImproperlyConfigured(f"MAIL_ESP is {provider!r}; it must be one of {known}")
    found: dict[str, Any] = {
        # Opens and clicks are tracked by the message's own links; not every provider can say so.
        "IGNORE_UNSUPPORTED_FEATURES": True,
        "IGNORE_RECIPIENT_STATUS": True,
        "REQUESTS_TIMEOUT": SECONDS,
    }
    for number, pair in enumerate(given, start=1):
        name, sign, value = pair.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ImproperlyConfigured(
                f"part {number} of MAIL_ESP_SETTINGS must have the form name=value"
            )
        name = name.strip().lower()
        key = name.upper() if name in _SHARED else f"{provider}_{name}".upper()
        found[key] = value.strip()
    return found
