"""What each engine promises of its numbers, checked by hand or a second way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommendations.engines.base import DAY, NOTHING, Interactions, Items
from recommendations.engines.blend import Blend
from recommendations.engines.content import Content, terms_of
from recommendations.engines.ease import Ease
from recommendations.engines.item_based import ItemBased
from recommendations.engines.local_ridge import LocalRidge
from recommendations.engines.memory import Size
from recommendations.engines.next_item import NextItem
from recommendations.engines.popular import Popular
from recommendations.engines.user_based import UserBased
from tests.recommendations.interactions import interactions, rows

AS_OF = 100 * DAY
N_ITEMS, N_PEOPLE = 12, 40


def items(n: int = N_ITEMS) -> Items:
    return Items.plain([f"{number:03}" for number in range(n)])


def random_events(seed: int) -> Interactions:
    random = np.random.default_rng(seed)
    n = 300
    return Interactions(
        random.integers(N_PEOPLE, size=n),
        (random.beta(1, 2, size=n) * N_ITEMS).astype(np.int64),
        AS_OF - random.integers(1, 90, size=n) * DAY,
        N_PEOPLE,
        N_PEOPLE,
        N_ITEMS,
    )


def regressed(events: Interactions, ridge: float) -> np.ndarray:
    """Each item's ridge regression on all others, one after the other, in 64 bits."""
    taken = events.matrix().toarray().astype(np.float64)
    weights = np.zeros((N_ITEMS, N_ITEMS))
    for target in range(N_ITEMS):
        others = np.arange(N_ITEMS) != target
        square = taken[:, others].T @ taken[:, others] + ridge * np.eye(N_ITEMS - 1)
        weights[others, target] = np.linalg.solve(square, taken[:, others].T @ taken[:, target])
    return weights


def test_ease_is_the_ridge_regression_of_each_item_on_all_others() -> None:
    events = random_events(1)

    model = Ease(as_of=AS_OF, ridge=3, degree_power=0, min_people=1).fit(events, items())

    np.testing.assert_allclose(
        model.closeness(np.arange(N_ITEMS)), regressed(events, 3), rtol=1e-4, atol=1e-5
    )


def test_local_ridge_with_every_item_as_a_neighbour_is_ease() -> None:
    events = random_events(2)
    # Items that share nobody are no neighbours, so one person takes everything.
    everything = np.arange(N_ITEMS)
    events = replace(
        events,
        users=np.append(events.users, np.zeros(N_ITEMS, np.int64)),
        items=np.append(events.items, everything),
        at=np.append(events.at, everything),
    )
    engine = LocalRidge(as_of=AS_OF, n_neighbours=N_ITEMS, ridge=3, degree_power=0.5, min_people=1)

    local = engine.fit(events, items()).closeness(np.arange(N_ITEMS))
    whole = Ease(as_of=AS_OF, ridge=3, degree_power=0.5, min_people=1).fit(events, items())

    np.testing.assert_allclose(local, whole.closeness(np.arange(N_ITEMS)), rtol=1e-3, atol=1e-5)


def test_the_product_is_read_the_same_dense_or_sparse_or_made_anew_each_time() -> None:
    events = random_events(2)
    engine = LocalRidge(as_of=AS_OF, n_neighbours=5)
    least = engine.need(Size.of(events)).peak

    dense, sparse, anew = (
        one.fit(events, items()).closeness(np.arange(N_ITEMS))
        for one in (
            engine,
            replace(engine, dense_bytes=0),
            replace(engine, dense_bytes=0, budget_bytes=least),
        )
    )

    assert dense.any()
    np.testing.assert_allclose(dense, sparse, rtol=1e-5)
    np.testing.assert_allclose(dense, anew, rtol=1e-5)


@pytest.mark.parametrize("engine", [Ease(as_of=AS_OF, ridge=1), LocalRidge(as_of=AS_OF, ridge=1)])
def test_no_weight_of_a_regression_stands_on_fewer_than_three_people(
    engine: Ease | LocalRidge,
) -> None:
    events = random_events(4)
    shared = (events.matrix().T @ events.matrix()).toarray()

    weights = engine.fit(events, items()).closeness(np.arange(N_ITEMS))

    assert (shared < 3).any()
    assert not weights[shared < 3].any()
    assert weights[shared >= 3].any()


