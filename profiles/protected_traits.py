"""Protected traits in clustering: none takes part unless a use rule of the shop says which may.

The rule is one of the service `clustering` for the purpose `profile.protected`; it can end, and
has a limit of rows a day like any. What it let in is written with the run and shown with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from privacy import use_rules
from privacy.models import UseRule
from privacy.purposes import PurposeDeniedError, purpose
from profiles.models import ClusteringRun

PURPOSE: Final = "profile.protected"
ACTOR: Final = "clustering:build"
Classes = UseRule.DataClass
# The columns of each trait. Of two genders one column tells both; "other" stands apart from them.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    Classes.AGE.value: ("birth_year",),
    Classes.GENDER.value: ("gender:female", "gender:other"),
}
ALL: Final = frozenset(name for names in COLUMNS.values() for name in names)


@dataclass(frozen=True)
class Allowed:
    """A protected trait and the rule that lets it form clusters; `until` is empty without an end."""

    data_class: str
    who: str
    until: str = ""

    @property
    def label(self) -> str:
        return str(Classes(self.data_class).label)

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS[self.data_class]

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def allowed(n_customers: int, *, now: datetime) -> list[Allowed]:
    """Return which traits may form clusters of so many customers now; audited if there is a rule.

    Call it outside of a transaction, as any opening of a purpose.
    """
    if not use_rules.grant(ACTOR, PURPOSE).rules:
        return []
    try:
        with purpose(PURPOSE, actor=ACTOR, now=now) as ticket:
            found = [_allowed(ticket.grant, name, n_customers, now) for name in COLUMNS]
    except PurposeDeniedError:
        return []
    return [one for one in found if one is not None]


def used_by(run: ClusteringRun) -> list[Allowed]:
    """Return which protected traits formed the clusters of a run."""
    stored: list[dict[str, Any]] = run.evidence.get("protected") or []
    return [Allowed(**one) for one in stored]


def _allowed(
    grant: use_rules.Grant, data_class: str, n_customers: int, now: datetime
) -> Allowed | None:
    try:
        grant.check([data_class], n_rows=n_customers, at=now)
    except use_rules.NotAllowedError:
        return None
    rule = grant.rules[data_class]
    return Allowed(data_class, rule.who, f"{rule.until:%Y-%m-%d}" if rule.until else "")
