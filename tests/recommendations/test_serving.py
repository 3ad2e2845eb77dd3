from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from privacy.models import Subject
from profiles.models import Customer
from recommendations import explaining, serving
from recommendations.explaining import Reason
from recommendations.models import TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

FAR = date(2999, 1, 1)
pytestmark = pytest.mark.django_db


def run(*, is_active: bool = True, popular: str = "PQRST") -> TrainingRun:
    """A run with some popular products, named by one letter each; the catalogue has A to Z."""
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if not TrainingRun.objects.exists() else "":
        make.product(letter, f"Title {letter}")
    made = TrainingRun.objects.create(
        engine="item_based",
        as_of=NOW,
        n_customers=1,
        n_products=26,
        n_interactions=1,
        cpu_seconds=1,
        peak_rss_mb=1,
        is_active=is_active,
        verdict=TrainingRun.Verdict.BEATS_POPULAR,
        created_at=NOW,
        finished_at=NOW,
        activated_at=NOW,
    )
    entries = [[letter, 9 - n, Reason.POPULAR_NOW, []] for n, letter in enumerate(popular)]
    listed.product(made, "", entries)
    return made


def listing(of: TrainingRun, to: Customer, *products: str) -> None:
    items = [[id_, 1 - n / 10, Reason.BOUGHT, ["Z"]] for n, id_ in enumerate(products)]
    listed.customer(of, to, items)


def neighbours(of: TrainingRun, product: str, **scores: float) -> None:
    items = [[id_, score, Reason.TOGETHER, [product]] for id_, score in scores.items()]
    listed.product(of, product, items)


def shown(items: list[serving.Recommended]) -> str:
    return "".join(item.product_id for item in items)


def test_a_customer_gets_the_own_list_with_reasons() -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "A", "B")

    served = serving.for_customer(customer.pk, n=2, language="en")

    assert shown(served.items) == "AB"
    assert (served.fallback, served.run) == (False, active)
    assert served.items[0] == serving.Recommended(
        product_id="A",
        title="Title A",
        category="",
        price_minor=1_999,
        image_url="",
        link="",
        score=1.0,
        reason_code="because_you_bought",
        reason_text="Because you bought Title Z",
        based_on=("Z",),
    )


def test_a_short_list_is_filled_with_what_is_popular_and_says_so() -> None:
    active, customer = run(popular="PAQ"), make.customer()
    listing(active, customer, "A", "B")

    served = serving.for_customer(customer.pk, n=4, language="en")

    assert shown(served.items) == "ABPQ"
    assert served.fallback
    assert served.items[2].reason_text == "Popular this month"


def test_without_an_active_run_popularity_serves() -> None:
    inactive, customer = run(is_active=False), make.customer()
    listing(inactive, customer, "A", "B")

    served = serving.for_customer(customer.pk, n=3, language="en")

    assert shown(served.items) == "PQR"
    assert (served.fallback, served.run) == (True, None)


def test_without_any_training_the_strip_is_empty() -> None:
    assert serving.for_customer(None, n=3, language="en") == serving.Served(
        items=[], fallback=True, run=None
    )


def test_what_was_bought_since_the_training_is_not_shown_unless_it_is_bought_again() -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "A", "B", "C")
    make.order(customer, *((id_, "", 1, 100) for id_ in "ABP"), days_ago=0)
    make.product("again", "Batteries", is_consumable=True)
    listed.customer(
        active, customer, [["again", 2.0, Reason.BOUGHT, []], ["A", 1, Reason.BOUGHT, []]]
    )
    make.order(customer, ("again", "", 1, 100), days_ago=0)

    served = serving.for_customer(customer.pk, n=3, language="en")

    assert [item.product_id for item in served.items] == ["again", "Q", "R"]


def test_what_was_given_back_may_be_shown_again() -> None:
    run()
    customer = make.customer()
    make.order(customer, ("P", "", 1, 100)).lines.update(refunded_quantity=1)

    assert shown(serving.for_customer(customer.pk, n=2, language="en").items) == "PQ"


def test_products_off_sale_or_gone_are_skipped() -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "gone", "A", "B")
    make.product("off", is_active=False)
    listed.customer(
        active,
        customer,
        [
            ["gone", 3, Reason.BOUGHT, []],
            ["off", 2, Reason.BOUGHT, []],
            ["A", 1, Reason.POPULAR, []],
        ],
    )

    assert shown(serving.for_customer(customer.pk, n=2, language="en").items) == "AP"


