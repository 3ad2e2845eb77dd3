"""One suite for every engine, then what only one of them promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.engines.base import DAY, NOTHING, Engine, Interactions, Items, top_k
from recommendations.engines.blend import Blend
from recommendations.engines.ease import Ease
from recommendations.engines.item_based import ItemBased
from recommendations.engines.local_ridge import LocalRidge
from recommendations.engines.next_item import NextItem
from recommendations.engines.popular import Popular
from recommendations.engines.user_based import UserBased
from tests.recommendations.interactions import checkerboard, interactions, rows

AS_OF = 100 * DAY
YESTERDAY = AS_OF - DAY
ENGINES: list[Engine] = [
    Popular(as_of=AS_OF),
    ItemBased(as_of=AS_OF, n_neighbours=6),
    ItemBased(as_of=AS_OF, degree_power=0, half_life_days=30, target_power=0.4),
    UserBased(as_of=AS_OF),
    Ease(as_of=AS_OF, ridge=1),
    LocalRidge(as_of=AS_OF, ridge=1),
    NextItem(as_of=AS_OF),
    Blend(((ItemBased(as_of=AS_OF), 1.0), (Ease(as_of=AS_OF, ridge=1), 0.5))),
]
# A matrix inverse in 32 bits leaves equal scores equal to six digits only.
EXACT = [engine for engine in ENGINES if engine.name not in {"ease", "blend"}]
every_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
personal = pytest.mark.parametrize("engine", ENGINES[1:], ids=lambda engine: engine.name)


def items(n: int) -> Items:
    return Items.plain([f"{number:03}" for number in range(n)])


def random_events(seed: int, *, n_people: int = 30, n_items: int = 20) -> Interactions:
    random = np.random.default_rng(seed)
    n = 400
    return Interactions(
        random.integers(n_people + 10, size=n),
        (random.beta(1, 3, size=n) * n_items).astype(np.int64),
        AS_OF - random.integers(1, 90 * DAY, size=n),
        n_people,
        n_people + 10,
        n_items,
    )


@personal
def test_of_a_checkerboard_each_person_gets_the_lacking_square_of_his_colour(
    engine: Engine,
) -> None:
    model = engine.fit(checkerboard(12, at=YESTERDAY), items(12))

    ranked = model.recommend(np.arange(12), 12)

    assert ranked.ids[:, 0].tolist() == list(range(12))
    assert (ranked.ids[:, 1:] == NOTHING).all()


@every_engine
def test_what_a_person_has_is_not_recommended_unless_it_is_taken_again(engine: Engine) -> None:
    events, plain = random_events(1), items(20)
    owned = events.of_people().matrix().toarray()[:30] > 0
    again = replace(plain, repeatable=np.ones(20, dtype=np.bool_))

    once = engine.fit(events, plain).recommend(np.arange(30), 20)
    repeated = engine.fit(events, again).recommend(np.arange(30), 20)

    assert not any(owned[user, item] for user, row in enumerate(once.ids) for item in row[row >= 0])
    assert any(owned[user, item] for user, row in enumerate(repeated.ids) for item in row[row >= 0])


@every_engine
def test_what_is_not_on_sale_is_neither_recommended_nor_similar(engine: Engine) -> None:
    on_sale = np.arange(20) % 3 > 0
    model = engine.fit(random_events(2), replace(items(20), on_sale=on_sale))

    for ranked in (model.recommend(np.arange(30), 20), model.similar(np.arange(20), 20)):
        assert (ranked.ids >= 0).any()
        assert not (ranked.ids[ranked.ids >= 0] % 3 == 0).any()


@every_engine
def test_the_order_of_the_events_and_repeats_of_them_change_nothing(engine: Engine) -> None:
    events = random_events(3)
    order = np.random.default_rng(4).permutation(np.tile(np.arange(len(events)), 2))
    doubled = replace(
        events, users=events.users[order], items=events.items[order], at=events.at[order]
    )

    first = engine.fit(events, items(20)).recommend(np.arange(30), 20)
    second = engine.fit(doubled, items(20)).recommend(np.arange(30), 20)

    assert (first.ids == second.ids).all()
    assert (first.scores == second.scores).all()


@every_engine
def test_other_numbers_for_the_same_people_give_them_the_same_lists(engine: Engine) -> None:
    events = random_events(5)
    number = np.concatenate([np.random.default_rng(6).permutation(30), np.arange(30, 40)])

    before = engine.fit(events, items(20)).recommend(np.arange(30), 20)
    renumbered = replace(events, users=number[events.users])
    after = engine.fit(renumbered, items(20)).recommend(number[:30], 20)

    np.testing.assert_allclose(after.scores, before.scores, rtol=1e-5, atol=1e-6)


@every_engine
def test_other_numbers_for_the_same_items_give_the_same_scores(engine: Engine) -> None:
    events = random_events(7)
    number = np.random.default_rng(8).permutation(20)

    before = engine.fit(events, items(20)).recommend(np.arange(30), 20)
    renumbered = replace(events, items=number[events.items])
    after = engine.fit(renumbered, items(20)).recommend(np.arange(30), 20)

    np.testing.assert_allclose(after.scores, before.scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", EXACT, ids=lambda engine: engine.name)
def test_equal_scores_stand_in_the_order_of_ids(engine: Engine) -> None:
    everybody = [(user, item, YESTERDAY) for user in range(5) for item in range(6)]
    events = interactions(
        [*everybody, *((5, item, YESTERDAY) for item in (0, 1))], n_people=6, n_items=6
    )

    ranked = engine.fit(events, items(6)).recommend(rows(5), 4)

    assert len(set(ranked.scores[0].tolist())) == 1
    assert ranked.ids[0].tolist() == [2, 3, 4, 5]


@personal
def test_a_person_without_history_gets_an_empty_list(engine: Engine) -> None:
    events = replace(checkerboard(12, at=YESTERDAY), n_people=13, n_rows=13)

    ranked = engine.fit(events, items(12)).recommend(rows(12, 0), 3)

    assert ranked.ids[0].tolist() == [NOTHING] * 3
    assert ranked.ids[1, 0] == 0


@every_engine
def test_no_events_no_people_and_no_items_give_empty_lists(engine: Engine) -> None:
    nobody = interactions([], n_people=0, n_items=0)
    silence = interactions([], n_people=2, n_items=3)

    assert engine.fit(nobody, items(0)).recommend(rows(), 5).ids.shape == (0, 5)
    assert (engine.fit(silence, items(3)).recommend(rows(0, 1), 5).ids == NOTHING).all()
    assert (engine.fit(silence, items(3)).similar(rows(0), 2).ids == NOTHING).all()


@pytest.mark.parametrize("engine", [Popular(as_of=AS_OF), ItemBased(as_of=AS_OF)])
def test_small_blocks_give_the_same_lists_as_one(engine: Popular | ItemBased) -> None:
    events = random_events(9)
    whole = engine.fit(events, items(20))
    cut = replace(engine, block_bytes=3 * 16 * 20).fit(events, items(20))

    for users in (np.arange(30), rows(4)):
        assert (cut.recommend(users, 10).ids == whole.recommend(users, 10).ids).all()
    similar, alike = whole.similar(np.arange(20), 10), cut.similar(np.arange(20), 10)
    assert (similar.scores == alike.scores).all()


@personal
def test_the_contributions_of_an_explanation_add_up_to_the_score(engine: Engine) -> None:
    events = random_events(10)
    model = engine.fit(events, items(20))

    ranked = model.recommend(np.arange(30), 5)

    n_checked = 0
    for user in range(30):
        for item, score in zip(ranked.ids[user], ranked.scores[user], strict=True):
            if item == NOTHING:
                continue
            reasons = model.explain(user, int(item))
            assert sum(reason.value for reason in reasons) == pytest.approx(score, rel=1e-5)
            assert {reason.item for reason in reasons} <= set(events.items[events.users == user])
            assert [r.value for r in reasons] == sorted((r.value for r in reasons), reverse=True)
            n_checked += 1
    assert n_checked > 50


def test_popularity_counts_each_person_and_basket_once_within_its_days() -> None:
    start = AS_OF - 28 * DAY
    events = interactions(
        [
            (0, 0, start),
            (0, 0, AS_OF - 1),
            (2, 0, YESTERDAY),
            (1, 1, YESTERDAY),
            (0, 2, start - 1),
            (1, 2, AS_OF),
        ],
        n_people=2,
        n_baskets=1,
        n_items=3,
    )

    ranked = Popular(as_of=AS_OF).fit(events, items(3)).ranking(3)

    assert ranked.ids[0].tolist() == [0, 1, NOTHING]
    assert ranked.scores[0].tolist() == [2, 1, 0]


def test_a_weight_is_the_degree_weighted_cosine() -> None:
    # Four people took 0 and 1; two of them took 2 as well, and the fourth item has one taker.
    taken = [(0, 1), (0, 1), (0, 1, 2), (0, 1, 2), (2,), (2, 3)]
    events = interactions(
        [(user, item, 0) for user, own in enumerate(taken) for item in own], n_people=6, n_items=4
    )
    engine = ItemBased(as_of=AS_OF, degree_power=0.5, target_power=0.4, min_people=2)

    weights = engine.fit(events, items(4)).closeness(np.arange(4))

    gram_00 = gram_01 = 2 / 2 + 2 / 3  # each row divided by the square root of its degree
    gram_22, gram_02 = 2 / 3 + 1 + 1 / 2, 2 / 3
    assert weights[0, 1] == pytest.approx(gram_01 / gram_00)
    assert weights[0, 2] == pytest.approx(gram_02 / (gram_00**0.6 * gram_22**0.4))
    assert weights[2, 0] == pytest.approx(gram_02 / (gram_22**0.6 * gram_00**0.4))
    assert weights[2, 3] == 0


def test_a_half_life_halves_the_weight_of_what_was_taken_that_long_ago() -> None:
    events = interactions([(0, 0, AS_OF), (0, 1, AS_OF - 30 * DAY)], n_people=1, n_items=2)

    assert events.matrix(half_life_days=30, as_of=AS_OF).toarray().tolist() == [[1, 0.5]]


def test_no_neighbours_come_from_fewer_than_three_known_people() -> None:
    two = [(user, item, YESTERDAY) for user in (0, 1) for item in (0, 1)]
    anonymous = [(basket, item, YESTERDAY) for basket in (3, 4, 5) for item in (0, 1)]
    third = [(2, item, YESTERDAY) for item in (0, 1)]
    engine = ItemBased(as_of=AS_OF)

    fewer = interactions([*two, *anonymous], n_people=3, n_baskets=3, n_items=2)
    enough = interactions([*two, *anonymous, *third], n_people=3, n_baskets=3, n_items=2)

    assert np.count_nonzero(engine.fit(fewer, items(2)).closeness(rows(0, 1))) == 0
    assert np.count_nonzero(engine.fit(enough, items(2)).closeness(rows(0, 1))) == 2


def test_guest_baskets_strengthen_what_is_bought_together() -> None:
    people = [(user, item, YESTERDAY) for user in range(4) for item in (0, 1, 2)]
    baskets = [(basket, item, YESTERDAY) for basket in (4, 5) for item in (0, 2)]
    events = interactions([*people, *baskets], n_people=4, n_baskets=2, n_items=3)

    similar = ItemBased(as_of=AS_OF, degree_power=0).fit(events, items(3)).similar(rows(0), 2)

    assert similar.ids[0].tolist() == [2, 1]


def test_only_the_last_events_of_a_busy_row_count() -> None:
    events = interactions(
        [(0, item, item) for item in range(10)] + [(1, 0, 5)], n_people=2, n_items=10
    )

    kept = events.latest(3)

    assert sorted(zip(kept.users.tolist(), kept.items.tolist(), strict=True)) == [
        (0, 7),
        (0, 8),
        (0, 9),
        (1, 0),
    ]


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="items must be numbers from 0 to 1"):
        interactions([(0, 2, 0)], n_people=1, n_items=2)


@given(
    st.lists(
        st.lists(st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0, 1e-30, 3e38]), min_size=7, max_size=7),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 9),
)
def test_top_k_is_the_sorted_beginning(table: list[list[float]], k: int) -> None:
    ranked = top_k(np.array(table, dtype=np.float32), k)

    for row, ids, scores in zip(table, ranked.ids, ranked.scores, strict=True):
        slow = sorted((-np.float32(score), item) for item, score in enumerate(row) if score > 0)[:k]
        assert [item for item in ids if item != NOTHING] == [item for _, item in slow]
        assert [score for score in scores if score > 0] == [-score for score, _ in slow]
