"""What is held about persons, where, for how long, and what erasing one does to it.

Each app declares its own models in `AppConfig.ready()`; the system checks `privacy.E010` to
`E012` and `W013` fail on a model that nobody declared. Nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Q, QuerySet

if TYPE_CHECKING:
    from django.db.models import Model
    from django_stubs_ext import StrOrPromise


class Action(StrEnum):
    """What becomes of a model's rows of one person when that person is erased."""

    DELETE = "delete"
    NULL = "null"
    AGGREGATE = "aggregate"
    SHRED = "shred"
    KEEP = "keep"
    NOBODY = "nobody"


# Rows of these are gone, or say nothing of the person any more, once an erasure is through.
EMPTYING = frozenset({Action.DELETE, Action.NULL, Action.AGGREGATE, Action.SHRED})


TakeOut = Callable[[UUID, Sequence[Any]], None]


@dataclass(frozen=True)
class Holding:
    """A model's declaration: `paths` are lookups that lead from it to the subject.

    `also` finds rows that name the person without a foreign key, while the anchor is there:
    the models (`Customer`) from which such names are known, which go last of all. `through`
    names foreign keys to rows that their own declaration parts from the person. `take_out` takes
    the person out of rows, by their keys, that are others' too.
    """

    model: type[Model]
    action: Action
    paths: tuple[str, ...] = ()
    also: Callable[[UUID], Q] | None = None
    clear: Mapping[str, Any] = field(default_factory=dict)
    reason: StrOrPromise = ""
    until: StrOrPromise = ""
    is_anchor: bool = False
    through: tuple[str, ...] = ()
    take_out: TakeOut | None = None

    @property
    def label(self) -> str:
        return self.model._meta.label

    def linked(self, subject: UUID) -> QuerySet[Any]:
        """The person's rows as far as foreign keys tell; they can be asked for at any time."""
        found = Q(pk__in=[])
        for path in self.paths:
            found |= Q(**{path: subject})
        return self.model._base_manager.filter(found)

    def rows(self, subject: UUID) -> QuerySet[Any]:
        """The person's rows, those without a foreign key among them."""
        linked = self.linked(subject)
        if self.also is None:
            return linked
        return linked | self.model._base_manager.filter(self.also(subject))


@dataclass(frozen=True)
class Files:
    """Files about persons: `find` gives those of one, by path."""

    name: str
    find: Callable[[UUID], Iterable[Any]]


_holdings: dict[type[Model], Holding] = {}
_files: dict[str, Files] = {}


def _declare(holding: Holding) -> None:
    _holdings[holding.model] = holding


def delete(
    model: type[Model],
    *paths: str,
    also: Callable[[UUID], Q] | None = None,
    is_anchor: bool = False,
    through: tuple[str, ...] = (),
) -> None:
    """Delete the person's rows."""
    _declare(Holding(model, Action.DELETE, paths, also, is_anchor=is_anchor, through=through))


def part(model: type[Model], *, also: Callable[[UUID], Q], take_out: TakeOut) -> None:
    """Take the person out of rows that hold what is others' too."""
    _declare(Holding(model, Action.DELETE, (), also, take_out=take_out))


def null(
    model: type[Model],
    *paths: str,
    clear: Mapping[str, Any],
    also: Callable[[UUID], Q] | None = None,
    reason: StrOrPromise = "",
) -> None:
    """Keep the person's rows but empty the columns of `clear` that tell whose they are."""
    _declare(Holding(model, Action.NULL, paths, also, clear, reason))


def aggregate(
    model: type[Model],
    *paths: str,
    clear: Mapping[str, Any],
    reason: StrOrPromise,
    through: tuple[str, ...] = (),
) -> None:
    """Keep the rows for what they add up to, with nobody's name to them.

    Like `null`, it empties the columns of `clear`, which must part the rows from the person.
    """
    _declare(Holding(model, Action.AGGREGATE, paths, None, clear, reason, through=through))


def shred(model: type[Model], also: Callable[[UUID], Q]) -> None:
    """Destroy key material: the last step, after which nothing sealed opens."""
    _declare(Holding(model, Action.SHRED, (), also))


def keep(model: type[Model], *paths: str, reason: StrOrPromise, until: StrOrPromise = "") -> None:
    """Leave the rows, for this reason, until then; they hold nothing but the subject's id."""
    _declare(Holding(model, Action.KEEP, paths, reason=reason, until=until))


