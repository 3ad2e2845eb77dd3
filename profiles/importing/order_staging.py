"""From the file to staged lines, chunk by chunk: each chunk and the cursor commit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils.translation import gettext as _

from profiles.bulk import insert_rows
from profiles.files.reading import BadRow, DamagedFileError
from profiles.files.rejects import RejectsFile
from profiles.importing import categories, order_customers, uploads
from profiles.importing.tallies import REJECTED, SET_ASIDE, Tally
from profiles.models import StagedLine, Upload
from profiles.orders.formats import FOUND, OrderOptions
from profiles.orders.parsing import Line, LineParser, RejectedError, SetAside

if TYPE_CHECKING:
    from jobs.work import Work

CHUNK_LINES = 10_000
COLUMNS = ("upload_id", "line_number", *Line._fields)
CURRENCY, TOTAL = COLUMNS.index("currency"), COLUMNS.index("total_minor")


@dataclass
class Chunk:
    """The rows of one step, parsed: what is kept, and the cursor's new values."""

    tally: Tally
    rejects: RejectsFile
    last_line: int
    n_rows: int = 0
    kept: list[tuple[Any, ...]] = field(default_factory=list)
    damage: dict[str, str] | None = None


def stage(upload: Upload, options: OrderOptions, work: Work) -> None:
    """Stage every good line of the upload's file behind `work.cursor["line"]`.

    A damaged file ends the reading; `cursor["damage"]` says where, and what was read is kept.
    Raises UnreadableFileError if the file is no table of these columns.
    """
    columns = options.order_format().columns
    required = [name for name in columns.values() if name != FOUND]
    with uploads.opened(
        upload, encoding=options.encoding, now=work.now, required=required
    ) as table:
        if "line" not in work.cursor:
            places = {name: table.index[at] for name, at in columns.items() if at in table.index}
            uploads.check_contents(upload, places, encoding=options.encoding, now=work.now)
        index = {FOUND: len(table.columns)} | table.index
        rows = table.rows(after=work.cursor.get("line", 0))
        if "customer_email" in columns:
            email, customer = (index[columns[name]] for name in ("customer_email", "customer"))
            rows = order_customers.by_address(rows, email=email, customer=customer)
        parser = LineParser(
            options,
            index,
            now=work.now,
            adapt=connection.ops.adapt_datetimefield_value,
            categories=categories.read(options.categories, encoding=options.encoding, now=work.now),
        )
        is_over = False
        while not is_over:
            chunk = _read(rows, upload, parser, table.columns, work.cursor)
            with work.step() as cursor:
                insert_rows(StagedLine, COLUMNS, chunk.kept)
                cursor |= {
                    "tally": chunk.tally.to_json(),
                    "reject_bytes": chunk.rejects.write(),
                    "rejects_beyond": chunk.rejects.n_more,
                    "line": chunk.last_line,
                    "damage": chunk.damage,
                }
            work.progress(table.n_bytes_read, table.n_bytes, _("Reading the file"))
            is_over = chunk.n_rows < CHUNK_LINES


def _read(
    rows: Iterator[tuple[int, list[str] | BadRow]],
    upload: Upload,
    parser: LineParser,
    columns: list[str],
    cursor: dict[str, Any],
) -> Chunk:
    """Read and parse the next rows; nothing is stored yet, so no lock is held meanwhile."""
    chunk = Chunk(
        tally=Tally.from_json(cursor.get("tally", {})),
        rejects=RejectsFile(
            upload,
            columns,
            n_bytes=cursor.get("reject_bytes", 0),
            n_more=cursor.get("rejects_beyond", 0),
        ),
        last_line=cursor.get("line", 0),
    )
    parser.n_cancellations = parser.n_without_customer = parser.n_masked = 0
    parser.rounding.clear()
    try:
        for number, row in islice(rows, CHUNK_LINES):
            chunk.n_rows += 1
            chunk.last_line = number
            if line := _parsed(number, row, parser, chunk):
                chunk.kept.append((upload.pk, number, *line))
    except DamagedFileError as error:
        chunk.damage = {"code": error.code, "detail": error.detail}
    tally = chunk.tally
    for currency, total in _sums(chunk.kept).items():
        tally.read(currency, total, n=sum(row[CURRENCY] == currency for row in chunk.kept))
    tally.count("rows", chunk.n_rows)
    tally.count("cancellations", parser.n_cancellations)
    tally.count("without_customer", parser.n_without_customer)
    tally.count("masked", parser.n_masked)
    _add_rounding(tally, parser.rounding)
    return chunk


def _parsed(number: int, row: list[str] | BadRow, parser: LineParser, chunk: Chunk) -> Line | None:
    if isinstance(row, BadRow):
        _reject(number, [], RejectedError(row.code), chunk)
        return None
    try:
        line = parser.parse(row)
    except RejectedError as error:
        _reject(number, row[:-1], error, chunk)
        return None
    if isinstance(line, SetAside):
        chunk.tally.read(line.currency, line.total_minor)
        chunk.tally.add(f"{SET_ASIDE}:{line.reason}", line.currency, line.total_minor)
        return None
    return line


def _sums(kept: list[tuple[Any, ...]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in kept:
        sums[row[CURRENCY]] += row[TOTAL]
    return sums


def _reject(number: int, row: list[str], error: RejectedError, chunk: Chunk) -> None:
    chunk.rejects.add(number, error.code, row)
    tally = chunk.tally
    tally.count("rejected")
    if error.amount is None:
        tally.count(f"{REJECTED}:{error.code}")
    else:
        tally.read(*error.amount)
        tally.add(f"{REJECTED}:{error.code}", *error.amount)


def _add_rounding(tally: Tally, rounding: Mapping[str, Decimal]) -> None:
    for currency, amount in rounding.items():
        before = Decimal(tally.rounding.get(currency, "0"))
        tally.rounding[currency] = str(before + amount)
