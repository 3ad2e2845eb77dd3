"""Files brought in by hand: sealed as they come, looked at, kept for their import, no longer."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from jobs import queue
from privacy import announcing, files
from privacy.announcing import Fact
from privacy.crypto.stream import AlteredStreamError, SealedReader
from privacy.problems import DomainError
from privacy.purposes import purpose
from profiles.files import columns, contents, presets
from profiles.files.encodings import DEFAULT
from profiles.files.reading import (
    BadRow,
    DamagedFileError,
    Row,
    Table,
    UnreadableFileError,
    refuse_twice,
    telling_of,
)
from profiles.files.rejects import shape
from profiles.files.tables import open_table
from profiles.files.tables import table as table_in
from profiles.importing import kinds
from profiles.importing.field_words import label
from profiles.importing.kinds import MUST_HAVE, NAMES
from profiles.models import Upload
from profiles.orders.formats import (
    CSV,
    ONLINE_RETAIL,
    ONLINE_RETAIL_COLUMNS,
    OrderOptions,
)

if TYPE_CHECKING:
    from privacy.models import Staff

# Swept every hour, so that no copy is older than a day even if one sweep is missed.
KEPT_FOR: Final = timedelta(hours=22)
MAX_BYTES: Final = 1 << 30
PREVIEW_ROWS: Final = 5


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be brought in as it is; the text says what to do."""

    code: str
    text: str


@dataclass(frozen=True)
class Preview:
    """The beginning of a file, and what its columns seem to hold.

    `rows` are the first good rows; of customers and consents only the shape of each value.
    `mapping` is field to column, to be corrected by a person. No problems: it can be imported.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    format: str = CSV
    mapping: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    encoding: str = DEFAULT


def look(
    held: UUID,
    kind: str,
    *,
    actor: str,
    now: datetime,
    encoding: str = DEFAULT,
    file_format: str = "",
) -> Preview:
    """Look at the first rows of a held file, under the purpose `import`.

    Without a `file_format` that is told by the columns.
    """
    try:
        with unsealed(held, actor=actor, now=now) as stream:
            found = preview(
                stream, kind, n_bytes=stream.n_bytes, encoding=encoding, file_format=file_format
            )
            return replace(found, encoding=encoding)
    except UnreadableFileError as error:
        return Preview(problems=[Problem(error.code, error.detail)])


def preview(
    file: IO[bytes] | RawIOBase,
    kind: str,
    *,
    n_bytes: int,
    encoding: str = DEFAULT,
    file_format: str = "",
) -> Preview:
    """Look at the first rows of a file and guess its columns; changes nothing."""
    try:
        found = table_in(file, n_bytes=n_bytes, encoding=encoding)
        known = file_format or _format_of(kind, found.columns)
        if not file_format:
            kinds.refuse_other(kind, found.columns)
        table = as_preset(found, kind, known)
        if known == ONLINE_RETAIL:
            table.require(ONLINE_RETAIL_COLUMNS.values())
    except UnreadableFileError as error:
        return Preview(format=file_format or CSV, problems=[Problem(error.code, error.detail)])
    problems: list[Problem] = []
    some: list[Row] = []
    try:
        some.extend(row for _line, row in islice(table.rows(), contents.LOOKED_AT))
        kinds.refuse_empty(len(some))
    except UnreadableFileError as error:
        problems.append(Problem(error.code, error.detail))
    finally:
        table.release()
    rows = [row for row in some if not isinstance(row, BadRow)]
    if known != CSV:
        mapping = (
            ONLINE_RETAIL_COLUMNS if known == ONLINE_RETAIL else {at: at for at in table.columns}
        )
        return Preview(
            table.columns, _shown(kind, rows, range(len(table.columns))), known, mapping, problems
        )
    mapping = columns.guess(table.columns, NAMES[kind])
    places = {name: table.index[column] for name, column in mapping.items()}
    try:
        refuse_twice(table.columns, mapping.values())
        contents.check(table.columns, places, rows)
    except UnreadableFileError as error:
        problems.append(Problem(error.code, error.detail))
    if missing := [name for name in MUST_HAVE[kind] if name not in mapping]:
        text = _("Say which columns hold: %(missing)s.") % {
            "missing": pgettext("between values", ", ").join(map(label, missing))
        }
        problems.append(Problem("columns_missing", text))
    return Preview(table.columns, _shown(kind, rows, set(places.values())), CSV, mapping, problems)


def _format_of(kind: str, names: Sequence[str]) -> str:
    is_retail = kind == Upload.Kind.ORDERS and set(ONLINE_RETAIL_COLUMNS.values()) <= set(names)
    return presets.guess(kind, names) or (ONLINE_RETAIL if is_retail else CSV)


def _shown(
    kind: str, rows: Sequence[Sequence[str]], known: Collection[int]
) -> Sequence[Sequence[str]]:
    """The first rows: of orders the columns at `known` places but for addresses, else shapes.

    What stands in a column that nobody can name may be of a person.
    """
    is_open = kind == Upload.Kind.ORDERS
    return [
        [
            value if is_open and place in known and "@" not in value else shape(value)
            for place, value in enumerate(row)
        ]
        for row in rows[:PREVIEW_ROWS]
    ]


def as_preset(table: Table, kind: str, name: str) -> Table:
    """Return the table as the preset of that name reads it, or as it is for any other name."""
    preset = presets.find(kind, name)
    return table if preset is None else presets.PresetTable(table, preset)


class Incoming:
    """A file on its way in: what is written is sealed, and after `finish` held for a day.

    Raises KeyUnavailableError where nothing can be sealed.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.uuid = uuid4()
        self._n_bytes_left = max_bytes
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open = ExitStack()
        self._file = self._open.enter_context(files.created(held_at(self.uuid), self.uuid))

    def write(self, piece: bytes) -> None:
        """Take the next bytes; those too many raise DomainError, and the file is dropped."""
        self._n_bytes_left -= len(piece)
        if self._n_bytes_left < 0:
            self.drop()
            raise DomainError("file_too_large", _("The file is larger than 1 GiB."), status=413)
        self._file.write(piece)

    def finish(self) -> None:
        self._open.close()

    def drop(self) -> None:
        self._open.close()
        held_at(self.uuid).unlink(missing_ok=True)