def nobody(*models: type[Model], reason: StrOrPromise) -> None:
    """Say that these models hold nothing about customers."""
    for model in models:
        _declare(Holding(model, Action.NOBODY, reason=reason))


def files(name: str, find: Callable[[UUID], Iterable[Any]]) -> None:
    """Delete the files that `find(subject)` gives as paths."""
    _files[name] = Files(name, find)


def holding_of(model: type[Model]) -> Holding | None:
    return _holdings.get(model)


def holdings() -> list[Holding]:
    """Every declaration: what points at other rows before them, the anchor and keys last."""
    return sorted(_holdings.values(), key=_turn)


def _turn(holding: Holding) -> tuple[bool, bool, bool, int, str]:
    # The longer the way to the subject, the earlier: a hit before its delivery.
    depth = max((path.count("__") for path in holding.paths), default=0)
    needs_anchor = holding.also is not None
    shreds = holding.action is Action.SHRED
    return (shreds, holding.is_anchor, not needs_anchor, -depth, holding.label)


def all_files() -> list[Files]:
    return [_files[name] for name in sorted(_files)]


# What the apps above do for an erasure ------------------------------------------------------

Cancel = Callable[[UUID, datetime], int]
Addresses = Callable[[UUID], Iterable[tuple[str, bytes]]]
People = Callable[[str, str], Iterable[UUID]]
Names = Callable[[Collection[UUID]], Iterable[tuple[UUID, str]]]
Tagged = Callable[[str, Collection[bytes]], Iterable[tuple[bytes, UUID]]]
Recipients = Callable[[UUID], Iterable[str]]
Called = Callable[[str], Iterable[UUID]]

_cancels: dict[str, Cancel] = {}
_addresses: dict[str, Addresses] = {}
_people: dict[str, People] = {}
_tagged: dict[str, Tagged] = {}
_recipients: dict[str, tuple[str, Recipients]] = {}
_names: dict[str, Names] = {}
_called: dict[str, Called] = {}


def cancel_pending(name: str, cancel: Cancel) -> None:
    """Have `cancel(subject, now)` end what is still to be sent, and return how much."""
    _cancels[name] = cancel


def suppressed_addresses(name: str, find: Addresses) -> None:
    """Have `find(subject)` give channel and suppression tag of each of the person's addresses."""
    _addresses[name] = find


def people_at(name: str, find: People) -> None:
    """Have `find(channel, address)` give the subjects that are reached there."""
    _people[name] = find


def people_tagged(name: str, find: Tagged) -> None:
    """Have `find(channel, suppression tags)` give each tag with a subject that is reached there."""
    _tagged[name] = find


def data_recipients(name: str, find: Recipients, *, kind: str = "webhook") -> None:
    """Have `find(subject)` name who else was given the person's data, such as an endpoint.

    `kind` is one of Recipient's. Whoever can say at the time whose data it hands out notes
    that instead (`privacy.recipients.note`).
    """
    _recipients[name] = kind, find


def known_as(name: str, find: Names) -> None:
    """Have `find(subjects)` give each with an id under which others know the person too."""
    _names[name] = find


def called(name: str, find: Called) -> None:
    """Have `find(id)` give who is known by that id."""
    _called[name] = find


def subjects_called(shop_id: str) -> set[UUID]:
    return {subject for find in _called.values() for subject in find(shop_id)}


def names_of(subject: UUID) -> list[str]:
    return [name for _name, find in sorted(_names.items()) for _subject, name in find([subject])]


def names_by_subject(subjects: Collection[UUID]) -> dict[UUID, str]:
    """Return an id of each subject that others know by one."""
    found: dict[UUID, str] = {}
    for _name, find in sorted(_names.items()):
        for subject, name in find(subjects):
            found.setdefault(subject, name)
    return found


def cancels() -> Iterator[tuple[str, Cancel]]:
    yield from sorted(_cancels.items())


def addresses_of(subject: UUID) -> list[tuple[str, bytes]]:
    return [pair for _name, find in sorted(_addresses.items()) for pair in find(subject)]


def subjects_at(channel: str, address: str) -> set[UUID]:
    return {uuid for _name, find in sorted(_people.items()) for uuid in find(channel, address)}


def subjects_tagged(channel: str, tags: Collection[bytes]) -> list[tuple[bytes, UUID]]:
    return [pair for _name, find in sorted(_tagged.items()) for pair in find(channel, tags)]


