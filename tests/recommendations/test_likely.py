"""Who is likely to want a product or a category: a list to aim campaigns at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy.models import AuditEntry, Staff, Subject
from profiles import listing, segmentation
from profiles.models import Customer, OrderLine, Segment
from recommendations import asking
from recommendations.asking import Wanted
from recommendations.models import Product, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import shops

pytestmark = pytest.mark.django_db
PAGE = "/admin/recommendations/product/likely/"
PARAMETERS = {
    "engine": "blend",
    "parts": [
        {"engine": "popular_28", "weight": 0.3, "as_of": 0, "window_days": 28},
        {"engine": "item_based", "weight": 1.0, "as_of": 0, "n_neighbours": 50, "min_people": 3},
    ],
}


def shop() -> TrainingRun:
    """A shop of four tastes whose products of taste 1 are one category, with a model at hand."""
    shops.of_tastes()
    for product in Product.objects.all():
        category = "Audio" if int(product.product_id[1:]) % shops.N_TASTES == 1 else "Other"
        Product.objects.filter(pk=product.pk).update(category=category)
    return TrainingRun.objects.create(
        engine="blend", as_of=NOW, parameters=PARAMETERS, created_at=NOW, finished_at=NOW,
        verdict=TrainingRun.Verdict.BEATS_POPULAR, is_active=True, activated_at=NOW,
        n_customers=1, n_products=1, n_interactions=1, cpu_seconds=1, peak_rss_mb=1,
    )  # fmt: skip


def found(run: TrainingRun, **wanted: Any) -> Job:
    job = asking.ask_for_likely(Wanted(title="X", **wanted), run, NOW, language="en")
    done = running.run(job.pk, clock=lambda: NOW)
    assert done is not None
    return done


def tastes(job: Job) -> list[int]:
    segment = Segment.objects.get(pk=job.result["segment"])
    members = segmentation.members(segment.rule, NOW)
    return [int(id_[1:]) % shops.N_TASTES for id_ in members.values_list("external_id", flat=True)]


def test_those_of_the_taste_are_listed_as_many_as_asked_for_and_the_check_says_what_it_is_worth() -> (
    None
):
    run = shop()

    job = found(run, category="Audio", n=20)

    assert job.state == Job.State.DONE, job.error_detail
    assert tastes(job) == [1] * 20
    assert job.result["n_listed"] == 20
    checked = job.result["checked"]
    assert checked["n_listed"] == 20
    assert checked["n_bought"] > checked["n_others_bought"] * 20 / checked["n_others"]
    assert checked["times"]["low"] > 1


def test_owners_and_whoever_refuses_profiling_are_left_out() -> None:
    run = shop()
    refusing = Customer.objects.get(external_id="c0001")
    Subject.objects.filter(uuid=refusing.subject_id).update(no_profiling=True)
    owners = set(
        OrderLine.objects.filter(product_id="p001", order__customer__isnull=False).values_list(
            "order__customer__external_id", flat=True
        )
    )

    job = found(run, product="p001", n=1_000)

    segment = Segment.objects.get(pk=job.result["segment"])
    listed = set(segmentation.members(segment.rule, NOW).values_list("external_id", flat=True))
    assert listed
    assert not listed & owners
    assert "c0001" not in listed


def test_a_higher_least_score_lists_fewer_and_a_second_asking_makes_a_second_list() -> None:
    run = shop()

    many, few = found(run, category="Audio", n=500), found(run, category="Audio", n=500, least=0.9)

    assert 0 < few.result["n_listed"] < many.result["n_listed"]
    assert few.result["lowest"] >= 0.9
    assert few.result["segment"] != many.result["segment"]
    assert few.result["name"] == "Likely to want X 2"


def test_a_list_made_anew_keeps_its_segment_and_takes_off_who_is_no_longer_likely() -> None:
    run, client = shop(), browser()
    client.post(PAGE, {"product": "", "category": "Audio", "n": 20, "least": "0"})
    first = Job.objects.get(kind=asking.LIKELY)
    running.run(first.pk, clock=timezone.now)
    first.refresh_from_db()
    segment = Segment.objects.get(pk=first.result["segment"])
    before = set(segmentation.members(segment.rule, NOW).values_list("external_id", flat=True))
    gone = min(before)
    subject = Customer.objects.get(external_id=gone).subject_id
    Subject.objects.filter(uuid=subject).update(no_profiling=True)

    client.post(PAGE, {"again": str(first.uuid)})
    again = Job.objects.filter(kind=asking.LIKELY).latest("pk")
    made_anew_at = timezone.now()
    running.run(again.pk, clock=timezone.now)

    again.refresh_from_db()
    assert (again.state, again.payload["run"]) == (Job.State.DONE, run.pk)
    assert again.result["segment"] == segment.pk
    after = set(segmentation.members(segment.rule, NOW).values_list("external_id", flat=True))
    assert (len(after), gone in after) == (20, False)
    assert Segment.objects.filter(name__startswith="Likely").count() == 1
    filled_at = listing.filled_at([segment])[segment.pk]
    assert filled_at is not None
    assert filled_at >= made_anew_at
    page = client.get(PAGE).content.decode()
    assert "made 0\xa0minutes ago" in page
    assert (
        "0\xa0分钟前" in client.get(PAGE, headers={"accept-language": "zh-hans"}).content.decode()
    )
    assert str(again.uuid) in page
    assert str(first.uuid) not in page  # the list stands there once, as it is now


@pytest.mark.parametrize("again", ["", "x", "0f1e2d3c-4b5a-4968-8776-655443322110"])
def test_a_list_that_nobody_asked_for_is_not_found(again: str) -> None:
    shop()

    assert browser().post(PAGE, {"again": again}).status_code == 404
    assert not Job.objects.filter(kind=asking.LIKELY).exists()


def test_a_list_whose_segment_means_something_else_by_now_is_made_beside_it() -> None:
    run = shop()
    first = found(run, category="Audio", n=20)
    narrower = {"combinator": "and", "not": False, "rules": []}
    Segment.objects.filter(pk=first.result["segment"]).update(rule=narrower)

    wanted = Wanted(product="", category="Audio", title="X", n=20, least=0)
    asked = asking.ask_for_likely(wanted, run, NOW, language="en", segment=first.result["segment"])
    again = running.run(asked.pk, clock=lambda: NOW)

    assert again is not None
    assert again.result["segment"] != first.result["segment"]
    assert Segment.objects.get(pk=first.result["segment"]).rule == narrower


@pytest.mark.parametrize("wanted", [{"category": "Nothing"}, {"product": "p999"}])
def test_what_the_model_does_not_know_ends_with_the_reason(wanted: dict[str, str]) -> None:
    job = found(shop(), **wanted)

    assert job.state == Job.State.DEAD
    assert job.error_code == "nothing_to_want"


def browser(role: str = Staff.Role.MARKETER) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def test_a_marketer_asks_from_the_products_page_and_sees_the_segment() -> None:
    run, client = shop(), browser()
    product = Product.objects.get(product_id="p001")

    there = client.get(f"/admin/recommendations/product/{product.pk}/change/").content.decode()
    client.post(PAGE, {"product": "", "category": "Audio", "n": 20, "least": "0"})
    job = Job.objects.get(kind=asking.LIKELY)
    assert job.payload["run"] == run.pk
    running.run(job.pk, clock=timezone.now)
    page = client.get(PAGE).content.decode()

    job.refresh_from_db()
    assert f"{PAGE}?product=p001" in there
    assert f"/admin/profiles/segment/{job.result['segment']}/change/" in page
    assert browser(Staff.Role.VIEWER).get(PAGE).status_code == 403


def test_a_list_of_a_category_is_called_as_the_reader_calls_it() -> None:
    shop()
    told = {"zh-hans": {"category": "音响"}}
    Product.objects.filter(category="Audio").update(translations=told)
    asked = {"product": "", "category": "Audio", "n": 20, "least": "0"}

    browser().post(PAGE, asked, headers={"Accept-Language": "zh-hans"})

    payload = Job.objects.get(kind=asking.LIKELY).payload
    assert (payload["title"], payload["category"]) == ("音响", "Audio")


def test_a_request_that_names_nothing_is_answered_with_the_fix() -> None:
    shop()

    page = browser().post(PAGE, {"product": "", "category": "", "n": 20, "least": "0"})

    assert "Name a product or a category" in page.content.decode()
    assert not Job.objects.filter(kind=asking.LIKELY).exists()


def test_a_list_that_wishes_it_is_made_anew_after_a_training_until_it_is_turned_off() -> None:
    shop()
    client = browser()
    asked = {"product": "", "category": "Audio", "n": 20, "least": "0", "is_nightly": "on"}
    client.post(PAGE, asked)
    client.post(PAGE, {"product": "", "category": "Other", "n": 20, "least": "0"})
    wishing, _other = Job.objects.filter(kind=asking.LIKELY).order_by("pk")
    for job in Job.objects.filter(kind=asking.LIKELY):
        running.run(job.pk, clock=timezone.now)
    wishing.refresh_from_db()
    segment = Segment.objects.get(pk=wishing.result["segment"])
    gone = segmentation.members(segment.rule, NOW).earliest("pk")
    Subject.objects.filter(uuid=gone.subject_id).update(no_profiling=True)

    training = asking.ask_for_training(NOW)
    running.run(training.pk, clock=lambda: NOW)
    again = Job.objects.filter(kind=asking.LIKELY).latest("pk")
    assert Job.objects.filter(kind=asking.LIKELY).count() == 3
    running.run(again.pk, clock=timezone.now)

    again.refresh_from_db()
    assert (again.state, again.result["segment"]) == (Job.State.DONE, segment.pk)
    assert again.payload["run"] == TrainingRun.objects.get(is_active=True).pk
    assert not segmentation.members(segment.rule, NOW).filter(pk=gone.pk).exists()

    client.post(PAGE, {"nightly": str(again.uuid)})
    assert asking.ask_for_nightly(NOW) == 0
    assert AuditEntry.objects.filter(action="recommendations.likely_nightly").count() == 1


def test_a_nightly_list_whose_segment_is_gone_or_means_something_else_is_left_alone() -> None:
    run = shop()
    job = found(run, category="Audio", n=20, is_nightly=True)
    found(run, category="Other", n=20, is_nightly=False)
    segment = Segment.objects.get(pk=job.result["segment"])
    assert asking.ask_for_nightly(NOW) == 1
    Job.objects.filter(kind=asking.LIKELY, state=Job.State.QUEUED).delete()

    segment.rule = {"combinator": "and", "not": False, "rules": []}
    segment.save()
    assert asking.ask_for_nightly(NOW) == 0
    segment.delete()
    assert asking.ask_for_nightly(NOW) == 0
    TrainingRun.objects.update(is_active=False)
    assert asking.ask_for_nightly(NOW) == 0