def store(
    held: UUID,
    kind: str,
    options: dict[str, Any],
    staff: Staff | None,
    *,
    filename: str,
    now: datetime,
) -> Upload:
    """Bring in a held file: enqueue its import, once however often it is asked for.

    Options of orders are those of `OrderOptions`, of people `columns` (field to column) and
    `encoding`. Raises DomainError for options that cannot be.
    """
    if kind == Upload.Kind.ORDERS:
        asked = {name: value for name, value in options.items() if name != "preview"}
        is_preview = {"preview": True} if options.get("preview") else {}
        options = OrderOptions(**asked).to_json() | is_preview
    with transaction.atomic():
        upload, is_new = Upload.objects.get_or_create(
            uuid=held,
            defaults={
                "kind": kind,
                "filename": Path(filename).name[:200],
                "path": str(held_at(held)),
                "options": options,
                "staff": staff,
                "created_at": now,
            },
        )
        if is_new:
            job = queue.enqueue(
                f"profiles.import_{kind}",
                {"upload": upload.pk},
                now=now,
                unique_key=f"profiles.import_{kind}:{upload.pk}",
            )
            upload.job_uuid = job.uuid
            upload.save(update_fields=["job_uuid"])
    return upload


@transaction.atomic
def finish(upload: Upload, summary: Mapping[str, Any], *, n_rejected: int, now: datetime) -> None:
    """Write down how an import ended, and announce it unless it was a preview."""
    row = Upload.objects.filter(pk=upload.pk)
    row.update(summary=dict(summary), n_rejected=n_rejected, finished_at=now)
    if not upload.options.get("preview"):
        told = {"uploadId": str(upload.uuid), "kind": upload.kind, "rejected": n_rejected}
        announcing.announce([Fact("import.finished", told)], now=now)


@contextmanager
def unsealed(held: UUID, *, actor: str, now: datetime) -> Iterator[SealedReader]:
    """Open a held file under the purpose `import`.

    Raises UnreadableFileError `no_file`, or `file_altered` (also while it is read).
    """
    path = held_at(held)
    with purpose("import", actor=actor, now=now):
        try:
            with telling_of(path):
                stream = files.opened(path, held)
            with stream:
                yield stream
        except AlteredStreamError:
            detail = _("The stored file was altered or is cut short; bring it in again.")
            raise UnreadableFileError("file_altered", detail) from None


