"""Bringing in a feed: its rows in steps, then what it no longer holds; nothing is lost on the way.

A thousand rows, their report and the cursor that says so go together, so that a killed import goes
on behind its last step. A row told as before is not written again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _

from jobs.models import Job
from jobs.running import JobFailedError
from jobs.work import ObstacleError
from privacy.models import Shop
from profiles.files.reading import (
    BadRow,
    DamagedFileError,
    UnreadableFileError,
    telling_of,
)
from profiles.importing import uploads
from recommendations.catalogue_writing import merge, merge_offers
from recommendations.feeds import rows
from recommendations.feeds.faults import Fault, RowError
from recommendations.feeds.reading import FeedFile, Numbered, opened
from recommendations.feeds.report import REJECTED, TAKEN, Report, path_of
from recommendations.feeds.rows import Terms, Told
from recommendations.models import FeedImport, FeedItem, Offer, Product

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.work import Work

ROWS_A_STEP: Final = 1_000
CODE: Final = "code:"
ADDED_TO: Final = ("specs", "translations")
DIGEST_BYTES: Final = 16
Counts = dict[str, int]


@dataclass
class _Step:
    """The rows of one step: what is told of each id, once; which ids wrong rows name."""

    told: dict[str, tuple[int, Told]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


def run(brought: FeedImport, work: Work) -> dict[str, Any]:
    """Bring in the rows of a feed's file and return their counts, going on where it stopped.

    Raises JobFailedError for a file that cannot be read; of a damaged one the rows before the
    damage are kept, and nothing goes off sale.
    """
    _wait_for_older(brought)
    damage: UnreadableFileError | None = None
    if "before" not in work.cursor:
        with work.step() as cursor:
            there = FeedItem.objects.filter(feed=brought.feed_id, is_missing=False)
            cursor["before"] = there.count()
    try:
        with _file(brought, work.now) as file:
            _take_all(brought, file, work)
    except UnreadableFileError as error:
        damage = error
    counts: Counts = dict(work.cursor.get("counts", {}))
    n_missing = 0
    if damage is None:
        n_missing = _missing(brought).count()
        if not counts.get("rows") and n_missing == 0:
            damage = UnreadableFileError("no_products", _("The feed holds no products."))
    # More than half of what it had is gone: more likely a fault than a plan.
    asks = n_missing * 2 > work.cursor["before"]
    if n_missing and not asks:
        counts["removed"] = remove_missing(brought, work)
    _finish(brought, counts, damage, work.now, n_missing=n_missing, asks=asks)
    if damage is not None:
        raise JobFailedError(damage.code, str(damage)) from damage
    return {"counts": counts, "asks": asks}


def _wait_for_older(brought: FeedImport) -> None:
    """Raise ObstacleError while an older file of the feed is on its way in."""
    older = FeedImport.objects.filter(feed=brought.feed_id, pk__lt=brought.pk)
    waiting = older.filter(finished_at=None).values_list("job_uuid", flat=True)
    if Job.objects.open().filter(uuid__in=waiting).exists():
        raise ObstacleError(_("An older file of this feed is on its way in; it comes first."))


def remove(brought: FeedImport, work: Work) -> dict[str, Any]:
    """Take off sale what was asked about, unless a newer file of the feed says otherwise."""
    if FeedImport.objects.filter(feed=brought.feed_id, pk__gt=brought.pk).exists():
        raise JobFailedError("newer_import", _("A newer file of this feed was brought in since."))
    n_gone = remove_missing(brought, work)
    brought.summary["counts"]["removed"] = n_gone
    brought.asks = False
    brought.save(update_fields=["summary", "asks"])
    return {"removed": n_gone}


def _finish(
    brought: FeedImport,
    counts: Counts,
    damage: UnreadableFileError | None,
    now: datetime,
    *,
    n_missing: int,
    asks: bool,
) -> None:
    brought.summary = {
        "counts": {name: n for name, n in counts.items() if not name.startswith(CODE)},
        "codes": {
            name.removeprefix(CODE): n for name, n in counts.items() if name.startswith(CODE)
        },
        "report": str(path_of(brought)) if path_of(brought).exists() else "",
        "damage": damage.code if damage else "",
        "why": str(damage) if damage else "",
    }
    brought.n_rejected, brought.n_missing = counts.get("rejected", 0), n_missing
    brought.asks, brought.finished_at = asks, now
    if brought.held and damage is None:
        uploads.held_at(brought.held).unlink(missing_ok=True)
        brought.held = None
    brought.save()


@contextmanager
def _file(brought: FeedImport, now: datetime) -> Iterator[FeedFile]:
    """Open the file of an import: our sealed copy, or the one that a command was given."""
    if brought.held:
        actor = f"feed:{brought.feed_id}"
        with uploads.unsealed(brought.held, actor=actor, now=now) as stream:
            yield opened(stream, n_bytes=stream.n_bytes, encoding=brought.encoding)
        return
    path = Path(brought.path)
    with telling_of(path), path.open("rb", buffering=0) as stream:
        yield opened(stream, n_bytes=path.stat().st_size, encoding=brought.encoding)


def _take_all(brought: FeedImport, file: FeedFile, work: Work) -> None:
    report = Report(
        brought,
        n_bytes=work.cursor.get("report", 0),
        n_more=work.cursor.get("unreported", 0),
    )
    shop, feed = Shop.current(), brought.feed
    found = file.rows(after=work.cursor.get("row", 0))
    damage: DamagedFileError | None = None
    try:
        while damage is None:
            chunk: list[Numbered] = []
            try:
                chunk.extend(islice(found, ROWS_A_STEP))
            except DamagedFileError as error:
                damage = error
            if not chunk:
                break
            with work.step() as cursor:
                terms = Terms(shop.currency, work.now, feed.country, feed.language)
                counts = _take(brought, chunk, terms, report)
                cursor["counts"] = dict(Counter(cursor.get("counts", {})) + counts)
                cursor |= {"report": report.write(), "unreported": report.n_more}
                cursor["row"] = chunk[-1][0]
            work.progress(file.n_bytes_read, file.n_bytes, brought.filename)
    finally:
        file.release()
    if damage is not None:
        raise damage


def _take(
    brought: FeedImport, chunk: Sequence[Numbered], terms: Terms, report: Report
) -> Counter[str]:
    """Bring in some rows and return what became of them."""
    step = _Step(counts=Counter(rows=len(chunk)))
    ids = {rows.id_of(cells) for _number, cells in chunk if not isinstance(cells, BadRow)}
    items = FeedItem.objects.filter(feed=brought.feed_id, product_id__in=ids - {""})
    known = {item.product_id: item for item in items}
    # Of an earlier step; a row that was named and not taken has no line.
    taken = {id_ for id_, item in known.items() if item.seen == brought.pk and item.line}
    for number, cells in chunk:
        faults: Sequence[Fault] = ()
        if isinstance(cells, BadRow):
            id_, faults = "", [Fault(cells.code)]
        else:
            id_ = rows.id_of(cells)
            try:
                told = rows.parse(cells, terms)
            except RowError as error:
                faults = error.faults
        if not faults and (id_ in step.told or id_ in taken):
            faults = [Fault("duplicate_id", "id", id_)]
        if faults:
            whole = {} if isinstance(cells, BadRow) else cells
            report.add(number, id_, REJECTED, faults, whole)
            step.counts["rejected"] += 1
            # What is named in the feed is not missing from it, however wrong its row is.
            step.named.add(id_)
        else:
            step.told[id_] = (number, told)
            if faults := told.remarks:
                report.add(number, id_, TAKEN, faults, {})
                step.counts["remarked"] += 1
        step.counts.update(f"{CODE}{fault.code}" for fault in faults)
    _write(brought, step, known, terms)
    untaken = [known[id_].pk for id_ in step.named - taken - set(step.told) if id_ in known]
    FeedItem.objects.filter(pk__in=untaken).update(seen=brought.pk, line=0)
    return step.counts


def _write(brought: FeedImport, step: _Step, known: dict[str, FeedItem], terms: Terms) -> None:
    products: dict[str, dict[str, Any]] = {}
    offers: dict[str, dict[str, Any]] = {}
    items: list[FeedItem] = []
    for id_, (number, told) in step.told.items():
        before, digest = known.get(id_), _digest(told, terms)
        is_back = before is not None and before.is_missing
        items.append(
            FeedItem(
                feed_id=brought.feed_id,
                product_id=id_,
                digest=digest,
                line=number,
                seen=brought.pk,
            )
        )
        if before is not None and not is_back and bytes(before.digest) == digest:
            step.counts["same"] += 1
            continue
        products[id_] = told.facts | ({"is_active": True} if is_back else {})
        if told.offer:
            offers[id_] = told.offer
    _merge(products, offers, step, terms)
    FeedItem.objects.bulk_create(
        items,
        batch_size=ROWS_A_STEP,
        update_conflicts=True,
        unique_fields=["feed", "product_id"],
        update_fields=["digest", "line", "seen", "is_missing"],
    )


def _merge(
    products: dict[str, dict[str, Any]],
    offers: dict[str, dict[str, Any]],
    step: _Step,
    terms: Terms,
) -> None:
    """Write products, then their offers in the feed's country; count each row once."""
    if terms.language or terms.country:
        # What another feed tells in the catalogue's own words and money stays as it is.
        _fill_titles(products, terms)
    done = merge(products, now=terms.now, adding=ADDED_TO)
    n_offers = 0
    if terms.country:
        n_offers = len(merge_offers(terms.country, offers, now=terms.now))
    n_changed = max(done.n_changed, n_offers - done.n_created)
    step.counts["added"] += done.n_created
    step.counts["changed"] += n_changed
    step.counts["same"] += len(products) - done.n_created - n_changed


