"""Writers at the same time continue one chain."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connection

from privacy import audit, checkpoints
from privacy.models import AuditEntry
from tests.make import NOW

N_WRITERS, N_ENTRIES = 4, 10


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_make_one_chain_without_a_fork() -> None:
    def write(number: int) -> None:
        try:
            for _ in range(N_ENTRIES):
                audit.append("test.done", actor=f"staff:{number}", at=NOW)
        finally:
            connection.close()

    writers = [Thread(target=write, args=(number,)) for number in range(N_WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert AuditEntry.objects.count() == N_WRITERS * N_ENTRIES
    assert checkpoints.verify().fault is None
