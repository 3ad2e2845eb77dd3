"""Several workers merge while the web goes on staging: every event once, none lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from profiles.events import ingestion, merging
from profiles.models import Event, EventKey, EventStaging
from tests import make
from tests.profiles.calls import staged

pytestmark = pytest.mark.django_db(transaction=True)
N_BATCHES, SIZE = 24, 20


def stage(prefix: str, n: int = SIZE) -> None:
    raws = [
        json.dumps(
            {"type": "track", "event": "Seen", "messageId": f"{prefix}-{i}", "anonymousId": "v"}
        ).encode()
        for i in range(n)
    ]
    key = make.key_of(make.source())
    ingestion.take_in(raws, key=key, kind=None, sent_at=None, ip="", now=timezone.now())


def test_events_staged_while_two_workers_merge_are_stored_once_each() -> None:
    make.source()
    over = Flag()

    def send(n: int) -> None:
        try:
            stage(str(n))
            stage(str(n))  # a client that did not hear the answer
        finally:
            connections.close_all()

    def work() -> None:
        try:
            while not over.is_set():
                merging.merge(timezone.now(), limit=37)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        try:
            list(pool.map(send, range(N_BATCHES)))
        finally:
            over.set()
        for worker in workers:
            worker.result()
    while merging.merge(timezone.now()):
        pass

    stored = list(Event.objects.values_list("message_id", flat=True))
    assert len(stored) == len(set(stored)) == N_BATCHES * SIZE
    assert not EventStaging.objects.exists()


def test_a_merge_that_fails_leaves_every_event_staged() -> None:
    stage("m")

    @transaction.atomic
    def merge_and_fail() -> None:
        merging.merge(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM profiles_event")

    with pytest.raises(DatabaseError):
        merge_and_fail()
    assert (len(staged()), EventKey.objects.count()) == (SIZE, 0)

    merging.merge(timezone.now())

    assert Event.objects.count() == SIZE
