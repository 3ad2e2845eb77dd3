from __future__ import annotations

import pytest
from django.test import Client

from jobs.models import Job
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def test_a_job_tells_how_far_it_is(client: Client) -> None:
    job = Job.objects.create(
        kind="profiles.build", queue="batch", n_done=3, n_total=9, not_before=NOW, created_at=NOW
    )
    headers = {"Authorization": f"Bearer {make.secret_key()}"}

    told = client.get(f"/v1/jobs/{job.uuid}", headers=headers).json()

    assert told["id"] == str(job.uuid)
    assert (told["state"], told["done"], told["total"]) == ("queued", 3, 9)
    assert client.get(f"/v1/jobs/{job.uuid}").status_code == 401
