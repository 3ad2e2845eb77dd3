"""The file of categories that goes with an order file: product, category."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from profiles.files.encodings import DEFAULT
from profiles.files.reading import BadRow, Table, UnreadableFileError
from profiles.files.tables import open_table, table
from profiles.importing import uploads

if TYPE_CHECKING:
    from datetime import datetime

COLUMNS: Final = ("product", "category")
MAX_CATEGORY: Final = 100


def read(path: str, *, encoding: str, now: datetime) -> dict[str, str]:
    """Return product to category; of no path, nothing.

    It may be UTF-8 beside orders that are not. Raises UnreadableFileError.
    """
    if not path:
        return {}
    try:
        try:
            return _read(path, DEFAULT, now)
        except UnreadableFileError as error:
            if error.code != "encoding" or encoding == DEFAULT:
                raise
            return _read(path, encoding, now)
    except UnreadableFileError as error:
        raise UnreadableFileError(
            error.code, _("In the file of categories: %(what)s") % {"what": error.detail}
        ) from error


def _read(path: str, encoding: str, now: datetime) -> dict[str, str]:
    with _opened(path, encoding, now) as found:
        found.require(COLUMNS)
        product, category = (found.index[name] for name in COLUMNS)
        return {
            row[product].strip(): row[category].strip()[:MAX_CATEGORY]
            for _line, row in found.rows()
            if not isinstance(row, BadRow)
        }


@contextmanager
def _opened(path: str, encoding: str, now: datetime) -> Iterator[Table]:
    held = uploads.held_by(Path(path))
    if held is None:
        with open_table(path, encoding=encoding) as found:
            yield found
    else:
        with uploads.unsealed(held, actor=f"upload:{held}", now=now) as stream:
            yield table(stream, n_bytes=stream.n_bytes, encoding=encoding)
