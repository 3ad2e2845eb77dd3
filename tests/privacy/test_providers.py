"""A provider that is down is waited for, and never gone without."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connections
from pytest_django.fixtures import Settings

from privacy import providers
from privacy.crypto import envelope
from privacy.keystore import Keystore, keystore
from privacy.models import Keyring, RootKey, SubjectKey
from privacy.providers import KeyUnavailableError, ProviderDownError
from profiles.models import Customer
from tests import make

pytestmark = pytest.mark.django_db


class Remote:
    """A key that never leaves its place, which is down for the next `failures` questions."""

    where = "the key service"
    key = AESGCM(bytes(range(32)))
    failures = 0

    def _answer(self) -> None:
        if Remote.failures:
            Remote.failures -= 1
            raise ProviderDownError("the key service does not answer")

    def prepare(self) -> None:
        self._answer()

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        self._answer()
        return envelope.wrap_root(self.key, key, context=context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        self._answer()
        return envelope.unwrap_root(self.key, wrapped, context=context)


@pytest.fixture(autouse=True)
def _remote(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings.KEYS_DIR = tmp_path
    monkeypatch.setitem(providers.PROVIDERS, "remote", Remote)
    settings.KEY_PROVIDER = "remote"
    Remote.failures = 0


def test_a_provider_of_another_kind_fits() -> None:
    make.customer("c-1", email="a@example.com")

    assert Customer.objects.get(email="a@example.com").external_id == "c-1"
    assert not providers.FileProvider().path.exists()


def test_a_provider_that_is_down_for_a_moment_is_waited_for() -> None:
    make.customer("c-1", email="a@example.com")
    keystore.forget()
    Remote.failures = 2

    assert str(Customer.objects.get().email) == "a***@e***.com"
    assert Remote.failures == 0


def test_a_provider_that_stays_down_ends_in_a_clear_error_and_nothing_is_written() -> None:
    Remote.failures = 1_000
    store = Keystore(patience_seconds=0.2)

    with pytest.raises(KeyUnavailableError, match=r"does not answer; nothing was read or written"):
        store.ensure([make.subject().uuid.bytes])

    assert not RootKey.objects.exists()
    assert not SubjectKey.objects.exists()


def test_a_damaged_root_key_in_the_keystore_is_named() -> None:
    make.customer("c-1", email="a@example.com")
    row = RootKey.objects.get(use="tracking")
    row.wrapped = bytes(row.wrapped)[:-1] + b"\0"
    row.save()
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match="damaged; restore the keystore"):
        str(Customer.objects.get().email)


def test_a_root_key_that_is_gone_is_named_and_not_made_anew() -> None:
    make.customer("c-1", email="a@example.com")
    RootKey.objects.filter(use="index").delete()
    keystore.forget()

    with pytest.raises(KeyUnavailableError, match="no root key for index; restore it"):
        Customer.objects.filter(email="a@example.com").exists()


def test_a_wrapped_root_key_serves_no_other_use_and_no_other_installation() -> None:
    make.customer("c-1", email="a@example.com")
    kek = RootKey.objects.get(use="kek").wrapped
    RootKey.objects.filter(use="index").update(wrapped=kek)
    keystore.forget()
    with pytest.raises(KeyUnavailableError):
        keystore.installation()

    RootKey.objects.all().delete()
    Keyring.objects.all().delete()
    with pytest.raises(KeyUnavailableError, match="restore it from its backup"):
        keystore.installation()


def test_every_use_has_a_root_of_its_own() -> None:
    uses = ["index", "suppression", "audit", "tracking", "kek", "signing", "identity"]

    assert len({keystore.root(use) for use in uses}) == len(uses)
    assert keystore.audit_signer().private_bytes_raw() == keystore.root("audit")


def test_no_key_comes_from_the_secret_of_the_web(settings: Settings) -> None:
    make.customer("c-1", email="a@example.com")
    settings.SECRET_KEY = "another secret"
    keystore.forget()

    assert Customer.objects.filter(email="a@example.com").exists()
    assert str(Customer.objects.get().email) == "a***@e***.com"


def test_without_keys_a_row_is_not_written_at_all() -> None:
    subject = make.subject()
    Remote.failures = 1_000
    keystore._patience = 0.1  # noqa: SLF001 - this process has one keystore
    keystore.forget()
    try:
        with pytest.raises(KeyUnavailableError):
            make.customer("c-1", email="a@example.com", of=subject)
    finally:
        keystore._patience = 5.0  # noqa: SLF001

    assert not Customer.objects.exists()


def test_many_who_ask_at_once_wait_once_and_not_one_after_the_other() -> None:
    make.customer("c-1", email="a@example.com")
    Remote.failures = 1_000
    store = Keystore(patience_seconds=0.4)

    def ask(_number: int) -> str:
        try:
            store.installation()
        except KeyUnavailableError as error:
            return str(error)
        finally:
            connections.close_all()
        return ""

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(ask, range(8)))

    assert all("does not answer" in text for text in said)
    assert time.monotonic() - started < 8 * 0.35
