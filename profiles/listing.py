"""Lists of customers by the shop's ids: brought in as they are, with a segment to aim at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import changes, segmentation
from profiles.files import columns, rejects, tables
from profiles.files.reading import BadRow, Table
from profiles.importing import uploads
from profiles.models import Customer, Segment, StaticList, StaticListMember

MAX_IDS = 100_000
ASKED_AT_ONCE = 500


@dataclass(frozen=True)
class Listed:
    """What became of a list; `unknown` are ids that no customer has."""

    static_list: StaticList
    segment: Segment
    n_added: int
    unknown: list[str]


@dataclass(frozen=True)
class Rejected:
    """A row of a list's file that put nobody on it; `shape` is what its value looks like."""

    line: int
    reason: str
    shape: str


def add_file(name: str, held: UUID, *, now: datetime, actor: str) -> tuple[Listed, list[Rejected]]:
    """Put the customers of a held file on the list; its first column, or that of ids, counts.

    Raises DomainError: for a file that cannot be read, and as `add` does.
    """
    rejected: list[Rejected] = []
    lines: dict[str, int] = {}
    with uploads.unsealed(held, actor=actor, now=now) as stream:
        table = tables.table(stream, n_bytes=stream.n_bytes)
        try:
            for line, cell in _cells(table):
                if isinstance(cell, BadRow):
                    rejected.append(Rejected(line, _("The row cannot be read."), ""))
                elif not cell:
                    rejected.append(Rejected(line, _("The id is empty."), ""))
                elif len(lines) <= MAX_IDS:
                    lines.setdefault(cell, line)
        finally:
            table.release()
    listed = add(name, lines, now=now, actor=actor)
    rejected += [
        Rejected(lines[one], _("No customer has this id."), rejects.shape(one))
        for one in listed.unknown
    ]
    rejected.sort(key=lambda one: one.line)
    rows = [(one.line, one.reason, one.shape) for one in rejected]
    rejects.write_of_list(listed.static_list.uuid, rows)
    return listed, rejected


def _cells(table: Table) -> Iterator[tuple[int, str | BadRow]]:
    """The id of each row by its line; without a name for the column, the first line is an id."""
    usual = {"external_id": columns.CUSTOMER_NAMES["external_id"]}
    named = columns.guess(table.columns, usual).get("external_id")
    at = table.index[named] if named else 0
    if named is None:
        yield 1, table.columns[0].strip()
    for line, row in table.rows():
        if isinstance(row, BadRow):
            yield line, row
        else:
            yield line, row[at].strip()


@transaction.atomic
def add(name: str, external_ids: Iterable[str], *, now: datetime, actor: str = "") -> Listed:
    """Put customers on the list of that name, which is made, with its segment, if need be.

    Raises DomainError (`list_empty`, `list_too_long`).
    """
    wanted = list(dict.fromkeys(text.strip() for text in external_ids if text.strip()))
    if not wanted:
        raise DomainError("list_empty", _("Give at least one customer id."), pointer="/customerIds")
    if len(wanted) > MAX_IDS:
        detail = _("At most %(most)s customer ids are taken at once.") % {"most": MAX_IDS}
        raise DomainError("list_too_long", detail, pointer="/customerIds")
    static_list, _made = StaticList.objects.get_or_create(name=name, defaults={"created_at": now})
    StaticList.objects.filter(pk=static_list.pk).update(filled_at=now)
    known = _known(wanted)
    changes.mark_told(known.values())
    before = static_list.members.count()
    StaticListMember.objects.bulk_create(
        (
            StaticListMember(static_list=static_list, customer_id=pk, added_at=now)
            for pk in known.values()
        ),
        ignore_conflicts=True,
        batch_size=2_000,
    )
    return Listed(
        static_list,
        _segment_of(static_list, now=now, actor=actor),
        static_list.members.count() - before,
        [external_id for external_id in wanted if external_id not in known],
    )


@transaction.atomic
def keep_only(static_list: StaticList, customers: Collection[int], *, now: datetime) -> int:
    """Take everybody else off the list and count its segment anew; return how many went."""
    kept, members = set(customers), static_list.members.values_list("customer_id", flat=True)
    gone = [pk for pk in members if pk not in kept]
    changes.mark_told(gone)
    for start in range(0, len(gone), ASKED_AT_ONCE):
        static_list.members.filter(customer_id__in=gone[start : start + ASKED_AT_ONCE]).delete()
    if segment := Segment.objects.filter(rule=_meaning(static_list)).first():
        segmentation.recount(segment, now=now)
    return len(gone)


def meant_by(segment: Segment) -> StaticList | None:
    """The list that a segment means, and nothing but that."""
    lists = StaticList.objects.filter(uuid__in=_uuids(segment.rule))
    return next((one for one in lists if _meaning(one) == segment.rule), None)


def filled_at(segments: Collection[Segment]) -> dict[int, datetime | None]:
    """When the list that a segment means was last filled, by the segment's key; of lists only."""
    wanted = {uuid for segment in segments for uuid in _uuids(segment.rule)}
    lists = StaticList.objects.filter(uuid__in=wanted) if wanted else ()
    known = {one.uuid: one for one in lists}
    return {
        segment.pk: known[uuid].filled_at
        for segment in segments
        for uuid in _uuids(segment.rule)
        if uuid in known and _meaning(known[uuid]) == segment.rule
    }


def _uuids(rule: dict[str, Any]) -> list[UUID]:
    """The lists to which the outermost conditions of a rule say that somebody belongs."""
    belongs = {"field": "list", "operator": "="}
    return [UUID(one["value"]) for one in rule.get("rules", []) if belongs.items() <= one.items()]


def _meaning(static_list: StaticList) -> dict[str, Any]:
    listed = {"field": "list", "operator": "=", "value": str(static_list.uuid)}
    return {"combinator": "and", "not": False, "rules": [listed]}


def _known(external_ids: list[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for start in range(0, len(external_ids), ASKED_AT_ONCE):
        some = external_ids[start : start + ASKED_AT_ONCE]
        rows = Customer.objects.filter(external_id__in=some, subject__erased_at__isnull=True)
        known.update(rows.values_list("external_id", "pk"))
    return known


def _segment_of(static_list: StaticList, *, now: datetime, actor: str) -> Segment:
    """The segment that means the list, counted anew."""
    rule = _meaning(static_list)
    segment = Segment.objects.filter(rule=rule).first()
    if segment is None:
        name = segmentation.free_name(static_list.name)
        return segmentation.create(name, rule, now=now, actor=actor)
    segmentation.recount(segment, now=now)
    return segment
