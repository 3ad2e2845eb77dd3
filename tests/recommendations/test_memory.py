"""The memory of a fit: told before it begins, kept to, and refused with what would fit."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from recommendations.engines.base import DAY, Engine, Interactions, Items
from recommendations.engines.blend import Blend
from recommendations.engines.content import Content
from recommendations.engines.ease import Ease
from recommendations.engines.item_based import ItemBased
from recommendations.engines.local_ridge import LocalRidge
from recommendations.engines.memory import Size, TooLargeError, told
from recommendations.engines.next_item import NextItem
from recommendations.engines.popular import Popular
from recommendations.engines.user_based import UserBased

AS_OF = 100 * DAY
BLOCK = 2**20
GB = 2**30
ENGINES: list[Engine] = [
    Popular(as_of=AS_OF, block_bytes=BLOCK),
    ItemBased(as_of=AS_OF, n_neighbours=100, block_bytes=BLOCK),
    ItemBased(as_of=AS_OF, n_neighbours=100, min_people=1, target_power=0.4, block_bytes=BLOCK),
    UserBased(as_of=AS_OF, block_bytes=BLOCK),
    Ease(as_of=AS_OF, block_bytes=BLOCK),
    LocalRidge(as_of=AS_OF, n_neighbours=50, block_bytes=BLOCK),
    LocalRidge(as_of=AS_OF, n_neighbours=50, dense_bytes=0, block_bytes=BLOCK),
    NextItem(as_of=AS_OF, block_bytes=BLOCK),
    Content(as_of=AS_OF, block_bytes=BLOCK),
    Blend(
        (
            (ItemBased(as_of=AS_OF, block_bytes=BLOCK), 1.0),
            (Ease(as_of=AS_OF, block_bytes=BLOCK), 0.5),
        ),
        block_bytes=BLOCK,
    ),
]


def shop(*, n_people: int = 1_500, n_items: int = 2_000, n_events: int = 40_000) -> Interactions:
    random = np.random.default_rng(5)
    return Interactions(
        random.integers(n_people, size=n_events),
        (random.beta(1, 4, size=n_events) * n_items).astype(np.int64),
        AS_OF - random.integers(1, 90 * DAY, size=n_events),
        n_people,
        n_people,
        n_items,
    )


def items(n: int) -> Items:
    words = np.random.default_rng(6).integers(9_999, size=(n, 12))
    texts = (" ".join(f"word{word}" for word in row) for row in words)
    return Items.plain([f"{n:05}" for n in range(n)], tuple(texts))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_fit_keeps_to_its_budget_and_was_not_far_off(engine: Engine) -> None:
    events = shop()
    budget = engine.need(Size.of(events)).peak
    engine = replace(engine, budget_bytes=budget)  # type: ignore[type-var]
    engine.fit(shop(n_people=9, n_items=9, n_events=90), items(9))  # what imports take is no fit's

    tracemalloc.start()
    engine.fit(events, items(2_000))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert budget / 8 < taken <= budget


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_budget_that_is_too_small_is_refused_before_anything_is_made(engine: Engine) -> None:
    facts: Interactions = shop()
    needed = engine.need(Size.of(facts)).peak
    tight: Engine = replace(engine, budget_bytes=needed - 1)  # type: ignore[type-var]

    tracemalloc.start()
    with pytest.raises(TooLargeError, match=rf"{engine.name} needs .* for 2,000 products"):
        tight.fit(facts, items(2_000))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert taken < 2**20 + 8 * len(facts)


def test_the_refusal_names_what_fits() -> None:
    size = Size(n_people=50_000, n_rows=50_000, n_items=22_000, n_events=400_000, n_pairs=10**7)
    ease = Ease(as_of=AS_OF)
    few = Interactions(*(np.zeros(1, np.int64),) * 3, 1, 1, 22_000)

    with pytest.raises(TooLargeError) as refused:
        ease.fit(few, items(0))

    assert str(refused.value) == (
        "ease needs 1.9 GB for 22,000 products; 15,861 fit in 1 GB; local_ridge fits all"
    )
    assert ease.need(replace(size, n_items=15_000)).peak < GB < ease.need(size).peak
    assert LocalRidge(as_of=AS_OF).need(size).peak < GB


def test_ten_thousand_products_fit_a_gigabyte_with_millions_of_purchases() -> None:
    size = Size(n_people=34_623, n_rows=34_623, n_items=10_000, n_events=3_000_000, n_pairs=10**9)

    assert Ease(as_of=AS_OF).need(size).peak < 1.2 * GB


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "1 MB"), (340 * 2**20, "340 MB"), (GB, "1 GB"), (int(1.94 * GB), "1.9 GB")],
)
def test_memory_is_told_as_people_say_it(n_bytes: int, words: str) -> None:
    assert told(n_bytes) == words
