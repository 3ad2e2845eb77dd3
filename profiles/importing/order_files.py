"""Importing an order file: stage its lines, settle sales, match refunds, say where all went.

Every line of the file ends in one bucket, so that the signed amounts (quantity x price less
discount, rounded half to even at the line) of the buckets add up to those of the file:

- net: lines of customers' orders, before refunds (`Order.total_minor`);
- refund_matched: refunds taken from an earlier line of the same customer and item;
- refund_unmatched: refunds for which no such line, or too little quantity, was left; those
  of guests are all here, since nothing says which guest it was;
- guest: lines of orders without a customer;
- set_aside:<reason>: postage, fees, vouchers, test lines, stock adjustments and the like;
- rejected:<code>: rows that cannot be right. Where quantity or price is unreadable there is
  no amount: such rows are counted alone.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from jobs.running import JobFailedError
from privacy.models import Source
from profiles import bulk, registry
from profiles.files.reading import UnreadableFileError
from profiles.files.rejects import path_of
from profiles.importing import (
    comparing,
    diffing,
    kinds,
    order_staging,
    refunds,
    row_changes,
    settling,
    uploads,
)
from profiles.importing.comparing import Looking
from profiles.importing.tallies import REJECTED, Tally
from profiles.models import Customer, Order, OrderLine, Refund, StagedLine, Upload
from profiles.orders.formats import OrderOptions

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.work import Work

SOURCE = "Order files"


def import_orders(upload: Upload, work: Work, *, looking: Looking | None = None) -> dict[str, Any]:
    """Bring the orders of an upload in, going on where an earlier attempt stopped.

    Returns the summary, which is kept on the upload too; of a preview, `looking` tells what the
    columns hold. Raises JobFailedError for a file
    that cannot be read (nothing of it is kept) or that is damaged (what was read is kept).
    """
    is_preview = bool(upload.options.get("preview"))
    told = {name: value for name, value in upload.options.items() if name != "preview"}
    options = OrderOptions(**told)
    source_id = source(work.now).pk
    bulk.widen_cache()
    with collector_paused():
        if not work.cursor.get("staged"):
            _stage(upload, options, work)
        bulk.learn_sizes(StagedLine)
        settling.follow_merges(upload, work)
        if is_preview:
            return _preview(upload, options, source_id, work, looking)
        if not work.cursor.get("noted"):
            _note(upload, source_id, work)
        settling.settle(upload, source_id, work)
        refunds.match(upload, source_id, work)
    bulk.learn_sizes(Customer, Order, OrderLine, Refund)
    summary = _finish(upload, work)
    registry.run_after_import(work.now)
    if damage := work.cursor.get("damage"):
        raise JobFailedError(damage["code"], damage["detail"])
    return summary


def _preview(
    upload: Upload, options: OrderOptions, source_id: int, work: Work, looking: Looking | None
) -> dict[str, Any]:
    """Say what the staged lines would change, and let go of them."""
    _number_refunds(upload, work)
    with work.step() as cursor:
        tally = Tally.from_json(cursor["tally"])
        tally.counts |= diffing.counts(upload, source_id)
        diff: dict[str, Any] = {}
        comparing.add(diff, diffing.rows(upload))
        StagedLine.objects.filter(upload=upload).delete()
        cursor |= {"tally": tally.to_json(), "diff": diff}
    told = {"diff": work.cursor["diff"]}
    if looking is not None:
        told["columns"] = looking.columns(upload, encoding=options.encoding, now=work.now)
    return _finish(upload, work, told)


def _note(upload: Upload, source_id: int, work: Work) -> None:
    """Note what is not there yet, so that the import can be taken back."""
    _number_refunds(upload, work)
    with work.step() as cursor:
        row_changes.note_orders(upload, source_id)
        cursor["noted"] = True


def _number_refunds(upload: Upload, work: Work) -> None:
    if not work.cursor.get("refunds_numbered"):
        with work.step() as cursor:
            refunds.number(upload)
            cursor["refunds_numbered"] = True


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python from looking for cycles among rows, which have none: a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def source(now: datetime) -> Source:
    """Return the source of all order files: a line that is in two of them is one line."""
    found, _is_new = Source.objects.get_or_create(
        name=SOURCE, defaults={"kind": Source.Kind.FILE, "created_at": now}
    )
    return found


def _stage(upload: Upload, options: OrderOptions, work: Work) -> None:
    try:
        _check_unchanged(upload)
        order_staging.stage(upload, options, work)
        tally = Tally.from_json(work.cursor["tally"])
        kinds.refuse_empty(tally.counts["rows"] or int(bool(work.cursor["damage"])))
    except UnreadableFileError as error:
        StagedLine.objects.filter(upload=upload).delete()
        Upload.objects.filter(pk=upload.pk).update(finished_at=work.now)
        raise JobFailedError(error.code, error.detail) from error
    with work.step() as cursor:
        cursor["staged"] = True
        cursor.setdefault("tally", Tally().to_json())


def _check_unchanged(upload: Upload) -> None:
    if not uploads.is_unchanged(upload):
        raise UnreadableFileError(
            "file_changed",
            _("The file is not the one that the import began with; import it anew."),
        )


def _finish(upload: Upload, work: Work, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
    tally = Tally.from_json(work.cursor["tally"])
    reasons = {
        name.removeprefix(f"{REJECTED}:"): n_lines
        for found in tally.buckets.values()
        for name, (n_lines, _minor) in found.items()
        if name.startswith(f"{REJECTED}:")
    } | {
        name.removeprefix(f"{REJECTED}:"): n
        for name, n in tally.counts.items()
        if name.startswith(f"{REJECTED}:")
    }
    summary = tally.to_json() | {
        "reasons": reasons,
        "damage": work.cursor.get("damage"),
        "rejects": str(path_of(upload)) if tally.counts.get("rejected") else "",
        **(told or {}),
    }
    with work.step():
        n_rejected = tally.counts.get("rejected", 0)
        uploads.finish(upload, summary, n_rejected=n_rejected, now=work.now)
    return summary
