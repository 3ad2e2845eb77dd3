"""Which servers a test may use, and what is cleaned up after the suite."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from django.utils import translation
from pytest_django.plugin import blocking_manager_key

from tests.environment import DATABASE_URL, REDIS_URL, VAR_DIR
from tests.places import DATA_DIR


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres") and not DATABASE_URL:
        pytest.skip("needs PostgreSQL: run `make test`, or set TEST_DATABASE_URL")
    if item.get_closest_marker("redis") and not REDIS_URL:
        pytest.skip("needs Redis: run `make test`, or set TEST_REDIS_URL")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With REQUIRE_SERVICES=1 what is skipped has failed; only data for measuring may be away."""
    report = yield
    may_be_away = "data_dir" in getattr(item, "fixturenames", ())
    if report.skipped and os.environ.get("REQUIRE_SERVICES") == "1" and not may_be_away:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped with REQUIRE_SERVICES=1: {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that may use a database may use the keystore too: sealing needs both."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and "databases" not in marker.kwargs:
            both = pytest.mark.django_db(*marker.args, **marker.kwargs, databases="__all__")
            item.add_marker(both, append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let the flush after a test with real transactions empty the append-only tables too."""
    if not _flushes(item):
        return (yield)
    from tests import append_only

    with item.config.stash[blocking_manager_key].unblock():
        if nextitem is None:  # the database itself goes next
            append_only.lift()
            return (yield)
        with append_only.lifted():
            return (yield)


def _flushes(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    fixtures = {"transactional_db", "live_server"} & set(getattr(item, "fixturenames", ()))
    return bool(fixtures or (marker and marker.kwargs.get("transaction")))


@pytest.fixture(autouse=True)
def _forget_keys() -> Iterator[None]:
    """A test's keys, and what was counted of its requests, go with its rows."""
    from django.core.cache import cache

    from privacy.keystore import keystore

    keystore.forget()
    cache.clear()
    yield
    keystore.forget()
    for written in ("ledger/erasures.jsonl", "audit/checkpoints.jsonl"):
        (VAR_DIR / written).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _speak_english() -> None:
    """What a request before this test was answered in stays active in the thread."""
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,  # noqa: ARG001
) -> None:
    """A database for each process of the run, which live servers and children can open.

    SQLite in files, as in use: threads and child processes must see the same data.
    """
    from django.conf import settings

    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    for alias, database in settings.DATABASES.items():
        database["CONN_MAX_AGE"] = 0  # a live server's threads would keep the database in use
        if database["ENGINE"].endswith("sqlite3"):
            database.setdefault("TEST", {})["NAME"] = VAR_DIR / f"{alias}-{worker}.sqlite3"


@pytest.fixture(scope="session", autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    shutil.rmtree(VAR_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real data for measuring; none of it is part of the project."""
    if not (DATA_DIR / "online_retail").is_dir():
        pytest.skip(f"no data for measuring in {DATA_DIR}; name another folder in TEST_DATA_DIR")
    return DATA_DIR
