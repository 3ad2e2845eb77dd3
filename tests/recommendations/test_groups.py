"""Figures of groups: against a second way of computing them, and what must always hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference import means
from inference.means import Moments
from recommendations.engines.blend import Blend
from recommendations.engines.ease import MOST_ITEMS
from recommendations.engines.memory import Size
from recommendations.evaluation import data
from recommendations.evaluation.contenders import (
    CONTENDERS,
    budgeted,
    engine_of,
    regression_for,
    spec_of,
)
from recommendations.evaluation.groups import Quality, bands, exposure, quality, sizes


def people(seed: int = 3) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    groups = ["f"] * 400 + ["m"] * 300 + [""] * 100 + ["x"] * 4
    worth = {"f": 0.5, "m": 0.25, "": 0.4, "x": 0.4}
    values = np.clip([random.normal(worth[one], 0.2) for one in groups], 0, 1)
    return values, groups


def of(found: list[Quality], group: str) -> Quality:
    return next(one for one in found if one.group == group)


def test_levels_gaps_and_ratios_agree_with_means_and_fieller() -> None:
    values, groups = people()
    names = np.array(groups)

    found = quality(values, groups)

    men = of(found, "m")
    sample, others = values[names == "m"], values[names != "m"]
    assert men.n == 300
    assert men.level.value == pytest.approx(sample.mean())
    student = means.interval(Moments.of(sample))
    assert men.level.low == pytest.approx(student.low, abs=0.003)
    assert men.gap is not None
    assert men.ratio is not None
    # Four people of one group are too few to tell: they join the smallest, so their mean is not shown.
    kept = values[names != "x"]
    assert men.gap.value == pytest.approx(sample.mean() - others.mean(), abs=0.001)
    told = means.lift(Moments.of(others), Moments.of(sample), confidence=0.975)
    assert told is not None
    assert men.ratio.low == pytest.approx(told.low + 1, abs=0.02)
    assert men.ratio.high == pytest.approx(told.high + 1, abs=0.02)
    assert men.ratio.high < 0.8
    assert len(kept) == 800


def test_small_groups_are_not_told_and_those_not_known_not_compared() -> None:
    values, groups = people()

    found = quality(values, groups)

    assert "x" not in {one.group for one in found}
    unknown = [one for one in found if one.group == ""]
    assert all(one.gap is None and one.ratio is None for one in unknown)
    assert sum(one.n for one in found) == len(groups)
    assert quality(values[:9], groups[:9]) == []
    [alone] = quality(values[:400], groups[:400])
    assert (alone.gap, alone.ratio) == (None, None)


def test_two_groups_with_names_swapped_give_the_mirrored_gap() -> None:
    values, groups = people()
    two = [(value, one) for value, one in zip(values, groups, strict=True) if one in "fm" and one]
    numbers, names = np.array([value for value, _ in two]), [one for _, one in two]

    found = quality(numbers, names)

    women, men = of(found, "f").gap, of(found, "m").gap
    assert women is not None
    assert men is not None
    assert women.value == pytest.approx(-men.value)
    assert women.low == pytest.approx(-men.high)


def test_exposure_falls_with_the_place_and_its_shares_add_up() -> None:
    ranked = np.array([[0, 1, -1], [0, 2, 1]])
    classes = ["a", "b", "b", ""]
    sold = np.array([1, 1, 2, 4])

    found = {one.group: one for one in exposure(ranked, 3, classes, sold)}

    first, second, third = 1.0, 1 / np.log2(3), 0.5
    assert found["a"].exposure.value == pytest.approx(
        (first / (first + second) + first / (first + second + third)) / 2
    )
    assert sum(one.exposure.value for one in found.values()) == pytest.approx(1)
    assert (found["b"].n_products, found["b"].catalogue, found["b"].sales) == (2, 0.5, 0.375)
    assert found[""].exposure.value == 0
    assert found["a"].ratio is not None
    assert found["a"].ratio.value == pytest.approx(found["a"].exposure.value / 0.125)


def test_of_many_brands_those_that_sell_least_are_one() -> None:
    classes = [f"b{n:02}" for n in range(30)]
    sold = np.arange(30, 0, -1)

    found = exposure(np.arange(30)[np.newaxis, :], 30, classes, sold)

    assert len(found) == 12
    assert next(one.n_products for one in found if one.group == "others") == 19


def test_price_bands_keep_equal_prices_together_and_know_what_is_not_known() -> None:
    assert bands(np.array([1.0, 2, 3, 4, 5, np.nan])) == ["1", "2", "3", "4", "5", ""]
    assert len(set(bands(np.array([7.0] * 9)))) == 1
    assert bands(np.array([np.nan])) == [""]


def test_sellers_are_large_till_half_of_what_is_sold_and_small_from_four_fifths_on() -> None:
    brands = ["a", "b", "c", "d", "", "a"]

    assert sizes(brands, np.array([40, 30, 15, 5, 9, 10])) == [
        "large", "middle", "small", "small", "", "large",
    ]  # fmt: skip


def test_a_file_of_users_gives_groups_and_bands_of_age(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("customer,age,gender\nu1,27,f\nu2,,m\nu3,61,\n", encoding="utf-8")

    assert data.of_users(file) == {
        "age": {"u1": "25-34", "u2": "", "u3": "55-64"},
        "gender": {"u1": "f", "u2": "m", "u3": ""},
    }


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("name,age\nu1,27\n", "must name customer"),
        ("customer\nu1\n", "a column of groups"),
        ("customer,gender\nu1,f\nu1,m\n", "line 3 names a customer a second time"),
        ("customer,age\nu1,27\nu2,young\n", "line 3: an age is a whole number"),
        ("", "the file is empty"),
    ],
)
def test_a_file_of_users_that_cannot_be_read_names_the_line(
    tmp_path: Path, lines: str, told: str
) -> None:
    file = tmp_path / "users.csv"
    file.write_text(lines, encoding="utf-8")

    with pytest.raises(data.DataError, match=told):
        data.of_users(file)


def test_what_is_told_of_an_engine_makes_it_anew_within_any_budget() -> None:
    blend = Blend(tuple((contender.start, 0.5) for contender in CONTENDERS.values()))

    again = engine_of(spec_of(blend))

    assert budgeted(again, 2**30) == budgeted(blend, 2**30)


def test_the_regression_is_ease_where_it_fits() -> None:
    few, many = (Size(1_000, 1_000, n_items, 50_000, 200_000) for n_items in (500, MOST_ITEMS + 1))

    assert regression_for(few, 2**30) == "ease"
    assert regression_for(few, 2**20) == "local_ridge"
    assert regression_for(many, 2**40) == "local_ridge"
