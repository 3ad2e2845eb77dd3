"""Counts that somebody waits for: bounded, ended by the next one, told from a sample if need be."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from privacy.models import Subject
from profiles import counting, segment_rules, segmentation
from profiles.models import Customer
from tests import make
from tests.make import NOW

RULE = segmentation.EVERYBODY
LONG = (
    "SELECT pg_sleep(20)"
    if connection.vendor == "postgresql"
    else "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000000000)"
    " SELECT MAX(i) FROM c"
)


def run_long() -> None:
    with connection.cursor() as cursor:
        cursor.execute(LONG)


@pytest.mark.django_db
def test_a_statement_that_takes_too_long_is_ended() -> None:
    with (
        pytest.raises(counting.TooLongError) as ended,
        counting.at_most(timedelta(milliseconds=100)),
    ):
        run_long()

    assert not isinstance(ended.value, counting.SupersededError)
    assert counting.size(segment_rules.checked(RULE), NOW).n_customers == 0


@pytest.mark.django_db(transaction=True)
def test_a_newer_count_ends_the_one_that_runs() -> None:
    ended: list[BaseException] = []
    began = threading.Event()

    def older() -> None:
        try:
            with counting.at_most(timedelta(seconds=30), of="candor-count-1"):
                began.set()
                run_long()
        except counting.SupersededError as error:
            ended.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=older)
    thread.start()
    began.wait(10)
    while thread.is_alive():  # it may have begun, and its statement not yet
        with counting.at_most(timedelta(seconds=5), of="candor-count-1"):
            thread.join(0.1)

    assert len(ended) == 1


@pytest.mark.django_db
def test_an_estimate_scales_up_those_who_were_drawn() -> None:
    for n in range(40):
        make.customer(f"c{n}", city="Rome" if n % 2 else "Paris")
    condition = {"field": "city", "operator": "=", "value": "Rome"}
    rule = segment_rules.checked({"combinator": "and", "not": False, "rules": [condition]})

    found = counting.estimate(rule, NOW, sampled=20)

    assert found.is_estimate
    assert 0 < found.n_customers < 40
    assert found.n_customers % 2 == 0  # each of those drawn stands for two
    assert 0 < found.low < found.n_customers < found.high <= 40


@pytest.mark.django_db
def test_an_estimate_that_ran_out_of_time_is_less_sure() -> None:
    people = Subject.objects.bulk_create(Subject() for _ in range(1_000))
    Customer.objects.bulk_create(
        Customer(
            external_id=f"c{n}", subject=one, city="Rome" if n % 2 else "Paris", created_at=NOW
        )
        for n, one in enumerate(people)
    )
    condition = {"field": "city", "operator": "=", "value": "Rome"}
    rule = segment_rules.checked({"combinator": "and", "not": False, "rules": [condition]})

    hasty = counting.estimate(rule, NOW, sampled=900, drawing=timedelta(0))
    patient = counting.estimate(rule, NOW, sampled=900, drawing=timedelta(minutes=1))

    assert hasty.low <= 500 <= hasty.high
    assert patient.low <= 500 <= patient.high
    assert hasty.high - hasty.low > patient.high - patient.low


@pytest.mark.postgres
@pytest.mark.django_db
def test_what_the_server_expects_to_be_long_is_not_tried() -> None:
    make.customer()
    rule = segment_rules.checked(RULE)
    with CaptureQueriesContext(connection) as tried:
        assert counting.soon(rule, NOW).n_customers == 1
    with CaptureQueriesContext(connection) as estimated:
        assert counting.soon(rule, NOW, long=0).n_customers == 1

    whole = 'SELECT COUNT("profiles_customer"."id")'
    assert [any(one["sql"].startswith(whole) for one in asked) for asked in (tried, estimated)] == [
        True,
        False,
    ]
