from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone

from jobs import queue, running
from jobs.models import Job
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds


@pytest.mark.django_db(transaction=True)
def test_asking_for_a_job_that_ends_at_that_moment_gives_a_job() -> None:
    def ask(_: int) -> bool:
        try:
            asked = queue.enqueue("tests.count", {"to": 1}, now=timezone.now(), unique_key="often")
            running.run(asked.pk, clock=timezone.now)
            return asked.pk is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))
    assert not Job.objects.open().exists()
