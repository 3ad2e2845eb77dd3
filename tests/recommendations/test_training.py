from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs import running
from jobs.models import Job
from jobs.work import Work
from privacy.models import AuditEntry, Subject
from privacy.problems import DomainError
from profiles.models import Customer, OrderLine
from recommendations import activation, asking, interactions, serving, tasks, training
from recommendations.code_version import code_version
from recommendations.engines.memory import Size
from recommendations.engines.popular import Popular
from recommendations.evaluation import comparing
from recommendations.evaluation.contenders import engine_of, regression_for
from recommendations.models import CustomerListing, Product, ProductListing, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed, shops

pytestmark = pytest.mark.django_db


def taste(product_id: str) -> int:
    return int(product_id[1:]) % shops.N_TASTES


def test_a_model_that_beats_popularity_is_activated_with_its_card() -> None:
    shops.of_tastes()

    run = shops.train()

    assert run.verdict == TrainingRun.Verdict.BEATS_POPULAR
    assert TrainingRun.objects.active() == run
    assert run.comparison["ndcg@10"]["low"] > 0
    assert run.code_version == code_version()
    first = OrderLine.objects.order_by("order__placed_at").values_list("order__placed_at")[0]
    assert run.learned_from == first[0].replace(microsecond=0)
    assert run.metrics["ndcg@10"]["value"] > run.baseline_metrics["ndcg@10"]["value"]
    assert (run.n_customers, run.n_guest_baskets, run.n_products) == (120, 19, 60)
    assert run.cpu_seconds > 0
    assert run.peak_rss_mb > 20


def test_each_list_keeps_to_the_customers_taste_and_says_from_which_purchases() -> None:
    shops.of_tastes()
    run = shops.train()
    bought: dict[int, set[str]] = {}
    for customer, product in OrderLine.objects.values_list("order__customer_id", "product_id"):
        bought.setdefault(customer or 0, set()).add(product)

    lists = list(CustomerListing.objects.filter(run=run).select_related("customer"))

    assert len(lists) == 120
    for listing in lists:
        own = int(listing.customer.external_id[1:]) % shops.N_TASTES
        first, _score, reason, based_on = listed.entries(listing)[0]
        assert taste(first) == own
        assert reason == "because_you_bought"
        assert based_on
        assert set(based_on) <= bought[listing.customer_id]
        assert not {entry[0] for entry in listed.entries(listing)} & bought[listing.customer_id]


def test_a_model_that_is_not_better_is_kept_as_a_card_and_popularity_serves() -> None:
    shops.of_tastes(predictable=False)

    run = shops.train()

    assert run.verdict == TrainingRun.Verdict.NOT_BETTER
    assert TrainingRun.objects.active() is None
    assert not CustomerListing.objects.exists()
    popular = ProductListing.objects.get(run=run, product_id="")
    assert listed.entries(popular)[0].reason == "popular_this_month"


def test_an_active_run_steps_back_when_a_newer_one_is_not_better() -> None:
    shops.of_tastes()
    shops.train()
    OrderLine.objects.all().delete()

    run = shops.train()

    assert run.verdict == TrainingRun.Verdict.TOO_LITTLE_DATA
    assert TrainingRun.objects.active() is None


def test_an_empty_shop_is_trained_without_a_fault() -> None:
    run = shops.train()

    assert run.verdict == TrainingRun.Verdict.TOO_LITTLE_DATA
    assert ProductListing.objects.get(run=run).products == []


def test_one_customer_is_too_little_to_judge() -> None:
    make.product("p1")
    make.order(make.customer(), ("p1", "", 1, 100), days_ago=3)

    run = shops.train()

    assert run.verdict == TrainingRun.Verdict.TOO_LITTLE_DATA
    assert [entry[0] for entry in listed.entries(ProductListing.objects.get(run=run))] == ["p1"]


@pytest.mark.parametrize("n_products", [1, 6])
def test_where_everybody_buys_alike_nobody_is_told_apart_and_what_is_popular_serves(
    n_products: int,
) -> None:
    ids = [f"p{number}" for number in range(n_products)]
    for id_ in ids:
        make.product(id_)
    people = shops.customers(40)
    days = (70, 40, 10)
    shops.orders((who, NOW - timedelta(days=day), ids) for who in people for day in days)

    run = shops.train()

    assert run.verdict != TrainingRun.Verdict.BEATS_POPULAR
    assert not run.is_active
    assert run.n_interactions == len(people) * len(days) * n_products
    assert all(0 <= one["value"] <= 1 for one in run.metrics.values())
    served = serving.for_customer(None, n=n_products, language="en")
    assert {item.product_id for item in served.items} == set(ids)