def recipients_of(subject: UUID) -> list[tuple[str, str]]:
    """Return kind and name of each."""
    found = sorted(_recipients.items())
    return [(kind, name) for _app, (kind, find) in found for name in find(subject)]


# Files sealed with the key of their person ---------------------------------------------------

SealedAnew = Callable[[Sequence[bytes]], set[bytes]]

_sealed_files: dict[str, SealedAnew] = {}


def sealed_files(name: str, seal_anew: SealedAnew) -> None:
    """Have `seal_anew(subjects)` seal the files of those persons with their newest key.

    It returns whose files still need an older one; that key is then not destroyed.
    """
    _sealed_files[name] = seal_anew


def seal_files_anew(subjects: Sequence[bytes]) -> set[bytes]:
    return {subject for seal_anew in _sealed_files.values() for subject in seal_anew(subjects)}


# Corrections and mail -----------------------------------------------------------------------

Correct = Callable[[UUID, Mapping[str, str], datetime], list[str]]

_corrections: dict[str, tuple[Mapping[str, StrOrPromise], Correct]] = {}


def correct_with(name: str, fields: Mapping[str, StrOrPromise], apply: Correct) -> None:
    """Have `apply(subject, changes, now)` set fields (name to label) and return which."""
    _corrections[name] = (fields, apply)


def correctable() -> dict[str, StrOrPromise]:
    """Return the label of every field of a person that can be corrected, by name."""
    return {name: label for fields, _ in _corrections.values() for name, label in fields.items()}


def correct(subject: UUID, changes: Mapping[str, str], now: datetime) -> list[str]:
    """Hand each change to the app whose field it is; returns the fields that were set."""
    changed: list[str] = []
    for fields, apply in _corrections.values():
        mine = {name: value for name, value in changes.items() if name in fields}
        changed += apply(subject, mine, now) if mine else []
    return changed


class Carried(StrEnum):
    """What became of a letter; `LATER` was surely not taken and may be tried again."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"


Carrier = Callable[[str, str, str, str, datetime], tuple[Carried, str]]

_carriers: list[Carrier] = []


def carry_mail(carrier: Carrier) -> None:
    """Have `carrier(key, address, subject, text, now)` send plain letters."""
    _carriers[:] = [carrier]


def carry(key: str, address: str, subject: str, text: str, now: datetime) -> tuple[Carried, str]:
    """Send a letter; returns what became of it and the reply code."""
    if not _carriers:
        return Carried.LATER, "no_carrier"
    return _carriers[0](key, address, subject, text, now)


# Sections of a subject's export -------------------------------------------------------------

Records = Callable[[UUID, datetime], Iterable[Mapping[str, Any]]]

_sections: dict[str, Records] = {}


def export_section(name: str, records: Records) -> None:
    """Add a section to every subject export: `records(subject, now)` gives flat mappings.

    It is called with the purpose `subject.rights` open, so sealed values may be revealed.
    """
    _sections[name] = records


def export_sections() -> list[tuple[str, Records]]:
    return sorted(_sections.items())


# How long things are kept -------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    """How long rows of a kind are kept: `old(before)` gives those last needed before then.

    `days` is the default, None for "as long as the shop is"; the shop may say another. `of` are
    the models it speaks of, where that is not the one model of `old`. `drop` takes
    away what lies in whole parts of a table at once and returns how many rows that were.
    """

    name: str
    title: StrOrPromise
    days: int | None
    old: Callable[[datetime], QuerySet[Any]] | None
    reason: StrOrPromise = ""
    of: tuple[type[Model], ...] = ()
    drop: Callable[[datetime], int] | None = None

    def models(self, now: datetime) -> tuple[type[Model], ...]:
        return self.of or ((self.old(now).model,) if self.old else ())

    def before(self, now: datetime, days: int) -> datetime:
        return now - timedelta(days=days)


_schedules: dict[str, Schedule] = {}


def retain(
    name: str,
    title: StrOrPromise,
    *,
    days: int | None,
    old: Callable[[datetime], QuerySet[Any]] | None = None,
    reason: StrOrPromise = "",
    of: tuple[type[Model], ...] = (),
    drop: Callable[[datetime], int] | None = None,
) -> None:
    """Delete what `old(before)` gives after `days`; without `old` the schedule only tells."""
    _schedules[name] = Schedule(name, title, days, old, reason, of, drop)


def schedules() -> list[Schedule]:
    return [_schedules[name] for name in sorted(_schedules)]
