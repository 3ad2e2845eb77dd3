"""Which code trained a model: a digest of all that learns, judges and lists."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TRAINS: Final = (
    "engines/*.py",
    "evaluation/*.py",
    "interactions.py",
    "training.py",
    "lists.py",
    "fairness.py",
)
LENGTH: Final = 12


@cache
def code_version() -> str:
    """Return 12 hexadecimal digits; runs of the same code have the same, wherever it runs."""
    digest = sha256()
    for pattern in TRAINS:
        for path in sorted(HERE.glob(pattern)):
            digest.update(path.relative_to(HERE).as_posix().encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:LENGTH]
