"""Typed reading of the environment; every missing production setting is named at once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Mapping


class Env:
    """Reads settings; `NAME_FILE` may hold the path of a file with the value, for secrets.

    `effective` keeps what was found or assumed, for `manage.py doctor`.
    `embedded` is a default that serves embedded mode only: in production the name is
    collected as missing and `check()` raises once with all of them.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.effective: dict[str, str] = {"APP_ENV": environ.get("APP_ENV", "embedded")}
        self._wrong: list[str] = []
        self._missing: list[str] = []
        self.mode = environ.get("APP_ENV", "embedded")
        if self.mode not in {"embedded", "production"}:
            raise ImproperlyConfigured(
                f"APP_ENV is {self.mode!r}; it must be 'embedded' or 'production'"
            )

    @property
    def production(self) -> bool:
        return self.mode == "production"

    def text(self, name: str, default: str | None = None, *, embedded: str | None = None) -> str:
        value = self.effective[name] = self._text(name, default, embedded)
        return value

    def _text(self, name: str, default: str | None, embedded: str | None) -> str:
        value = self._raw(name)
        if value is not None:
            return value
        if default is not None:
            return default
        if embedded is not None and not self.production:
            return embedded
        self._missing.append(name)
        return ""

    def choice(self, name: str, default: str, *allowed: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self._wrong.append(f"{name} is {value!r}; use {' or '.join(allowed)}")
        return value

    def number(self, name: str, default: int) -> int:
        value = self._raw(name)
        self.effective[name] = str(default) if value is None else value
        try:
            return int(self.effective[name])
        except ValueError:
            self._wrong.append(f"{name} is {value!r}; use a whole number")
            return default

    def items(self, name: str, default: str | None = None, *, embedded: str = "") -> list[str]:
        value = self.text(name, default, embedded=embedded)
        return [item.strip() for item in value.split(",") if item.strip()]

    def check(self) -> None:
        """Raise once, naming every missing and every unreadable setting."""
        problems = list(self._wrong)
        if self._missing:
            problems.append(f"production needs {', '.join(self._missing)}")
        if problems:
            raise ImproperlyConfigured("; ".join(problems))

    def _raw(self, name: str) -> str | None:
        if name in self._environ:
            return self._environ[name]
        if (path := self._environ.get(f"{name}_FILE")) is None:
            return None
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            self._wrong.append(f"{name}_FILE cannot be read: {error.strerror}")
            return ""


def kept_secret(path: Path) -> str:
    """Return the secret kept at `path` under VAR_DIR, made on first use with mode 0600."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return path.read_text(encoding="utf-8")
        secret = secrets.token_urlsafe(48)
        with os.fdopen(made, "w") as file:
            file.write(secret)
    except OSError as error:
        raise ImproperlyConfigured(
            f"VAR_DIR: {path} cannot be written: {error.strerror}; name a folder this account "
            "may write"
        ) from error
    return secret
