"""The seam of the events: who may go around it is written down, and nobody else does."""

from __future__ import annotations

import re
from pathlib import Path

import profiles

ROOT = Path(profiles.__file__).parents[1]
APPS = ("assistant", "campaigns", "config", "privacy", "profiles", "recommendations")
# As docs/decisions/0009 says: the store itself, and what writes into the table in place.
MAY_NAME_IT = {
    "profiles/cleaning.py",
    "profiles/event_store.py",
    "profiles/events/merging.py",
    "profiles/events/order_events.py",
    "profiles/events/partitions.py",
    "profiles/holdings.py",  # which customers retention concerns
}


def test_only_what_belongs_to_the_store_in_sql_names_its_table() -> None:
    found = {
        str(path.relative_to(ROOT))
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts
        and re.search(r"\bprofiles_event\b", path.read_text(encoding="utf-8"))
    }

    assert found == MAY_NAME_IT