@pytest.mark.parametrize(
    "flags", [{"no_profiling": True}, {"restricted": True}, {"erased_at": NOW}], ids=str
)
def test_who_must_not_be_profiled_leaves_the_matrix(flags: dict[str, object]) -> None:
    shops.of_tastes()
    left = Customer.objects.get(external_id="c0000")
    Subject.objects.filter(uuid=left.subject_id).update(**flags)

    reading = interactions.read(NOW)

    assert left.pk not in reading.customers
    assert reading.interactions.n_people == 119
    assert len(reading.interactions) == 119 * 14 + 19 * 2
    assert not CustomerListing.objects.filter(run=shops.train(), customer=left).exists()


def test_lines_given_back_entirely_cancelled_orders_and_the_future_are_left_out() -> None:
    customer = make.customer()
    back = make.order(customer, ("back", "", 2, 100), ("partly", "", 2, 100), days_ago=2)
    back.lines.filter(product_id="back").update(refunded_quantity=2)
    back.lines.filter(product_id="partly").update(refunded_quantity=1)
    make.order(customer, ("cancelled", "", 1, 100), days_ago=2, status="cancelled")
    make.order(customer, ("later", "", 1, 100), at=NOW)
    make.order(None, ("guest", "", 1, 100), days_ago=1)

    reading = interactions.read(NOW)

    assert reading.items.ids == ("guest", "partly")
    assert (reading.interactions.n_people, reading.interactions.n_rows) == (1, 2)
    assert reading.end == int((NOW - timedelta(days=1)).timestamp()) + 1


def test_people_and_products_are_numbered_by_code_point() -> None:
    for external_id in ("b", "A", "ä", "a"):
        make.order(make.customer(external_id), (f"p{external_id}", "", 1, 100), days_ago=1)

    reading = interactions.read(NOW)

    by_pk = dict(Customer.objects.values_list("pk", "external_id"))
    assert [by_pk[pk] for pk in reading.customers] == ["A", "a", "b", "ä"]
    assert reading.items.ids == ("pA", "pa", "pb", "pä")


def test_products_off_sale_are_in_no_list_and_consumables_come_back() -> None:
    shops.of_tastes()
    Product.objects.filter(product_id__in=["p000", "p001", "p002"]).update(is_active=False)
    Product.objects.filter(product_id="p004").update(is_consumable=True)

    run = shops.train()

    shown = {
        entry[0]
        for listing in CustomerListing.objects.filter(run=run)
        for entry in listed.entries(listing)
    }
    assert not shown & {"p000", "p001", "p002"}
    owners = OrderLine.objects.filter(product_id="p004").values("order__customer_id")
    lists = CustomerListing.objects.filter(run=run, customer_id__in=owners)
    assert any(entry[0] == "p004" for listing in lists for entry in listed.entries(listing))


def test_two_trainings_of_the_same_orders_are_the_same() -> None:
    shops.of_tastes()

    first, second = shops.train(), shops.train()

    assert first.metrics == second.metrics
    assert first.parameters == second.parameters
    lists = [
        dict(CustomerListing.objects.filter(run=run).values_list("customer_id", "products"))
        for run in (first, second)
    ]
    assert lists[0] == lists[1]
    assert TrainingRun.objects.active() == second


def test_every_database_gives_the_same_figures() -> None:
    shops.of_tastes()

    run = shops.train()

    assert run.metrics["ndcg@10"]["value"] == pytest.approx(0.6155594392074443, abs=1e-9)
    assert run.baseline_metrics["ndcg@10"]["value"] == pytest.approx(0.05833836961891169, abs=1e-9)


class KilledError(Exception):
    pass


def killed_after(n_steps: int, job: Job) -> None:
    """Run the job's handler until its n-th step is committed, then die."""
    claimed = running.claim(job.pk, now=NOW)
    assert claimed is not None
    work = Work(claimed, clock=lambda: NOW)
    n = 0

    def die(_done: int, _total: int, note: str) -> None:
        nonlocal n
        n += note.startswith("writing")
        if n == n_steps:
            raise KilledError

    work = Work(claimed, clock=lambda: NOW, sink=die)
    with pytest.raises(KilledError):
        training.train(work)


def go_on(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state="queued", claim_token=None, lease_until=None)
    done = running.run(job.pk, clock=lambda: NOW)
    assert done is not None
    assert done.state == Job.State.DONE


def test_a_killed_training_goes_on_with_its_run_and_the_old_one_serves_until_then() -> None:
    shops.of_tastes()
    before = shops.train()
    job = asking.ask_for_training(NOW)

    killed_after(1, job)

    assert TrainingRun.objects.active() == before
    assert TrainingRun.objects.count() == 2
    go_on(job)
    active = TrainingRun.objects.active()
    assert active is not None
    assert active != before
    assert TrainingRun.objects.count() == 2
    assert CustomerListing.objects.filter(run=active).count() == 120


