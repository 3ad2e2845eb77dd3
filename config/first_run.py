"""The first start of an empty shop: a one-time link makes its owner the first administrator."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from privacy.models import Shop, Staff

if TYPE_CHECKING:
    from datetime import datetime

TOKEN_FILE = "first-run-token"  # noqa: S105 -- a file's name, not a secret


def is_open() -> bool:
    """Whether nobody has an account yet, so that the one-time link works."""
    return not Staff.objects.exists()


def link(listening: str) -> str:
    """The one-time link, for the terminal of whoever started a server that listens there.

    It leads by PUBLIC_URL where that was given: its default knows of no other port.
    """
    given = settings.PUBLIC_URL != settings.LOCAL_URL
    home = settings.PUBLIC_URL if given else listening.rstrip("/")
    return f"{home}{reverse('first-run')}?token={_token()}"


def token_fits(given: str) -> bool:
    return is_open() and secrets.compare_digest(given.encode(), _token().encode())


@transaction.atomic
def finish(shop: Shop, *, username: str, email: str, password: str, now: datetime) -> Staff | None:
    """Keep the shop's facts and, where none exists, make the administrator."""
    shop.pk = 1
    shop.set_up_at = now
    shop.save()
    if not is_open():
        return None
    owner = Staff.objects.create_user(
        username, email, password, role=Staff.Role.ADMINISTRATOR, language=shop.language
    )
    (settings.KEYS_DIR / TOKEN_FILE).unlink(missing_ok=True)
    return owner


def _token() -> str:
    path = settings.KEYS_DIR / TOKEN_FILE
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags: Any = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")
