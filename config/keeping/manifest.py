"""What a part of a backup holds: digests of its files, rows of its tables, whose it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

NAME = "manifest.json"
FORMAT = 1


class DamagedBackupError(Exception):
    """A part of a backup is not what was written; the text says what and where."""


@dataclass(frozen=True)
class Manifest:
    """`part` is data or keystore, `files` the SHA-256 by name, `rows` the count by table."""

    part: str
    vendor: str
    installation: str
    made_at: str
    migrations: list[str]
    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT


def write(folder: Path, manifest: Manifest) -> None:
    """Write it as the last of a part: a folder without one is no backup."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
    handle = os.open(folder / NAME, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """Return the manifest of a part whose files are all as they were written."""
    try:
        found = Manifest(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DamagedBackupError(
            f"{folder} holds no {NAME}: it is no backup, or one that was never finished"
        ) from None
    except (ValueError, TypeError) as error:
        raise DamagedBackupError(f"{folder / NAME} cannot be read: {error}") from None
    if found.format != FORMAT:
        raise DamagedBackupError(f"{folder} was written by a newer Candor; update this one first")
    for fault in faults(folder, found):
        raise DamagedBackupError(fault)
    return found


def faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    for name, digest in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing"
        elif sha256(path) != digest:
            yield f"{path} is not what was written: its SHA-256 differs"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