def _fill_titles(products: dict[str, dict[str, Any]], terms: Terms) -> None:
    """Give products that no other feed told of the words they have in this language."""
    there = Product.objects.filter(product_id__in=list(products))
    told = dict(there.values_list("product_id", "category"))
    for id_, facts in products.items():
        texts = facts.get("translations", {}).get(terms.language, {})
        if id_ not in told:
            facts.update(texts)
        elif not told[id_] and "category" in texts:
            facts["category"] = texts["category"]


def _digest(told: Told, terms: Terms) -> bytes:
    facts = [told.facts, told.offer, terms.country, terms.language, terms.currency]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()


# What a feed no longer holds ------------------------------------------------------------------


def _missing(brought: FeedImport) -> Any:
    """The products that were in the feed before and are not any more."""
    if not brought.feed.is_whole:
        return FeedItem.objects.none()
    there = FeedItem.objects.filter(feed=brought.feed_id, is_missing=False)
    return there.exclude(seen=brought.pk)


def remove_missing(brought: FeedImport, work: Work) -> int:
    """Take off sale what the feed no longer holds, some a step; return how many went.

    A product that another whole feed holds stays on sale; of a feed of one country only the offer
    there ends.
    """
    n_gone = work.cursor.get("n_gone", 0)
    feed = brought.feed
    while True:
        gone = list(_missing(brought).order_by("pk").values_list("pk", "product_id")[:ROWS_A_STEP])
        if not gone:
            return int(n_gone)
        with work.step() as cursor:
            ids = [id_ for _pk, id_ in gone]
            if feed.country:
                _end_offers(feed.country, ids, work.now)
            elif not feed.language:
                others = FeedItem.objects.filter(product_id__in=ids, is_missing=False)
                held = others.exclude(feed=feed.pk).values_list("product_id", flat=True)
                off = sorted(set(ids) - set(held))
                merge({id_: {"is_active": False} for id_ in _there(off)}, now=work.now)
            FeedItem.objects.filter(pk__in=[pk for pk, _id in gone]).update(is_missing=True)
            n_gone += len(gone)
            cursor["n_gone"] = n_gone


def _there(ids: Sequence[str]) -> Sequence[str]:
    return list(Product.objects.filter(product_id__in=ids).values_list("product_id", flat=True))


def _end_offers(country: str, ids: Sequence[str], now: datetime) -> None:
    there = Offer.objects.filter(country=country, product__product_id__in=ids)
    named = there.values_list("product__product_id", flat=True)
    merge_offers(
        country, {id_: {"stock": 0, "availability": "out_of_stock"} for id_ in named}, now=now
    )
