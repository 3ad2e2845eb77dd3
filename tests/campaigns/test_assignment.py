"""Assignment: the vector file, even shares, independence between campaigns."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.assignment import HOLDOUT, PARTS, arm, bucket, shares

VECTORS = json.loads(
    (Path(__file__).parent / "data" / "assignment_vectors.json").read_text("utf-8")
)
WEIGHTS = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 100), min_size=1)


@pytest.mark.parametrize("vector", VECTORS["buckets"], ids=lambda vector: str(vector["unit"]))
def test_bucket_is_that_of_the_vector_file(vector: dict[str, str | int]) -> None:
    assert bucket(str(vector["salt"]), str(vector["unit"])) == vector["bucket"]


@pytest.mark.parametrize("vector", VECTORS["arms"], ids=str)
def test_arm_is_that_of_the_vector_file(vector: dict[str, int | str | dict[str, int]]) -> None:
    found = arm(vector["bucket"], vector["holdout_ppm"], vector["weights"])  # type: ignore[arg-type]

    assert found == vector["arm"]


@given(st.integers(0, PARTS - 1), WEIGHTS)
def test_shares_end_at_a_million_and_grow(holdout_ppm: int, weights: dict[str, int]) -> None:
    ends = [share.end for share in shares(holdout_ppm, weights)]

    assert ends[0] == holdout_ppm
    assert ends[-1] == PARTS
    assert ends == sorted(ends)


@given(st.integers(0, 500_000), WEIGHTS)
def test_a_variant_gets_its_weight_within_one_bucket(
    holdout_ppm: int, weights: dict[str, int]
) -> None:
    cut = shares(holdout_ppm, weights)
    rest, total = PARTS - holdout_ppm, sum(weights.values())

    for before, share in itertools.pairwise(cut):
        assert abs(share.end - before.end - rest * weights[share.arm] / total) <= 1


def test_order_of_the_weights_changes_nothing() -> None:
    assert shares(1000, {"B": 1, "A": 3}) == shares(1000, {"A": 3, "B": 1})


def test_a_tenth_is_held_out_and_two_salts_are_independent() -> None:
    both = Counter(
        (bucket("one", f"c{n}") < 100_000, bucket("two", f"c{n}") < 100_000) for n in range(50_000)
    )

    # Expected 500 and 4,500; the bounds are four standard deviations.
    assert abs(both[True, True] - 500) < 4 * 22.3
    assert abs(both[True, False] - 4500) < 4 * 64


@pytest.mark.parametrize(
    ("holdout_ppm", "weights"), [(-1, {"A": 1}), (PARTS + 1, {"A": 1}), (0, {}), (0, {"A": 0})]
)
def test_impossible_shares_are_refused(holdout_ppm: int, weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"holdout_ppm|weights"):
        shares(holdout_ppm, weights)


def test_a_bucket_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="bucket"):
        arm(PARTS, 0, {"A": 1})


def test_without_holdout_nobody_is_held_out() -> None:
    assert arm(0, 0, {"A": 1, "B": 1}) == "A"
    assert arm(0, 1, {"A": 1}) == HOLDOUT