def check_contents(
    upload: Upload, places: Mapping[str, int], *, encoding: str, now: datetime
) -> None:
    """Raise UnreadableFileError `header_lies` if a column holds something else than it should."""
    good: list[list[str]] = []
    with opened(upload, encoding=encoding, now=now) as table:
        rows = (row for _line, row in table.rows() if not isinstance(row, BadRow))
        with suppress(DamagedFileError):
            good.extend(islice(rows, contents.LOOKED_AT))
        contents.check(table.columns, places, good)


@contextmanager
def opened(
    upload: Upload, *, encoding: str, now: datetime, required: Collection[str] = ()
) -> Iterator[Table]:
    """Open the file of an upload as a table; raises UnreadableFileError."""
    if not is_ours(upload):
        with open_table(upload.path, encoding=encoding) as found:
            table = as_preset(found, upload.kind, upload.options.get("format", ""))
            table.require(required)
            yield table
        return
    with unsealed(upload.uuid, actor=f"upload:{upload.uuid}", now=now) as stream:
        found = table_in(stream, n_bytes=stream.n_bytes, encoding=encoding)
        table = as_preset(found, upload.kind, upload.options.get("format", ""))
        table.require(required)
        yield table


def filed(path: Path, kind: str, options: dict[str, Any], *, now: datetime) -> Upload:
    """Return the upload of a file that stays where it is, as a command is given it.

    The same file with the same options is the same upload until its import has ended, so
    that a killed command is gone on with. Raises UnreadableFileError if there is no such file.
    """
    found, _is_new = Upload.objects.get_or_create(
        kind=kind,
        path=str(path),
        fingerprint=fingerprint(path),
        options=options,
        finished_at=None,
        defaults={"filename": path.name[:200], "created_at": now},
    )
    return found


def fingerprint(path: Path | str) -> str:
    """Return the SHA-256 of a file. Raises UnreadableFileError if it cannot be read."""
    with telling_of(path), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_unchanged(upload: Upload) -> bool:
    """Whether the file still is what the import began with; our own copies prove it by their seal."""
    return is_ours(upload) or fingerprint(upload.path) == upload.fingerprint


def is_ours(upload: Upload) -> bool:
    """Whether the file is our sealed copy and not one that a command was given."""
    return upload.path == str(held_at(upload.uuid))


def discard(upload: Upload) -> None:
    """Delete our copy of a file and of its categories; one that a command was given is left where it is."""
    beside = Path(upload.options.get("categories") or "")
    if held_by(beside):
        beside.unlink(missing_ok=True)
    if is_ours(upload):
        held_at(upload.uuid).unlink(missing_ok=True)
        Upload.objects.filter(pk=upload.pk).update(path="")


def discard_old(now: datetime) -> int:
    """Delete the copies that are nearly a day old, imported or not, and return how many.

    So go the files that were held for a look at their columns and never brought in, and what
    previews told row by row.
    """
    _forget_rows(now)
    old = Upload.objects.filter(created_at__lt=now - KEPT_FOR, path__startswith=str(folder()))
    uploads = list(old)
    for upload in uploads:
        discard(upload)
    waiting = set(Upload.objects.exclude(path="").values_list("path", flat=True))
    left = [
        path
        for path in (folder().iterdir() if folder().is_dir() else ())
        if str(path) not in waiting
        and datetime.fromtimestamp(path.stat().st_mtime, tz=UTC) < now - KEPT_FOR
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return len(uploads) + len(left)


def _forget_rows(now: datetime) -> None:
    told = Upload.objects.filter(finished_at__lt=now - KEPT_FOR, summary__has_key="diff")
    for upload in told:
        del upload.summary["diff"]
    Upload.objects.bulk_update(told, ["summary"])


def held_by(path: Path) -> UUID | None:
    """Return which held file lies at a path, if one may: others are of commands."""
    try:
        return UUID(path.name) if path.parent == folder() else None
    except ValueError:
        return None


def folder() -> Path:
    return Path(settings.VAR_DIR) / "uploads"


def held_at(held: UUID) -> Path:
    return folder() / str(held)
