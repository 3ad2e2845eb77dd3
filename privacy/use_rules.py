"""Use rules: who may open which class of data, for which purpose, until when, how much a day.

Nobody may without a rule. The shop's rows stand in the database; where it has none for a who,
purpose and class, what ships with the code holds. Counting is one conditional statement, so
that openings at the same time never go over a limit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import product
from typing import Any

from django.db.models import F

from privacy.models import Staff, UseCount, UseRule

ANYBODY = "*"
ROLES_THAT_REVEAL = (
    Staff.Role.SUPPORT.value,
    Staff.Role.PRIVACY_OFFICER.value,
    Staff.Role.ADMINISTRATOR.value,
)
ROLES_THAT_IMPORT = (Staff.Role.MARKETER.value, Staff.Role.ADMINISTRATOR.value)
REVEALS_A_DAY = 200
_PERSONAL = ("email", "phone", "name", "birth_date")
Kind = UseRule.Kind


@dataclass(frozen=True)
class Rule:
    """One rule; `until` None has no end, `rows_per_day` None no limit."""

    kind: str
    who: str
    purpose: str
    data_class: str
    until: datetime | None = None
    rows_per_day: int | None = None


def _shipped() -> Iterable[Rule]:
    for role, data_class in product(ROLES_THAT_REVEAL, _PERSONAL):
        yield Rule(Kind.ROLE, role, "support.reveal", data_class, None, REVEALS_A_DAY)
    for role, data_class in product(ROLES_THAT_REVEAL, (*_PERSONAL, "text")):
        yield Rule(Kind.ROLE, role, "subject.rights", data_class)
    for role in ROLES_THAT_IMPORT:
        yield Rule(Kind.ROLE, role, "import", "file")
    for purpose, data_classes in {
        "campaign.email": ("email", "name"),
        "campaign.email.existing": ("email", "name"),
        "campaign.sms": ("phone", "name"),
        "campaign.push": ("text",),
        "service.email": ("email", "name", "text"),
        "signup.confirm": ("email", "name", "phone"),
        "subject.rights": (*_PERSONAL, "text"),
        "import": (*_PERSONAL, "file"),
        "customer.merge": _PERSONAL,
    }.items():
        for data_class in data_classes:
            yield Rule(Kind.SERVICE, ANYBODY, purpose, data_class)


SHIPPED = {(rule.kind, rule.who, rule.purpose, rule.data_class): rule for rule in _shipped()}


class NotAllowedError(PermissionError):
    """No rule lets this actor open the data; `code` is `no_rule`, `rule_ended` or `limit`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Grant:
    """What the rules say of one actor and purpose, read when the purpose is opened."""

    actor: str
    purpose: str
    rules: Mapping[str, Rule]

    def check(self, data_classes: Iterable[str], *, n_rows: int, at: datetime) -> None:
        """Let `n_rows` of each class be opened and count them, or raise NotAllowedError.

        An ended rule allows nothing from its end on. A refusal counts nothing.
        """
        wanted = sorted(set(data_classes))
        for data_class in wanted:
            self._check_rule(data_class, at)
        for n_done, data_class in enumerate(wanted):
            if not self._count(data_class, n_rows, at):
                for counted in wanted[:n_done]:
                    self._give_back(counted, n_rows, at)
                raise NotAllowedError(
                    "limit",
                    f"{self.actor} has opened as much {data_class} today as its rule allows",
                )

    def _check_rule(self, data_class: str, at: datetime) -> None:
        rule = self.rules.get(data_class)
        if rule is None:
            text = f"no use rule lets {self.actor} open {data_class} for {self.purpose}"
            raise NotAllowedError("no_rule", text)
        if rule.until is not None and rule.until <= at:
            text = f"the use rule of {self.actor} for {data_class} ended at {rule.until:%Y-%m-%d}"
            raise NotAllowedError("rule_ended", text)

    def _count(self, data_class: str, n_rows: int, at: datetime) -> bool:
        limit = self.rules[data_class].rows_per_day
        if limit is None:
            return True
        counter = self._counter(data_class, at)
        UseCount.objects.get_or_create(**counter)
        free = UseCount.objects.filter(**counter, n_rows__lte=limit - n_rows)
        return n_rows <= limit and free.update(n_rows=F("n_rows") + n_rows) == 1

    def _give_back(self, data_class: str, n_rows: int, at: datetime) -> None:
        if self.rules[data_class].rows_per_day is not None:
            counted = UseCount.objects.filter(**self._counter(data_class, at))
            counted.update(n_rows=F("n_rows") - n_rows)

    def _counter(self, data_class: str, at: datetime) -> dict[str, Any]:
        return {
            "actor": self.actor,
            "purpose": self.purpose,
            "data_class": data_class,
            "day": at.astimezone(UTC).date(),
        }


def grant(actor: str, purpose: str) -> Grant:
    """Return what the rules allow an actor: `staff:<pk>`, `key:<prefix>`, `<service>:<what>`."""
    kind, who = _identity(actor)
    whos = (ANYBODY, who)  # the exact one last, so that it counts
    mine = UseRule.objects.filter(kind=kind, who__in=whos, purpose=purpose)
    stored = {(row.who, row.data_class): _rule(row) for row in mine}
    shipped = {
        (rule.who, rule.data_class): rule
        for rule in SHIPPED.values()
        if (rule.kind, rule.purpose) == (kind, purpose) and rule.who in whos
    }
    merged = shipped | stored
    rules = reduce(
        dict.__or__,
        ({cls: rule for (name, cls), rule in merged.items() if name == one} for one in whos),
    )
    return Grant(actor, purpose, rules)


def in_force(now: datetime) -> list[Rule]:
    """Return every rule that lets somebody open something at `now`."""
    stored = {
        (row.kind, row.who, row.purpose, row.data_class): _rule(row)
        for row in UseRule.objects.all()
    }
    return [
        rule
        for rule in (SHIPPED | stored).values()
        if (rule.until is None or rule.until > now) and rule.rows_per_day != 0
    ]


def mirror() -> int:
    """Write the shipped rules that the database lacks; returns how many."""
    there = set(UseRule.objects.values_list("kind", "who", "purpose", "data_class"))
    lacking = [UseRule(**vars(rule)) for key, rule in SHIPPED.items() if key not in there]
    UseRule.objects.bulk_create(lacking, ignore_conflicts=True)
    return len(lacking)


def _rule(row: UseRule) -> Rule:
    return Rule(row.kind, row.who, row.purpose, row.data_class, row.until, row.rows_per_day)


def _identity(actor: str) -> tuple[str, str]:
    kind, _colon, rest = actor.partition(":")
    if kind == "staff":
        active = Staff.objects.filter(pk=int(rest), is_active=True) if rest.isdecimal() else None
        role = active.values_list("role", flat=True).first() if active is not None else None
        return Kind.ROLE, role or ""
    if kind == "key":
        return Kind.KEY, rest
    return Kind.SERVICE, kind