@pytest.mark.parametrize(
    "flags",
    [{"no_profiling": True}, {"restricted": True}, {"erased_at": NOW}, {"minor_until": FAR}],
    ids=str,
)
def test_who_refuses_profiling_gets_what_everybody_gets(flags: dict[str, Any]) -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "A")
    neighbours(active, "X", B=0.5)
    make.order(customer, ("P", "", 1, 100), days_ago=1)
    Subject.objects.filter(uuid=customer.subject_id).update(**flags)

    alone = serving.for_customer(customer.pk, n=2, language="en", recent_product_ids=["X"])
    batch = serving.for_customers([customer.pk], n=2, language="en")

    assert shown(alone.items) == shown(batch[customer.pk]) == "PQ"


def test_a_new_visitor_gets_the_summed_neighbours_of_what_was_just_looked_at() -> None:
    active = run()
    neighbours(active, "X", A=0.5, B=0.4, Y=0.9)
    neighbours(active, "Y", B=0.3, C=0.2)

    served = serving.for_customer(None, n=4, language="en", recent_product_ids=["X", "Y", "X"])

    assert shown(served.items) == "BACP"
    assert served.items[0].score == pytest.approx(0.7)
    assert served.items[0].reason_text == "Because you looked at Title X"
    assert served.items[0].based_on == ("X",)
    assert served.fallback


def test_what_a_customer_looks_at_moves_the_own_list() -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "A", "B")
    neighbours(active, "X", B=0.4)

    served = serving.for_customer(customer.pk, n=2, language="en", recent_product_ids=["X"])

    assert shown(served.items) == "BA"
    assert served.items[0].reason_code == "because_you_bought"


def test_similar_products_say_with_what_they_are_bought() -> None:
    active = run(popular="XPQ")
    neighbours(active, "X", A=0.5)

    served = serving.similar("X", n=3, language="en")

    assert shown(served.items) == "APQ"
    assert served.items[0].reason_text == "Often bought together with Title X"
    assert served.fallback


def test_an_unknown_product_and_an_unknown_customer_get_what_is_popular() -> None:
    run()

    assert shown(serving.similar("unheard of", n=2, language="en").items) == "PQ"
    assert shown(serving.for_customer(12345, n=2, language="en").items) == "PQ"


def test_the_number_of_queries_does_not_grow_with_the_customers() -> None:
    active = run()
    customers = [make.customer() for _ in range(100)]
    for customer in customers:
        listing(active, customer, "A", "B")
        make.order(customer, ("A", "", 1, 100), days_ago=1)

    counts = []
    for n in (3, 100):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            lists = serving.for_customers([c.pk for c in customers[:n]], n=4, language="en")
        assert len(lists) == n
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 8


def test_titles_and_reasons_are_in_the_readers_language() -> None:
    active, customer = run(), make.customer()
    listing(active, customer, "M")
    make.product("耳", "Headphones", translations={"zh-hans": {"title": "头戴式耳机"}})
    listed.customer(active, customer, [["耳", 1, Reason.BOUGHT, ["耳"]]])

    chinese = serving.for_customers([customer.pk], n=1, language="zh-hans")[customer.pk][0]
    french = serving.for_customers([customer.pk], n=1, language="fr")[customer.pk][0]

    assert chinese.title == "头戴式耳机"
    assert chinese.reason_text == "因为您购买过 头戴式耳机"
    assert french.title == "Headphones"


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_reason_has_words_with_and_without_a_title(reason: Reason, language: str) -> None:
    with translation.override(language):
        named, bare = explaining.words(reason, ["50 % TV"]), explaining.words(reason, [])

    assert bare
    names_none = {"popular", "popular_this_month", "trending", "new", "picked"}
    names_none |= {"you_bought_it", "you_looked_at_it"}
    assert ("50 % TV" in named) == (reason not in names_none)
    assert bare.isascii() == (language == "en")


def test_many_customers_ask_no_more_queries_than_few() -> None:
    run()
    few = [make.customer(f"f{number}").pk for number in range(3)]
    many = [make.customer(f"m{number}").pk for number in range(100)]

    def counted(pks: list[int]) -> int:
        with CaptureQueriesContext(connection) as queries:
            served = serving.for_customers(pks, n=2, language="en")
        assert {shown(items) for items in served.values()} == {"PQ"}
        return len(queries)

    assert counted(many) <= counted(few)
