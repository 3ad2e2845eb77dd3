"""Backup and restore of an installation: data and keystore apart, each of one moment.

The data are copied first: a person's key is made before their first row and only an erasure
takes it away, so the keystore copied after them holds the key of everybody who is to be read.
The root key is in neither: whoever finds a backup cannot open it.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader

from campaigns import approvals
from config.keeping import manifest, postgres, sqlite
from config.keeping.manifest import DamagedBackupError, Manifest
from privacy import ledger
from privacy.models import Keyring

PARTS = {"data": "default", "keystore": "keystore"}
FILES = "files.tar"
# Never in a backup: keys, the databases themselves, what belongs to another installation.
LEFT_OUT = ("keys", "demo", "moving")
# Tables that a new installation fills by itself.
OF_ITS_OWN = frozenset(
    {
        "django_migrations", "django_content_type", "auth_permission",
        "privacy_purposerecord", "privacy_userule",
    }
)  # fmt: skip


class BackupError(Exception):
    """A backup or restore that cannot be made; the text says why and what to do."""


FAILURES = (
    sqlite.DamagedDatabaseError, sqlite3.Error, postgres.ToolMissingError,
    postgres.ToolFailedError, psycopg.Error, DamagedBackupError, DatabaseError, OSError,
)  # fmt: skip


def make(target: Path, *, parts: Sequence[str], now: datetime) -> Iterator[Manifest]:
    """Write those parts into folders of `target`, look at each again, and yield what it holds.

    Raises BackupError, and leaves a folder without manifest where something failed.
    """
    for part in sorted(parts, key=list(PARTS).index):
        folder = target / part
        if folder.exists() and any(folder.iterdir()):
            raise BackupError(f"{folder} is not empty; name a new folder")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            yield _make_part(part, folder, leave_out=target, now=now)
        except FAILURES as error:
            raise BackupError(f"{part}: {error}") from error


def _make_part(part: str, folder: Path, *, leave_out: Path, now: datetime) -> Manifest:
    alias = PARTS[part]
    database = connections[alias].settings_dict
    path = folder / f"{part}.{'sqlite3' if _is_sqlite(alias) else 'dump'}"
    if _is_sqlite(alias):
        sqlite.copy(Path(str(database["NAME"])), path)
        rows = sqlite.counts(path)
        sqlite.check(path)
    else:
        rows = postgres.dump(database, path)
        postgres.check(database, path)
    files = {path.name: manifest.sha256(path)}
    if part == "data":
        _pack(folder / FILES, leave_out=leave_out)
        files[FILES] = manifest.sha256(folder / FILES)
    written = Manifest(
        part=part,
        vendor=connections[alias].vendor,
        installation=_installation(),
        made_at=now.isoformat(),
        migrations=sorted(f"{app}.{name}" for app, name in _applied(alias)),
        files=files,
        rows=rows,
    )
    for name in files:
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    manifest.write(folder, written)
    return manifest.read(folder)


def restore(source: Path, *, parts: Sequence[str], replace: bool, now: datetime) -> list[Manifest]:
    """Put the parts of a backup in the place of this installation's, and say what came.

    Everything is verified before anything is touched. Afterwards the installation is marked
    as restored, until `restore_check` has erased again who was erased since, and campaigns
    that were sending are paused. Raises BackupError.
    """
    try:
        found = [manifest.read(source / part) for part in parts]
        for one in found:
            _refuse_unless_fit(one, source / one.part, replace=replace)
        for one in found:
            _restore_part(one, source / one.part)
        ledger.mark_restored(now)
        if any(one.part == "data" for one in found):
            approvals.hold_restored(now)
    except FAILURES as error:
        raise BackupError(str(error)) from error
    return found


def found_parts(source: Path) -> list[str]:
    return [part for part in PARTS if (source / part / manifest.NAME).exists()]


def _refuse_unless_fit(one: Manifest, folder: Path, *, replace: bool) -> None:
    alias = PARTS[one.part]
    if one.vendor != connections[alias].vendor:
        raise BackupError(
            f"this backup is of {one.vendor}, the installation stands on "
            f"{connections[alias].vendor}; restore it on {one.vendor}, then use move_to"
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).graph.nodes}
    ours = {name for name in one.migrations if name.partition(".")[0] in _our_apps()}
    if unknown := sorted(ours - known):
        raise BackupError(f"the backup is of a newer Candor ({unknown[0]}); update this one first")
    filled = [name for name, n in _rows(alias).items() if n and name not in OF_ITS_OWN]
    if filled and not replace:
        raise BackupError(
            f"the {one.part} database holds rows already ({', '.join(filled[:3])}, …); "
            "--replace puts the backup in their place"
        )
    if one.vendor == "sqlite":
        sqlite.check(folder / f"{one.part}.sqlite3")
    else:
        postgres.check(connections[alias].settings_dict, folder / f"{one.part}.dump")


def _restore_part(one: Manifest, folder: Path) -> None:
    alias = PARTS[one.part]
    database = connections[alias].settings_dict
    connections[alias].close()
    if one.vendor == "sqlite":
        sqlite.copy(folder / f"{one.part}.sqlite3", Path(str(database["NAME"])))
    else:
        postgres.restore(database, folder / f"{one.part}.dump")
    if FILES in one.files:
        _unpack(folder / FILES)
    if (rows := _rows(alias)) != one.rows:
        wrong = sorted(
            name for name in rows.keys() | one.rows if rows.get(name) != one.rows.get(name)
        )
        raise BackupError(f"{one.part}: other rows than in the backup in {', '.join(wrong)}")


def _rows(alias: str) -> dict[str, int]:
    database = connections[alias].settings_dict
    if not _is_sqlite(alias):
        return postgres.counts(database)
    path = Path(str(database["NAME"]))
    return sqlite.counts(path) if path.exists() else {}


def _pack(target: Path, *, leave_out: Path) -> None:
    """Put the files of `VAR_DIR` into a tar: sealed uploads, rejects, certificates, the ledger."""
    var = Path(settings.VAR_DIR)
    with tarfile.open(target, "x") as archive:
        target.chmod(0o600)
        for path in sorted(var.rglob("*")):
            if path.is_file() and not path.is_symlink() and _belongs(path, var, leave_out):
                archive.add(path, arcname=str(path.relative_to(var)), recursive=False)


def _belongs(path: Path, var: Path, leave_out: Path) -> bool:
    inside = path.relative_to(var)
    return (
        inside.parts[0] not in LEFT_OUT
        and ".sqlite3" not in inside.name
        and inside.parts != ("ledger", "restored")
        and not path.resolve().is_relative_to(leave_out.resolve())
    )


def _unpack(source: Path) -> None:
    """Put the files back; lines of this installation's ledger of erasures stay in it."""
    var = Path(settings.VAR_DIR)
    there = _lines(ledger.path())
    with tarfile.open(source) as archive:
        archive.extractall(var, filter="data")
    if lost := [line for line in there if line not in set(_lines(ledger.path()))]:
        with ledger.path().open("a", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lost)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def _is_sqlite(alias: str) -> bool:
    return connections[alias].vendor == "sqlite"


def _installation() -> str:
    keyring = Keyring.objects.filter(pk=1).first()
    return str(keyring.installation) if keyring else ""


def _applied(alias: str) -> Any:
    return MigrationLoader(connections[alias]).applied_migrations


def _our_apps() -> set[str]:
    return {"campaigns", "recommendations", "profiles", "privacy", "jobs"}
