"""Who the customers are: only words with data behind them, in two languages."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Job
from profiles import occupation_words, personas
from profiles.features.attributes import Attribute, cohens_h, facts
from profiles.features.facts import SMALL_CELL, Fact, apart, said, titles
from profiles.models import ClusteringRun, Customer, CustomerTraits, Order, Persona, Segment
from tests import make
from tests.make import NOW

EVENING = datetime(2026, 2, 6, 19, 0, tzinfo=NOW.tzinfo)  # a Friday


# Facts ---------------------------------------------------------------------------------------


def fact(code: str, value: str, share: float, everyone: float) -> Fact:
    effect = cohens_h(share, everyone)
    return Fact(code, value, share, everyone, n=100, n_known=200, effect=effect)


def test_cohens_h_is_that_of_the_book() -> None:
    # J. Cohen (1988), table 6.2.2: phi(.80) = 2.214, phi(.50) = 1.571.
    assert cohens_h(0.8, 0.5) == pytest.approx(2.214 - 1.571, abs=1e-3)
    assert cohens_h(0.5, 0.8) == -cohens_h(0.8, 0.5)


def test_a_share_is_of_those_of_whom_it_is_known() -> None:
    known = np.array([True] * 40 + [False] * 60)
    holds = np.array([True] * 20 + [False] * 80)
    group = np.array([True] * 30 + [False] * 70)

    (told,) = facts([Attribute("gender", "female", holds, known)], group)

    assert (told.share, told.everyone, told.n, told.n_known) == (0.6667, 0.5, 20, 30)


def test_small_cells_and_what_is_mostly_unknown_are_not_told() -> None:
    group = np.ones(100, dtype=bool)
    everyone = np.ones(100, dtype=bool)
    few = np.arange(100) < SMALL_CELL - 1
    quarter = np.arange(100) < 25

    assert facts([Attribute("city", "Rome", few, few)], group) == []
    assert facts([Attribute("city", "Rome", quarter, quarter)], group) == []
    assert facts([Attribute("city", "Rome", quarter, everyone)], quarter) != []


def test_a_word_needs_to_be_common_or_clearly_unusual() -> None:
    usual = fact("hour", "evening", 0.55, 0.54)
    rare = fact("hour", "night", 0.1, 0.01)
    telling = fact("hour", "morning", 0.6, 0.3)

    assert said([usual, rare, telling], "hour", most=3) == [telling]
    assert apart([usual, rare, telling]) == [telling, rare]


@pytest.mark.django_db
def test_a_persona_is_told_in_the_readers_words_for_categories_and_occupations() -> None:
    make.product(
        "h-1", "Air", category="Headphones", translations={"zh-hans": {"category": "耳机"}}
    )
    make.product("c-1", "Go", category="Cables")
    run = ClusteringRun.objects.create(
        as_of=NOW, created_at=NOW, currency="EUR", n_customers=100, n_clusters=2
    )
    common = {"run": run, "n_customers": 50, "share": 0.5, "revenue_share": 0.5}
    listeners, others = (
        Persona.objects.create(
            number=number,
            key=number,
            facts=[
                asdict(fact("category", category, 0.9, 0.2)),
                asdict(fact("occupation", occupation, 0.8, 0.1)),
            ],
            title=[f"category:{category}"],
            **common,
        )
        for number, category, occupation in ((1, "Headphones", "teacher"), (2, "Cables", "Magier"))
    )

    assert personas.sentence(listeners, "en") == "Occupation often teacher, buys headphones."
    chinese = personas.sentence(listeners, "zh-hans")
    assert "教师" in chinese
    assert "耳机" in chinese
    assert personas.title(listeners, "zh-hans") == "耳机买家"
    assert "Magier" in personas.sentence(others, "zh-hans")
    with CaptureQueriesContext(connection) as asked:
        overview = personas.overview(run, "zh-hans")
    assert [card.title for card in overview] == ["耳机买家", "Cables 买家"]
    assert sum("recommendations_product" in one["sql"] for one in asked.captured_queries) == 1


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("教师", "teacher"),
        (" Teacher ", "teacher"),
        ("teacher", "teacher"),
        ("Zauberer", "Zauberer"),
    ],
)
def test_an_occupation_is_one_word_whatever_language_it_came_in(told: str, code: str) -> None:
    assert occupation_words.code_of(told) == code


@pytest.mark.parametrize(
    ("language", "value", "said"),
    [("en", "CA", "From Canada"), ("zh-hans", "CA", "来自加拿大"), ("en", "??", "From ??")],
)
def test_a_country_is_called_by_its_name(language: str, value: str, said: str) -> None:
    with personas.speaking(language):
        assert personas.label_of(fact("country", value, 0.5, 0.1)) == said
        in_rome = personas.label_of(fact("city", "Rome", 0.5, 0.1))
    assert in_rome == {"en": "From Rome", "zh-hans": "来自 Rome"}[language]


def test_titles_differ_as_long_as_the_facts_do() -> None:
    spends = fact("value", "high", 0.9, 0.2)
    often = fact("frequency", "often", 0.8, 0.2)
    evening = fact("hour", "evening", 0.6, 0.2)
    women = fact("gender", "female", 0.99, 0.5)

    assert titles([[spends, often, women], [spends, often, evening], [women]]) == [
        ["value:high", "frequency:often"],
        ["value:high", "frequency:often", "hour:evening"],
        [],
    ]


# Words ---------------------------------------------------------------------------------------


def persona(*told: Fact) -> Persona:
    return Persona(number=1, title=titles([told])[0], facts=[asdict(one) for one in told])


AUDIO_LOVERS = (
    fact("age_band", "25-34", 0.6, 0.2),
    fact("gender", "female", 0.7, 0.5),
    fact("category", "Audio", 0.7, 0.2),
    fact("category", "Photo", 0.5, 0.2),
    fact("discount", "never", 0.9, 0.7),
    fact("hour", "evening", 0.8, 0.2),
    fact("frequency", "often", 0.6, 0.2),
)


@pytest.mark.django_db
def test_a_persona_is_one_sentence() -> None:
    assert personas.sentence(persona(*AUDIO_LOVERS), "en") == (
        "25–34 years old, mostly women, buys audio and photo at full price in the evening,"
        " comes back often."
    )
    assert personas.sentence(persona(*AUDIO_LOVERS), "zh-hans") == (
        "25–34 岁，女性居多，常于晚间以原价购买Audio和Photo，经常回购。"
    )


@pytest.mark.django_db
def test_a_persona_is_named_by_what_it_does() -> None:
    assert personas.title(persona(*AUDIO_LOVERS), "en") == "Evening shoppers, buyers of audio"
    assert personas.title(persona(), "en") == "Typical customers"


def test_where_nothing_may_be_said_what_is_more_common_is_told_as_such() -> None:
    some = persona(fact("refund", "often", 0.2, 0.05))

    assert personas.title(some, "en") == "More returners"
    assert personas.sentence(some, "en") == "Much like all customers, with more returners."
    assert personas.sentence(persona(), "en") == "Much like all customers."


# The build -----------------------------------------------------------------------------------


def customers_of_two_kinds() -> None:
    """Forty women of 30 who buy audio on many evenings, forty others who came once."""
    dice = random.Random(1)
    for n in range(40):
        keen = make.customer(f"keen{n}", birth_year=1996, gender="female", city="Lyon")
        for week in range(3):
            price = 90_000 + dice.randrange(60_000)
            days = 7 * week + dice.randrange(20)
            make.order(keen, ("mic", "Audio", 1, price), at=EVENING - timedelta(days=days))
        once = make.customer(f"once{n}", birth_year=1960, gender="male", city="Nice")
        days = 150 + dice.randrange(150)
        price = 900 + dice.randrange(3_000)
        make.order(once, ("bulb", "Light", 1, price), at=NOW - timedelta(days=days, hours=2))


def built(**options: object) -> str:
    out = StringIO()
    call_command("build_profiles", as_of="2026-03-02T09:00", stdout=out, stderr=out, **options)
    return out.getvalue()


def sizes() -> dict[int, int]:
    run = ClusteringRun.objects.get(is_current=True)
    return dict(run.personas.values_list("number", "n_customers"))


@pytest.mark.django_db
def test_the_command_prints_personas_that_say_who_the_customers_are() -> None:
    make.shop()
    customers_of_two_kinds()

    text = built()

    assert "80 customers as of 2026-03-02" in text
    assert "25–34 years old, mostly women, from Lyon, buys audio" in text
    assert "mostly men, from Nice, buys light in the morning" in text
    first = Persona.objects.get(number=1, run__is_current=True)
    assert first.revenue_share > 0.3
    assert set(sizes()) == set(range(1, len(sizes()) + 1))
    assert sum(sizes().values()) == 80


@pytest.mark.django_db
def test_without_people_data_there_are_no_words_about_people() -> None:
    make.shop()
    customers_of_two_kinds()
    Customer.objects.update(birth_year=None, gender="", city="")

    text = built()

    assert "Audio" in text
    for word in ("years", "women", "men,", "Age", "Lyon"):
        assert word not in text


@pytest.mark.django_db
def test_people_data_and_the_order_of_arrival_leave_the_clusters_as_they_are() -> None:
    make.shop()
    customers_of_two_kinds()
    built()
    before = members()

    Customer.objects.update(birth_year=1950, gender="other", city="Oslo")
    last = Customer.objects.order_by("pk")[:40]
    move_to_the_end(last)
    built()

    assert members() == before


def members() -> dict[str, int]:
    rows = CustomerTraits.objects.values_list("customer__external_id", "persona__number")
    return {name: number for name, number in rows if number is not None}


def move_to_the_end(some: QuerySet[Customer]) -> None:
    """Give customers new keys, as if another import had brought them in later."""
    for customer in some:
        orders = list(customer.orders.values_list("pk", flat=True))
        customer.orders.update(customer=None)
        customer.delete()
        new = make.customer(customer.external_id)
        Order.objects.filter(pk__in=orders).update(customer=new)


@pytest.mark.django_db
def test_a_second_build_replaces_the_run_and_recounts_the_segments() -> None:
    make.shop()
    customers_of_two_kinds()
    built()
    lapsed = Segment.objects.get(name="Lapsed customers")
    assert lapsed.n_customers == 40
    n_segments = Segment.objects.count()

    make.order(Customer.objects.get(external_id="once0"), ("x", "", 1, 1), days_ago=1)
    built()

    lapsed.refresh_from_db()
    assert (lapsed.n_customers, Segment.objects.count()) == (39, n_segments)
    assert ClusteringRun.objects.filter(is_current=True).count() == 1
    assert CustomerTraits.objects.filter(persona__run__is_current=True).count() == 80


@pytest.mark.django_db
def test_too_few_customers_are_one_persona() -> None:
    make.shop()
    make.order(make.customer(), ("x", "", 1, 100), days_ago=3)

    assert "1 customers as of 2026-03-02 in 1 personas (no split holds)" in built()
    assert personas.facts_of(Persona.objects.get()) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("31.10.2010", "write a date such as 2010-10-31"),
        ("2999-01-01", "has not come yet"),
        ("2010-10-31", "No customer has an order in EUR before 2010-10-31"),
    ],
)
def test_a_date_that_will_not_do_is_said_plainly(as_of: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("build_profiles", as_of=as_of, stdout=StringIO(), stderr=StringIO())


@pytest.mark.django_db
def test_orders_in_another_currency_than_the_shops_are_pointed_out() -> None:
    make.shop()
    make.order(make.customer(), ("x", "", 1, 100), days_ago=3, currency="GBP")

    with pytest.raises(CommandError, match=r"There are orders in GBP: set the shop's currency"):
        built()


@pytest.mark.django_db
def test_before_the_shop_is_set_up_the_currency_of_most_orders_counts() -> None:
    make.order(make.customer(), ("x", "", 1, 100), days_ago=3, currency="GBP")

    built()

    assert ClusteringRun.objects.get().currency == "GBP"


@pytest.mark.django_db
def test_a_build_goes_on_behind_the_part_that_is_done() -> None:
    make.shop()
    customers_of_two_kinds()
    built()
    job = Job.objects.get(kind="profiles.build")
    run = job.cursor["run"]

    job.state, job.cursor = (
        Job.State.QUEUED,
        {k: v for k, v in job.cursor.items() if k != "n_segments"},
    )
    job.not_before = timezone.now() - timedelta(minutes=1)
    job.save()
    text = built()

    assert "Going on with job" in text
    assert ClusteringRun.objects.get().pk == run


@pytest.mark.django_db
def test_the_overview_carries_what_a_page_shows() -> None:
    make.shop()
    customers_of_two_kinds()
    built()
    run = personas.current_run()
    assert run is not None

    card = personas.overview(run, "en")[0]

    assert [one.label for one in card.typical][2] == "net revenue"
    assert card.typical[2].text.startswith("€")
    assert {one.label for one in card.contrasts if one.is_protected} <= {"Women", "Age 25–34"}
    assert all(0 <= one.share <= 1 and one.n >= SMALL_CELL for one in card.contrasts)
    assert card.rule["rules"][0]["value"] == 1
