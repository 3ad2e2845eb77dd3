"""Statements of every request: asked of the connection that is there, or of a new one."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from privacy import prepared

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

STATEMENT = "SELECT %(a)s::int + %(b)s::int, %(a)s::int, 'half' LIKE 'ha%%'"


def lose_connection() -> None:
    """Have the server end the session, as a restart of it does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [own])
    other.close()


def test_names_may_come_twice_and_percent_signs_stay() -> None:
    assert prepared.rows(STATEMENT, {"a": 1, "b": 2}) == [(3, 1, True)]


def test_it_is_planned_once_a_connection_whatever_it_is_asked_for() -> None:
    for number in range(9):
        prepared.rows(STATEMENT, {"a": number, "b": 2})

    asked = """SELECT generic_plans, custom_plans FROM pg_prepared_statements
        WHERE statement LIKE %(like)s::text"""
    assert prepared.rows(asked, {"like": "%$1::int + $2::int%"}) == [(9, 0)]


def test_what_a_pool_discards_is_planned_anew() -> None:
    prepared.rows(STATEMENT, {"a": 1, "b": 2})
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")

    assert prepared.rows(STATEMENT, {"a": 1, "b": 2}) == [(3, 1, True)]


def test_a_column_that_a_migration_widens_is_read_on() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE widened (title varchar(5))")
        cursor.execute("INSERT INTO widened VALUES ('a')")
    try:
        assert prepared.rows("SELECT title FROM widened", {}) == [("a",)]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE widened ALTER COLUMN title TYPE varchar(9)")

        assert prepared.rows("SELECT title FROM widened", {}) == [("a",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE widened")


def test_a_connection_that_the_server_ended_is_made_anew() -> None:
    lose_connection()

    assert prepared.rows(STATEMENT, {"a": 1, "b": 2}) == [(3, 1, True)]


def test_in_a_transaction_nothing_is_asked_again() -> None:
    with pytest.raises(OperationalError), transaction.atomic():  # noqa: PT012
        lose_connection()
        prepared.rows(STATEMENT, {"a": 1, "b": 2})


def test_where_queries_are_looked_at_it_is_seen() -> None:
    with CaptureQueriesContext(connection) as seen:
        assert prepared.rows(STATEMENT, {"a": 1, "b": 2}) == [(3, 1, True)]

    assert len(seen) == 1
