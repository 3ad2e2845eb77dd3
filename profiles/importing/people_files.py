"""The frame of the imports of customers, consents and suppressions: read, check, write in steps, tell.

A thousand rows, their rejects and the cursor that says so go together, so that a killed
import goes on behind its last step and a repeated one changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from jobs.running import JobFailedError
from privacy import finder
from privacy.models import Shop
from privacy.purposes import purpose
from privacy.suppression import Entry
from profiles.events.wire import Message
from profiles.files import columns
from profiles.files.reading import BadRow, DamagedFileError, Table, UnreadableFileError
from profiles.files.rejects import RejectsFile, path_of
from profiles.importing import (
    comparing,
    consent_rows,
    customer_rows,
    event_rows,
    kinds,
    suppression_rows,
    uploads,
)
from profiles.importing.comparing import Compared, Difference, Looking
from profiles.importing.consent_rows import ConsentRow
from profiles.importing.customer_rows import CustomerRow, RejectedError
from profiles.models import Upload

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.work import Work

ROWS_A_STEP = 1_000
REASON = "reason:"
R = TypeVar("R")
Counts = dict[str, int]


@dataclass(frozen=True)
class Form(Generic[R]):
    """What the rows of a file are: their fields, how one is checked, how many are written.

    `insert` returns its counts and a code by place of the rows it refused. In the cells named
    by `free`, where people write what they like, personal data is masked. `more` gives cells
    of the columns that hold no field. `compared` sets rows beside what is there, for a preview;
    it `opens` sealed values if they look alike, inside the purpose `import`.
    """

    names: columns.Names
    required: tuple[str, ...]
    parse: Callable[[Mapping[str, str], datetime], R]
    insert: Callable[[Sequence[R], datetime], tuple[Counts, dict[int, str]]]
    compared: Callable[[Sequence[R]], Compared]
    free: tuple[str, ...] = ()
    more: Callable[[Sequence[str], Mapping[str, int]], Mapping[str, int]] = lambda _all, _found: {}
    rows_a_step: int = ROWS_A_STEP
    opens: bool = False


def _insert_customers(
    rows: Sequence[CustomerRow], now: datetime, upload: Upload
) -> tuple[Counts, dict[int, str]]:
    if upload.options.get("preview"):
        done = customer_rows.look(rows)
    else:
        done = customer_rows.insert(rows, now=now, upload=upload)
    places = {row.external_id: at for at, row in enumerate(rows)}
    rejected = {places[external_id]: code for external_id, code in done.rejected.items()}
    counts = {"added": done.n_added, "changed": done.n_changed, "same": done.n_same}
    # Two rows with one id are one customer: the earlier is counted as replaced.
    return counts | {"replaced": len(rows) - len(places)}, rejected


def _parse_customer(values: Mapping[str, str], now: datetime) -> CustomerRow:
    return customer_rows.parse(values, today=now.date())


def customers(upload: Upload) -> Form[CustomerRow]:
    return Form(
        columns.CUSTOMER_NAMES,
        ("external_id",),
        _parse_customer,
        lambda rows, now: _insert_customers(rows, now, upload),
        customer_rows.compared,
        free=("country", "city", "occupation"),
        opens=True,
    )


def consents(upload: Upload) -> Form[ConsentRow]:
    """The consents of an upload; a preview (`options["preview"]`) writes nothing."""
    zone = ZoneInfo(Shop.current().time_zone)
    preview = bool(upload.options.get("preview"))

    def insert(rows: Sequence[ConsentRow], now: datetime) -> tuple[Counts, dict[int, str]]:
        done = consent_rows.insert(rows, batch=upload.uuid, now=now, preview=preview)
        counts = {"added": done.n_new, "same": done.n_same, "idle": done.n_idle}
        return counts, done.rejected

    return Form(
        columns.CONSENT_NAMES,
        columns.CONSENT_REQUIRED,
        lambda values, _now: consent_rows.parse(values, zone=zone),
        insert,
        consent_rows.compared,
        free=("source",),
    )


def suppressions(upload: Upload) -> Form[Entry]:
    preview = bool(upload.options.get("preview"))

    def insert(rows: Sequence[Entry], now: datetime) -> tuple[Counts, dict[int, str]]:
        n_new = suppression_rows.insert(rows, upload=upload, now=now, preview=preview)
        return {"added": n_new, "same": len(rows) - n_new}, {}

    return Form(
        columns.SUPPRESSION_NAMES,
        ("address",),
        lambda values, _now: suppression_rows.parse(values),
        insert,
        suppression_rows.compared,
    )


def events(upload: Upload) -> Form[Message]:
    zone = ZoneInfo(Shop.current().time_zone)
    preview = bool(upload.options.get("preview"))

    def insert(rows: Sequence[Message], now: datetime) -> tuple[Counts, dict[int, str]]:
        done = event_rows.insert(rows, upload=upload, now=now, preview=preview)
        return {"added": done.n_new, "same": done.n_same, "masked": done.n_masked}, {}

    return Form(
        columns.EVENT_NAMES,
        columns.EVENT_REQUIRED,
        lambda values, now: event_rows.parse(values, zone=zone, now=now),
        insert,
        event_rows.compared,
        more=event_rows.more,
    )


def refuse_before_suppressions() -> None:
    """Raise JobFailedError while a file of suppressions waits: they come before consents."""
    waiting = Upload.objects.filter(kind=Upload.Kind.SUPPRESSIONS, finished_at__isnull=True)
    if (first := waiting.order_by("pk").first()) is not None:
        raise JobFailedError(
            "suppressions_first",
            _("The suppressions of %(file)s are not brought in yet; they come first.")
            % {"file": first.filename},
        )


def run(
    form: Form[R], upload: Upload, work: Work, *, looking: Looking | None = None
) -> dict[str, Any]:
    """Bring in the rows of an upload and return their counts, going on where it stopped.

    Of a preview, `looking` tells what columns hold and what rows would change. Raises JobFailedError for a file that cannot be read; of a damaged one all rows before
    the damage are kept.
    """
    options = upload.options
    encoding = options.get("encoding") or "utf-8"
    damage: UnreadableFileError | None = None
    try:
        with uploads.opened(upload, encoding=encoding, now=work.now) as table:
            if not options.get("columns"):
                kinds.refuse_other(upload.kind, table.columns)
            places = columns.find(
                table.columns,
                form.names,
                required=form.required,
                given=options.get("columns") or {},
            )
            if "line" not in work.cursor:
                uploads.check_contents(upload, places, encoding=encoding, now=work.now)
            places |= form.more(table.columns, places)
            # Before the steps: opened within a transaction, a purpose opens nothing.
            opens = looking is not None and form.opens
            actor = f"upload:{upload.uuid}"
            with purpose("import", actor=actor, now=work.now) if opens else nullcontext():
                _take_all(form, table, places, upload, work, looking=looking)
        kinds.refuse_empty(work.cursor.get("counts", {}).get("rows", 0))
    except UnreadableFileError as error:
        damage = error
    counts: Counts = work.cursor.get("counts", {})
    reasons = {
        name.removeprefix(REASON): n for name, n in counts.items() if name.startswith(REASON)
    }
    counts = {name: n for name, n in counts.items() if not name.startswith(REASON)}
    summary: dict[str, Any] = {
        "counts": counts,
        "reasons": reasons,
        "rejects": str(path_of(upload)) if counts.get("rejected") else "",
        "damage": damage.code if damage else "",
    }
    if looking is not None and damage is None:
        told = looking.columns(upload, encoding=encoding, now=work.now)
        summary |= {"diff": work.cursor.get("diff", {}), "columns": told}
    uploads.finish(upload, summary, n_rejected=counts.get("rejected", 0), now=work.now)
    if damage is not None:
        raise JobFailedError(damage.code, str(damage)) from damage
    return summary


def _take_all(
    form: Form[R],
    table: Table,
    places: Mapping[str, int],
    upload: Upload,
    work: Work,
    *,
    looking: Looking | None,
) -> None:
    rejects = RejectsFile(
        upload,
        table.columns,
        n_bytes=work.cursor.get("rejects", 0),
        n_more=work.cursor.get("rejects_beyond", 0),
    )
    rows = table.rows(after=work.cursor.get("line", 0))
    damage: DamagedFileError | None = None
    while damage is None:
        chunk: list[tuple[int, list[str] | BadRow]] = []
        try:
            chunk.extend(islice(rows, form.rows_a_step))
        except DamagedFileError as error:
            damage = error
        if not chunk:
            break
        with work.step() as cursor:
            taken = _take(form, chunk, places, rejects, work.now)
            if looking is not None:
                comparing.add(cursor.setdefault("diff", {}), taken.differences(form, looking))
            counts = taken.counts
            cursor["counts"] = dict(Counter(cursor.get("counts", {})) + counts)
            cursor |= {"rejects": rejects.write(), "rejects_beyond": rejects.n_more}
            cursor["line"] = chunk[-1][0]
        work.progress(table.n_bytes_read, table.n_bytes, upload.filename)
    if damage is not None:
        raise damage


@dataclass(frozen=True)
class Taken(Generic[R]):
    """The rows of a step: how many of which, and those that could be read, by line."""

    counts: Counter[str]
    lines: Sequence[int]
    parsed: Sequence[R]
    refused: Collection[int]

    def differences(
        self, form: Form[R], looking: Looking
    ) -> Iterator[tuple[int, Difference | None]]:
        found = looking.differences(form.compared(self.parsed))
        for at, (line, one) in enumerate(zip(self.lines, found, strict=True)):
            if at not in self.refused:
                yield line, one


def _take(
    form: Form[R],
    chunk: Sequence[tuple[int, list[str] | BadRow]],
    places: Mapping[str, int],
    rejects: RejectsFile,
    now: datetime,
) -> Taken[R]:
    good: list[tuple[int, list[str]]] = []
    parsed: list[R] = []
    bad: list[tuple[int, str, list[str]]] = []
    n_masked = 0
    for line, cells in chunk:
        if isinstance(cells, BadRow):
            bad.append((line, cells.code, []))
            continue
        values = {name: cells[at] for name, at in places.items()}
        n_masked += _mask(values, form.free)
        try:
            parsed.append(form.parse(values, now))
        except RejectedError as error:
            bad.append((line, error.code, cells))
        else:
            good.append((line, cells))
    counts, refused = form.insert(parsed, now)
    bad += [(good[at][0], code, good[at][1]) for at, code in refused.items()]
    for line, code, cells in sorted(bad):
        rejects.add(line, code, cells)
    told = Counter(f"{REASON}{code}" for _line, code, _cells in bad)
    told += Counter(rows=len(chunk), rejected=len(bad), masked=n_masked)
    lines = [line for line, _cells in good]
    return Taken(Counter(counts) + told, lines, parsed, refused.keys())


def _mask(values: dict[str, str], names: Sequence[str]) -> int:
    """Mask personal data in the cells of those names; return in how many there was some."""
    telling = [name for name in names if finder.holds(values.get(name, ""))]
    for name in telling:
        values[name] = finder.redact(values[name])
    return len(telling)


def text(counts: Counts) -> Iterator[str]:
    """Say the counts, a line each."""
    words = {
        "rows": _("rows read"),
        "added": _("added"),
        "changed": _("changed"),
        "same": _("unchanged"),
        "replaced": _("replaced by a later row"),
        "idle": _("of them without effect: withdrawn later, objected or suppressed"),
        "rejected": _("rejected"),
        "masked": _("texts in which personal data was masked"),
    }
    for code, word in words.items():
        if code in counts or code in {"rows", "rejected"}:
            yield f"{counts.get(code, 0):>9,}  {word}"
