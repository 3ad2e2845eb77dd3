"""Files at rest: unreadable without their key, their place and a purpose."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pytest_django.fixtures import Settings

from privacy import files
from privacy.crypto.stream import AlteredStreamError
from privacy.keystore import keystore
from privacy.models import AuditEntry
from privacy.providers import FileProvider, KeyUnavailableError
from privacy.purposes import PurposeDeniedError, purpose
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
PLAIN = b"customer id,e-mail\nc-1,ann@example.com\n"


def sealed(folder: Path, content: bytes = PLAIN) -> tuple[Path, UUID]:
    uuid = uuid4()
    with files.created(folder / str(uuid), uuid) as file:
        file.write(content)
    return folder / str(uuid), uuid


def read(path: Path, uuid: UUID) -> bytes:
    with (
        purpose("import", actor="job:1", now=NOW),
        files.opened(path, uuid) as stream,
    ):
        return stream.readall()


def test_a_file_is_unreadable_on_the_disk_and_opens_for_the_import(tmp_path: Path) -> None:
    path, uuid = sealed(tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ann" not in path.read_bytes()
    assert read(path, uuid) == PLAIN


def test_equal_files_look_unequal(tmp_path: Path) -> None:
    (one, _), (two, _) = sealed(tmp_path), sealed(tmp_path)

    assert one.read_bytes()[70:] != two.read_bytes()[70:]


def test_no_file_opens_without_a_purpose_that_covers_files(tmp_path: Path) -> None:
    path, uuid = sealed(tmp_path)

    with pytest.raises(PurposeDeniedError, match="no purpose is open"):
        files.opened(path, uuid)
    with (
        purpose("support.reveal", actor="staff:1", now=NOW),
        pytest.raises(PurposeDeniedError, match="does not cover file"),
    ):
        files.opened(path, uuid)


def test_opening_a_file_is_audited(tmp_path: Path) -> None:
    path, uuid = sealed(tmp_path)
    read(path, uuid)

    entry = AuditEntry.objects.get(action="value.revealed")

    assert (entry.purpose, entry.actor, entry.fields) == ("import", "job:1", [f"file.{uuid}"])


def test_one_file_cannot_stand_in_for_another(tmp_path: Path) -> None:
    (one, _), (two, uuid) = sealed(tmp_path), sealed(tmp_path)
    shutil.copyfile(one, two)

    with pytest.raises(AlteredStreamError):
        read(two, uuid)


def test_frames_of_one_file_do_not_open_behind_the_head_of_another(tmp_path: Path) -> None:
    (one, _), (two, uuid) = sealed(tmp_path), sealed(tmp_path)
    two.write_bytes(two.read_bytes()[:70] + one.read_bytes()[70:])

    with pytest.raises(AlteredStreamError):
        read(two, uuid)


@pytest.mark.parametrize("content", [b"", PLAIN, files.MARK, files.MARK + bytes(62)])
def test_what_was_never_sealed_does_not_open(tmp_path: Path, content: bytes) -> None:
    path, uuid = sealed(tmp_path)
    path.write_bytes(content)

    with pytest.raises(AlteredStreamError):
        read(path, uuid)


def test_a_file_that_is_not_written_to_its_end_is_not_left(tmp_path: Path) -> None:
    def breaks_off() -> None:
        with files.created(tmp_path / "half", uuid4()) as file:
            file.write(PLAIN)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        breaks_off()

    assert not list(tmp_path.iterdir())


def test_without_the_root_key_nothing_is_written(tmp_path: Path, settings: Settings) -> None:
    settings.KEYS_DIR = tmp_path / "keys"
    make.customer("c-1", email="a@example.com")
    FileProvider().path.unlink()
    keystore.forget()

    with (
        pytest.raises(KeyUnavailableError, match="put it back"),
        files.created(tmp_path / "new", uuid4()) as file,
    ):
        file.write(PLAIN)

    assert not (tmp_path / "new").exists()