def test_a_killed_training_starts_anew_if_the_orders_changed_meanwhile() -> None:
    shops.of_tastes()
    job = asking.ask_for_training(NOW)
    killed_after(1, job)
    Customer.objects.get(external_id="c0003").delete()

    go_on(job)

    run = TrainingRun.objects.get()
    assert run.n_customers == 119
    assert CustomerListing.objects.filter(run=run).count() == 119


def test_lists_of_the_last_three_runs_are_kept_and_one_can_go_back() -> None:
    shops.of_tastes()
    runs = [shops.train() for _ in range(4)]

    kept = set(CustomerListing.objects.values_list("run_id", flat=True))
    activation.activate(runs[1], now=NOW)

    assert kept == {run.pk for run in runs[1:]}
    assert TrainingRun.objects.active() == runs[1]
    assert TrainingRun.objects.count() == 4
    with pytest.raises(DomainError, match="not there"):
        activation.activate(runs[0], now=NOW)


def test_settings_that_are_shown_to_be_worse_than_the_active_ones_are_not_taken() -> None:
    shops.of_tastes()
    active = shops.train()
    task = training.task_of(interactions.read(NOW))
    worse = comparing.as_is(task, Popular(as_of=0, window_days=28), lambda: None)
    as_good = comparing.as_is(task, engine_of(active.parameters), lambda: None)

    kept, told = training.not_worse(task, worse, active, lambda: None)
    taken, same = training.not_worse(task, as_good, active, lambda: None)

    assert kept.engine == engine_of(active.parameters)
    assert (told["active"]["run"], told["active"]["is_kept"]) == (active.pk, True)
    assert told["active"]["ndcg@10"]["high"] < 0
    assert taken is as_good
    assert not same["active"]["is_kept"]
    active.parameters = {"k": 50}
    assert training.not_worse(task, worse, active, lambda: None) == (worse, {})


def test_a_later_training_says_how_it_compares_with_the_active_run() -> None:
    shops.of_tastes()
    first = shops.train()

    second = shops.train()

    assert "active" not in first.comparison
    assert second.comparison["active"]["run"] == first.pk
    assert second.comparison["active"]["ndcg@10"]["value"] == 0
    assert second.is_active
    assert second.activated_by == "system:training"


def test_who_activates_or_stops_a_run_stands_in_the_audit_trail() -> None:
    shops.of_tastes()
    run = shops.train()

    activation.let_popularity_serve(now=NOW, actor="staff:7")
    activation.let_popularity_serve(now=NOW, actor="staff:7")
    activation.activate(run, now=NOW, actor="staff:7")

    entries = AuditEntry.objects.filter(action__startswith="recommendations.").order_by("pk")
    assert list(entries.values_list("action", "actor", "reason")) == [
        ("recommendations.activated", "system:training", f"run {run.pk}"),
        ("recommendations.stopped", "staff:7", f"run {run.pk}"),
        ("recommendations.activated", "staff:7", f"run {run.pk}"),
    ]
    run.refresh_from_db()
    assert run.activated_by == "staff:7"


def test_the_nightly_task_asks_for_one_training_at_a_time() -> None:
    tasks.train_nightly()
    tasks.train_nightly()

    assert Job.objects.filter(kind=asking.TRAIN).count() == 1


def test_the_command_prints_the_card() -> None:
    shops.of_tastes()
    out = io.StringIO()

    call_command("train_recommendations", "--as-of", NOW.isoformat(), stdout=out)

    assert "ndcg@10" in out.getvalue()
    assert "Better than 28-day popularity; serving" in out.getvalue()


def test_a_wrong_date_is_refused_with_an_example() -> None:
    with pytest.raises(CommandError, match="write a date such as 2010-10-31"):
        call_command("train_recommendations", "--as-of", "tomorrow")


def test_a_training_that_fits_no_memory_fails_with_what_it_needs_and_the_setting(
    settings: Any,
) -> None:
    shops.of_tastes()
    settings.RECOMMENDATIONS_MEMORY_MB = 0

    waiting = asking.ask_for_training(NOW)
    failed = running.run(waiting.pk, clock=lambda: NOW)

    assert failed is not None
    assert failed.error_code == "ObstacleError"
    assert "popular_28 needs 1 MB for 60 products" in failed.error_detail
    assert "RECOMMENDATIONS_MEMORY_MB" in failed.error_detail


def test_a_small_catalogue_takes_ease_and_one_above_its_limit_the_local_ridge() -> None:
    small, large = (Size(9, 9, n, 90, 900) for n in (15_000, 15_001))

    assert regression_for(small, 2**30) == "ease"
    assert regression_for(large, 2**40) == "local_ridge"
    assert regression_for(small, 2**28) == "local_ridge"