def test_user_based_scores_are_the_likeness_of_those_who_took_the_item() -> None:
    events = random_events(5)
    taken = events.matrix().toarray().astype(np.float64)
    scaled = taken / np.maximum(taken.sum(axis=0), 1) ** 0.3
    unit = scaled / np.maximum(np.linalg.norm(scaled, axis=1), 1e-9)[:, np.newaxis]
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, 0)
    for row in likeness:
        row[np.argsort(-row, kind="stable")[5:]] = 0

    model = UserBased(as_of=AS_OF, n_neighbours=5, min_people=1).fit(events, items())

    np.testing.assert_allclose(
        model.scores(np.arange(N_PEOPLE)), likeness @ taken, rtol=1e-4, atol=1e-5
    )


def test_an_item_of_fewer_than_three_alike_people_is_shown_to_nobody() -> None:
    alike = [(user, item, 1) for user in range(4) for item in (0, 1)]
    secret = [(0, 2, 1), (1, 2, 1)]
    open_ = [(user, 3, 1) for user in (0, 1, 2)]
    events = interactions([*alike, *secret, *open_], n_people=4, n_items=4)

    ranked = UserBased(as_of=AS_OF).fit(events, items(4)).recommend(rows(3), 4)

    assert ranked.ids[0].tolist() == [3, NOTHING, NOTHING, NOTHING]


def test_next_item_goes_from_the_earlier_to_the_later() -> None:
    events = interactions(
        [(user, item, item) for user in range(3) for item in (0, 1, 2)], n_people=3, n_items=3
    )
    engine = NextItem(
        as_of=AS_OF, reach=2, decay=0.5, back=0.1, degree_power=0, source_power=0, target_power=0
    )

    weights = engine.fit(events, items(3)).closeness(np.arange(3))

    expected = [[0, 3, 1.5], [0.3, 0, 3], [0.15, 0.3, 0]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_next_item_knows_no_order_within_a_moment_and_counts_what_is_newest_most() -> None:
    events = interactions(
        [(user, item, at) for user in range(3) for item, at in ((0, 1), (1, 1), (2, 5))],
        n_people=3,
        n_items=3,
    )
    engine = NextItem(as_of=AS_OF, degree_power=0, source_power=0, target_power=0, recency=0.5)

    model = engine.fit(events, items(3))

    weights = model.closeness(np.arange(3))
    assert weights[0, 1] == weights[1, 0] == pytest.approx(1.5)
    assert model.history.toarray()[0].tolist() == [0.5, 0.5, 1]


def test_content_finds_what_is_described_alike_in_both_scripts_and_never_taken() -> None:
    texts = (
        "Sony WH-1000XM5 降噪耳机",
        "Bose QC45 降噪 耳机",
        "Nikon Z6 II",
        "Sony WH-1000XM4",
        "",
    )
    events = interactions([(0, 0, 1)], n_people=1, n_items=5)
    model = Content(as_of=AS_OF).fit(events, replace(items(5), texts=texts))

    ranked = model.recommend(rows(0), 5)

    assert ranked.ids[0, 0] == 3
    assert ranked.ids[0, 1] == 1
    assert 4 not in ranked.ids[0]


def test_terms_are_words_their_letter_groups_and_chinese_characters_with_their_pairs() -> None:
    assert {"wh", "<wh", "wh>", "降", "降噪", "噪"} <= set(terms_of("ＷＨ 降噪"))
    assert list(terms_of(" \t…")) == []


def test_a_blend_adds_each_part_scaled_to_its_best() -> None:
    events = random_events(6)
    near, popular = ItemBased(as_of=AS_OF), Popular(as_of=AS_OF)
    parts = [engine.fit(events, items()).scores(np.arange(N_PEOPLE)) for engine in (near, popular)]
    best = [np.maximum(part.max(axis=1, keepdims=True), 1e-9) for part in parts]

    blend = Blend(((near, 1.0), (popular, 0.5), (Content(as_of=AS_OF), 0.0)))
    found = blend.fit(events, items()).scores(np.arange(N_PEOPLE))

    np.testing.assert_allclose(found, parts[0] / best[0] + 0.5 * parts[1] / best[1], rtol=1e-5)
