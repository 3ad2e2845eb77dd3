"""Database URLs to Django settings, with the options each engine needs under load."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def database(url: str) -> dict[str, Any]:
    """Return the settings of the database at `url`; empty for an empty URL.

    SQLite gets WAL and IMMEDIATE transactions, so that two writers wait for each other
    instead of failing in the middle of a transaction.
    """
    parts = urlsplit(url)
    if not url:
        return {}
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.removeprefix("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"connect_timeout": "5", **dict(parse_qsl(parts.query))},
        }
    raise ImproperlyConfigured(
        f"database scheme {parts.scheme!r} is not known; use sqlite:/// or postgresql://"
    )
