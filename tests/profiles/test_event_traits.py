from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from profiles import segmentation, trait_words
from profiles.features.vocabulary import TRAITS
from profiles.models import CategoryNorm, Customer, CustomerTraits, Event, ProductFact, TraitBuild
from profiles.traits import featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop(time_zone="Asia/Shanghai")


def event(by: Customer, name: str = "Product Viewed", *, at: datetime, **columns: Any) -> Event:
    return Event.objects.create(
        source=make.source(),
        message_id=f"m{Event.objects.count() + 1}",
        kind="track",
        name=name,
        customer=by,
        happened_at=at,
        received_at=at,
        **columns,
    )


def built(as_of: datetime = NOW, **how: Any) -> CustomerTraits:
    featuring.build_traits(as_of, **how)
    return CustomerTraits.objects.get()


def test_the_vocabulary_declares_every_trait_with_words_and_a_place_to_stand() -> None:
    columns = {field.name for field in CustomerTraits._meta.concrete_fields}

    assert len(TRAITS) >= 30
    assert {trait.name for trait in TRAITS} == set(trait_words.WORDS)
    for trait in TRAITS:
        assert (trait.moment or trait.name) in columns
        assert isinstance(getattr(CustomerTraits(as_of=NOW), trait.name, None), int | str | None)


def test_a_customer_without_orders_or_events_has_a_row_that_knows_nothing() -> None:
    make.customer()

    traits = built()

    known = {trait.name: getattr(traits, trait.name) for trait in TRAITS}
    assert {value for value in known.values() if value not in (None, "")} == {0}
    assert known["recency_days"] is known["top_hour"] is known["average_order_minor"] is None


def test_half_an_hour_of_silence_ends_a_visit_and_ninety_days_the_window() -> None:
    ann = make.customer()
    start = NOW - timedelta(days=3)
    for minutes in (0, 30, 60, 91):
        event(ann, at=start + timedelta(minutes=minutes), properties={"category": "Audio"})
    event(ann, "Products Searched", at=NOW - timedelta(days=90))
    event(ann, "Products Searched", at=NOW - timedelta(days=90, seconds=1))
    event(ann, "Product Added", at=NOW)

    traits = built()

    assert (traits.n_sessions, traits.n_active_days) == (3, 2)
    assert (traits.n_views, traits.n_searches, traits.n_cart_adds) == (4, 1, 0)
    assert (traits.viewed_category, traits.last_seen_days) == ("Audio", 2)


def test_habits_of_visits_follow_the_shops_clock_and_the_device() -> None:
    ann = make.customer()
    # 16:30 UTC on Friday is half past midnight on Saturday in Shanghai.
    late = datetime(2026, 2, 27, 16, 30, tzinfo=UTC)
    shared = {"campaign": {"source": "newsletter"}}
    event(ann, at=late, context={"userAgent": PHONE, **shared})
    event(ann, at=late, context={"device": {"type": "ios"}, **shared})
    event(ann, at=late - timedelta(hours=9), context={"userAgent": LAPTOP})
    event(ann, at=late - timedelta(hours=9))
    event(ann, at=late)

    traits = built()

    assert (traits.visit_hour, traits.visit_weekday) == (0, 5)
    assert traits.weekend_visit_share == 0.6
    assert traits.top_device == "mobile"
    assert traits.mobile_share == pytest.approx(2 / 3)
    assert traits.top_channel == "newsletter"


def test_of_what_is_equally_frequent_the_lowest_stands_and_texts_go_by_their_bytes() -> None:
    ann = make.customer()
    start = datetime(2026, 2, 20, 15, 30, tzinfo=UTC)  # half past eleven at night in Shanghai
    told = [("tablet", "Zoom", "post"), ("desktop", "audio", "ads"), ("mobile", "Émile", "")]
    for hours, (device, category, channel) in enumerate(told * 2):
        event(
            ann,
            at=start + timedelta(hours=hours),
            properties={"category": category},
            context={"device": {"type": device}, "campaign": {"source": channel}},
        )

    traits = built()

    assert (traits.visit_hour, traits.visit_weekday) == (0, 5)
    assert (traits.top_device, traits.viewed_category) == ("desktop", "Zoom")
    assert (traits.top_channel, traits.n_active_days, traits.n_sessions) == ("ads", 2, 6)
    assert traits.mobile_share == pytest.approx(1 / 3)


