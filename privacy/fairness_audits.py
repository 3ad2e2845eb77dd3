"""The audits there are: upper apps enter theirs in `AppConfig.ready()`, one page shows all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from privacy.fairness.findings import Finding

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# What people are grouped by: coarse fields that stand in clear.
ATTRIBUTES = ("age_band", "gender", "city", "locale")


@dataclass(frozen=True)
class Audited:
    """One thing looked at, such as a campaign, with a finding for each group."""

    name: str
    findings: list[Finding]


@dataclass(frozen=True)
class Audit:
    """`run(attribute, as_of)` looks at what the app decides; levels are shares unless told.

    `both_ways` says that more than others is as telling as less.
    """

    code: str
    title: StrOrPromise
    question: StrOrPromise
    run: Callable[[str, datetime], list[Audited]]
    both_ways: bool = False
    is_share: bool = True


_audits: dict[str, Audit] = {}


def enter(audit: Audit) -> None:
    _audits[audit.code] = audit


def audits() -> list[Audit]:
    """Return the audits in the order of their codes."""
    return [_audits[code] for code in sorted(_audits)]
