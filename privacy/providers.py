"""Where the root key comes from. All that leaves a provider is wrapped or unwrapped.

A provider wraps the few root keys that lie in the keystore; so one whose key never leaves it
(Vault Transit, a cloud's KMS) fits as well as a file. `PROVIDERS` names those there are.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from jobs.work import ObstacleError
from privacy.crypto import envelope, roots

log = logging.getLogger(__name__)


class KeyUnavailableError(ObstacleError):
    """A key is missing, unreadable or not the one the data was sealed with; says what to do."""


class ProviderDownError(Exception):
    """The provider does not answer now and may in a moment; the keystore asks again."""


class KeyProvider(Protocol):
    where: str
    """What people call the place of the root key, for errors: a path, a variable, an address."""

    def prepare(self) -> None:
        """Make a root key if there is none; called only where nothing was ever sealed."""

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key of 32 bytes, bound to `context`.

        Raises KeyUnavailableError, and ProviderDownError if asking again may help.
        """

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Return the key; raises as `wrap`, and SealedIntegrityError if it does not open."""


class LocalProvider:
    """A root key of 32 bytes that this process reads; subclasses say from where."""

    where = ""

    def read(self) -> str:
        """Return the root key in base64; raises KeyUnavailableError, ProviderDownError."""
        raise NotImplementedError

    def prepare(self) -> None:
        self._cipher()

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        return envelope.wrap_root(self._cipher(), key, context=context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        return envelope.unwrap_root(self._cipher(), wrapped, context=context)

    def _cipher(self) -> AESGCM:
        try:
            root = base64.b64decode(self.read().strip(), validate=True)
        except (binascii.Error, ValueError):
            root = b""
        if len(root) != roots.ROOT_BYTES:
            raise KeyUnavailableError(
                f"{self.where} is not {roots.ROOT_BYTES} bytes in base64; "
                "put it back from your copy of the keys"
            )
        return AESGCM(roots.derive(root, "wrapping"))


class EnvProvider(LocalProvider):
    where = "KEY_ROOT"

    def read(self) -> str:
        if not settings.KEY_ROOT:
            raise KeyUnavailableError("KEY_PROVIDER is 'env' but KEY_ROOT is empty; set it")
        return str(settings.KEY_ROOT)


class FileProvider(LocalProvider):
    """A file that only this account reads; made on the first run, loudly."""

    def __init__(self) -> None:
        self.path = Path(settings.KEYS_DIR) / "root.key"
        self.where = f"the root key file {self.path}"

    def read(self) -> str:
        try:
            return self.path.read_text(encoding="ascii")
        except FileNotFoundError:
            raise KeyUnavailableError(
                f"{self.where} is missing but data is sealed with it; "
                "put it back from your copy of the keys"
            ) from None
        except UnicodeDecodeError:
            return ""
        except OSError as error:
            raise ProviderDownError(f"{self.where} cannot be read: {error.strerror}") from None

    def prepare(self) -> None:
        if not self.path.exists():
            self._make()
        super().prepare()

    def _make(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written aside and linked, so that two first processes agree and none reads half a key.
        handle, name = tempfile.mkstemp(dir=self.path.parent)
        aside = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(envelope.new_key()))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, self.path)
        except FileExistsError:
            return
        finally:
            aside.unlink()
        log.warning(
            "A new root key stands in %s. Without it no customer's e-mail, phone, name or birth "
            "date can ever be read again: keep a copy of it, apart from the copies of the data.",
            self.path,
        )


PROVIDERS: dict[str, Callable[[], KeyProvider]] = {"file": FileProvider, "env": EnvProvider}


def provider() -> KeyProvider:
    """Return the provider that KEY_PROVIDER names; raises KeyUnavailableError for another."""
    try:
        return PROVIDERS[settings.KEY_PROVIDER]()
    except KeyError:
        names = " or ".join(repr(name) for name in sorted(PROVIDERS))
        raise KeyUnavailableError(
            f"KEY_PROVIDER is {settings.KEY_PROVIDER!r}; it must be {names}"
        ) from None