def test_answers_to_e_mail_are_no_visits() -> None:
    ann = make.customer()
    for name, campaign in (("Email Opened", "a"), ("Email Opened", "b"), ("Email Clicked", "b")):
        event(ann, name, at=NOW - timedelta(days=5), properties={"campaign": campaign})

    traits = built()

    assert (traits.n_email_opens, traits.n_email_clicks, traits.email_click_share) == (2, 1, 0.5)
    assert (traits.last_answer_days, traits.last_seen_days, traits.n_sessions) == (5, None, 0)


@pytest.mark.parametrize("name", ["SMS Clicked", "Push Clicked"])
def test_a_click_in_another_message_is_neither_a_visit_nor_an_answer_to_e_mail(name: str) -> None:
    event(make.customer(), name, at=NOW - timedelta(days=5), properties={"campaign": "a"})

    traits = built()

    assert (traits.n_email_clicks, traits.last_answer_days) == (0, None)
    assert (traits.last_seen_days, traits.n_sessions) == (None, 0)


def test_a_text_inside_an_event_that_is_no_text_is_passed_over() -> None:
    ann = make.customer()
    for odd in (5, True, None, ["Audio"], {"name": "Audio"}):
        event(ann, at=NOW - timedelta(days=1), properties={"category": odd}, context={"os": odd})

    assert built().viewed_category == ""


def test_prices_are_held_against_what_is_usual_in_the_category() -> None:
    ann = make.customer()
    make.order(ann, ("a", "Audio", 1, 3_000), ("x", "", 1, 9), days_ago=9)
    make.order(None, ("b", "Audio", 2, 1_500), days_ago=9)

    traits = built()

    assert CategoryNorm.objects.get(category="Audio").price_minor == 2_000
    assert traits.price_level == 1.5


def test_brands_come_from_the_catalogue() -> None:
    ann = make.customer()
    make.product("tv", brand="Lumo")
    make.product("mic", brand="Sono")
    make.order(ann, ("tv", "Video", 1, 600), ("mic", "Audio", 1, 300), ("?", "", 1, 100))

    traits = built(NOW + timedelta(days=1))

    assert (traits.top_brand, traits.top_brand_share) == ("Lumo", 0.6)
    assert ProductFact.objects.count() == 2


def test_discounts_refunds_and_coupons_are_shares_of_orders_and_money() -> None:
    ann = make.customer()
    first = make.order(ann, ("tv", "Video", 1, 800), days_ago=400, discount_minor=200, coupon="MAY")
    make.order(ann, ("mic", "Audio", 1, 1_000), days_ago=20)
    make.refund(first.lines.get(), amount_minor=50, at=NOW - timedelta(days=1))

    traits = built()

    assert (traits.coupon_share, traits.refunded_order_share) == (0.5, 0.5)
    assert (traits.discount_depth, traits.n_categories) == (0.1, 2)
    assert (traits.n_orders_year, traits.spent_year_minor) == (1, 1_000)
    assert (traits.largest_order_minor, traits.next_order_days) == (1_000, 360)


def test_days_are_counted_on_the_day_they_are_asked_for() -> None:
    ann = make.customer("ann")
    make.order(ann, ("tv", "", 1, 100), days_ago=10)
    built()
    rule = {"field": "recency_days", "operator": ">=", "value": 30}
    tree = {"combinator": "and", "not": False, "rules": [rule]}

    later = NOW + timedelta(days=20)

    assert segmentation.count(tree, later - timedelta(seconds=1)) == 0
    assert segmentation.count(tree, later) == 1
    assert CustomerTraits.objects.seen_from(later).get().recency_days == 30
    assert CustomerTraits.objects.get().seen_from(later).recency_days == 30


def test_every_trait_can_be_asked_for_by_a_segment() -> None:
    make.order(make.customer(), ("tv", "Video", 1, 100), days_ago=10)
    built()

    for trait in TRAITS:
        rules = [{"field": trait.name, "operator": sign} for sign in ("null", "notNull")]
        n_unknown, n_known = (
            segmentation.count({"combinator": "and", "not": False, "rules": [one]}, NOW)
            for one in rules
        )
        assert n_unknown + n_known == 1


def test_a_build_notes_what_it_is_built_upon() -> None:
    make.customer()

    built()

    build = TraitBuild.objects.get()
    assert (build.as_of, build.n_customers, build.n_refreshed) == (NOW, 1, 1)
