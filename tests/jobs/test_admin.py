"""The jobs screen: seen by whoever may look, steered by whoever may retry, by POST only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from pytest_django.fixtures import Settings

from jobs import queue, registry
from jobs.models import Job
from privacy.models import Staff
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW

pytestmark = pytest.mark.django_db
LIST = "/admin/jobs/job/"


@pytest.fixture(autouse=True)
def _no_menu(settings: Settings) -> None:
    """The menu leads to pages of other apps, with which these rules have nothing to do."""
    settings.UNFOLD = {**settings.UNFOLD, "SIDEBAR": {"navigation": []}}


def browser(role: str = Staff.Role.ADMINISTRATOR) -> Client:
    client = Client()
    client.force_login(Staff.objects.create(username=role, role=role))
    return client


def failed() -> Job:
    job = queue.enqueue("tests.count", {"to": 3}, now=NOW)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DEAD, n_attempts=5, error_code="no_file")
    job.refresh_from_db()
    return job


def test_a_failed_job_shows_its_reason_and_goes_on_by_one_click() -> None:
    client, job = browser(), failed()
    assert "no_file" in client.get(LIST).content.decode()

    answer = client.post(f"{LIST}{job.pk}/retry/")

    assert answer.status_code == 302
    job.refresh_from_db()
    assert (job.state, job.n_attempts, job.error_code) == (Job.State.QUEUED, 0, "")


def test_a_waiting_job_is_cancelled_by_one_click() -> None:
    job = queue.enqueue("tests.count", {"to": 3}, now=NOW)

    browser().post(f"{LIST}{job.pk}/cancel/")

    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_link_changes_nothing(verb: str) -> None:
    job = failed()

    assert browser().get(f"{LIST}{job.pk}/{verb}/").status_code == 405

    job.refresh_from_db()
    assert job.state == Job.State.DEAD


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_viewer_sees_the_jobs_and_steers_none(verb: str) -> None:
    client, job = browser(Staff.Role.VIEWER), failed()
    page = client.get(LIST)

    assert page.status_code == 200
    assert "/retry/" not in page.content.decode()
    assert client.post(f"{LIST}{job.pk}/{verb}/").status_code == 403


def test_a_job_that_has_ended_well_says_why_it_is_left_alone() -> None:
    job = failed()
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)

    page = browser().post(f"{LIST}{job.pk}/retry/", follow=True)

    assert "cannot be retried" in page.content.decode()


def test_the_list_looks_again_only_while_something_moves() -> None:
    client, job = browser(), failed()
    assert "every 2s" not in client.get(LIST).content.decode()

    queue.retry(job, NOW)

    assert "every 2s" in client.get(LIST).content.decode()


def test_a_job_page_opens() -> None:
    assert browser().get(f"{LIST}{failed().pk}/change/").status_code == 200


def test_the_list_costs_the_same_queries_for_many_jobs() -> None:
    client = browser()

    def n_queries(**_: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            client.get(LIST)
        return len(found)

    failed()
    n_queries()
    few = n_queries()
    for _ in range(40):
        failed()
    assert n_queries() == few


def test_the_list_names_and_filters_jobs_by_what_they_do() -> None:
    client = browser()
    failed()
    Job.objects.create(kind="gone.kind", queue="batch", not_before=NOW, created_at=NOW)

    page = client.get(LIST, {"kind": "tests.count"})

    assert [job.kind for job in page.context["cl"].result_list] == ["tests.count"]
    assert "Counting" in page.content.decode()
    assert "gone.kind" in client.get(LIST).content.decode()


@override("zh-hans")
def test_every_kind_of_job_has_a_title_in_the_staffs_language() -> None:
    ours = {name: title for name, title in registry.titles().items() if name != "tests.count"}

    assert "campaigns.plan" in ours
    assert all(re.search("[\u4e00-\u9fff]", title) for title in ours.values()), ours
