"""Leaves out of the run on PostgreSQL and Redis what no server has a part in.

A plugin that `python -m tests.servers` names for its second run, after the first has passed the
same tests on SQLite: a test is left out if it neither asks for Django's database nor is marked
as one that needs a server. Asked for by themselves (`--only servers`), all of them run.
"""

from __future__ import annotations

import pytest

DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "django_db_setup"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    again = [item for item in items if needs_servers(item)]
    config.hook.pytest_deselected(items=[item for item in items if not needs_servers(item)])
    items[:] = again


def needs_servers(item: pytest.Item) -> bool:
    """Say whether a test's outcome can differ with the servers that it runs on."""
    marks = {mark.name for mark in item.iter_markers()}
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(marks & {"django_db", "postgres", "redis"} or fixtures & DATABASE_FIXTURES)
