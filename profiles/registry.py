"""What apps above do when facts of this app change; they register in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from profiles.models import Customer

AfterImport = Callable[[datetime], object]

_after_import: dict[str, AfterImport] = {}


def after_import(name: str, step: AfterImport) -> None:
    """Have `step(now)` called when an import of orders ended; it must be safe to run twice."""
    _after_import[name] = step


def run_after_import(now: datetime) -> list[str]:
    """Run every registered step in the order of its name and return the names."""
    for name in sorted(_after_import):
        _after_import[name](now)
    return sorted(_after_import)


# Sections of the customer's page ------------------------------------------------------------

Facts = Callable[["Customer", datetime], dict[str, Any]]

_panels: dict[str, tuple[str, Facts]] = {}


def customer_panel(name: str, template: str, facts: Facts) -> None:
    """Show `template`, filled by `facts(customer, now)`, on the page of each customer."""
    _panels[name] = (template, facts)


def customer_panels() -> list[tuple[str, Facts]]:
    """The registered sections in the order of their names."""
    return [_panels[name] for name in sorted(_panels)]
