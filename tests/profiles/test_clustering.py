import json
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from profiles.clustering import choosing, fitting, matching
from profiles.clustering.choosing import Evidence, choose
from profiles.clustering.drift import stability_index
from profiles.clustering.model import Model, inertia
from profiles.clustering.scaling import Column, applied, scale, scales


def blobs(n_clusters: int, *, n_each: int = 60) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    dice = np.random.default_rng(4)
    centres = np.array([[np.cos(a), np.sin(a)] for a in np.arange(n_clusters) * 2.4]) * 8
    centres *= np.arange(1, n_clusters + 1)[:, None]
    truth = np.repeat(np.arange(n_clusters), n_each)
    return centres[truth] + dice.normal(size=(len(truth), 2)), truth


def test_scaling_puts_the_median_at_0_and_the_quartiles_a_normal_width_apart() -> None:
    values = np.arange(1, 1002)

    _names, matrix = scale([Column("x", values)])

    assert np.median(matrix) == 0
    assert np.subtract(*np.percentile(matrix, [75, 25])) == pytest.approx(1.349)


def test_an_outlier_is_cut_off_and_a_constant_column_is_left_out() -> None:
    money = np.array([1, 2, 3, 4, 5, 10**12])

    names, matrix = scale([Column("money", money, is_skewed=True), Column("same", money * 0)])

    assert names == ("money",)
    assert matrix.max() == 3


def test_a_column_that_is_mostly_one_value_is_scaled_by_its_standard_deviation() -> None:
    values = np.array([0.0] * 9 + [1.0])

    _names, matrix = scale([Column("rare", values)])

    assert matrix.max() == pytest.approx(min(3, 1 / values.std()))


@given(st.permutations(range(5)))
def test_clusters_are_numbered_by_worth_whatever_the_fit_called_them(names: list[int]) -> None:
    truth = np.repeat(np.arange(5), 4)
    worth = (10 - truth) * 100

    numbers = fitting.numbered(np.array(names, dtype=np.intp)[truth], worth)

    assert numbers.tolist() == (truth + 1).tolist()


def test_known_groups_are_found_again_and_with_the_right_number() -> None:
    matrix, truth = blobs(5)

    chosen = choose(list(choosing.weigh(matrix)))
    assert chosen is not None
    found = fitting.cluster(matrix, chosen.n_clusters)

    assert chosen.n_clusters == 5
    assert adjusted_rand_score(truth, found) > 0.98
    assert (fitting.cluster(matrix, 5) == found).all()


def test_a_fit_on_a_sample_places_everybody() -> None:
    matrix, truth = blobs(3, n_each=200)

    model = fitting.fit(fitting.sample(matrix, 100), 3)

    assert adjusted_rand_score(truth, fitting.predict(model, matrix)) > 0.98


def evidence(n: int, silhouette: float, *, stability: float = 0.9, smallest: int = 100) -> Evidence:
    return Evidence(n, silhouette, stability, smallest, smallest / 1_000)


def chosen(*weighed: Evidence) -> int | None:
    found = choose(weighed)
    return found.n_clusters if found else None


def test_the_finest_of_equally_clear_numbers_is_chosen() -> None:
    assert chosen(evidence(3, 0.30), evidence(4, 0.26), evidence(5, 0.24)) == 4


def test_numbers_that_do_not_come_back_or_leave_crumbs_are_passed_over() -> None:
    shaky, crumbs = evidence(6, 0.5, stability=0.5), evidence(7, 0.5, smallest=9)

    assert chosen(evidence(3, 0.2), shaky, crumbs) == 3
    assert chosen(shaky, evidence(5, 0.1, stability=0.6)) == 5
    assert chosen(evidence(2, 0.9), evidence(3, 0.2)) == 3
    assert chosen(evidence(2, 0.9), shaky) == 2
    assert chosen(crumbs) is None


# From run to run ------------------------------------------------------------------------------


def test_a_cluster_is_the_one_before_with_which_it_shares_most() -> None:
    before = np.array([1, 1, 1, 2, 2, 2, 3, 3])
    after = np.array([2, 2, 2, 1, 1, 3, 3, 3])

    agreement = matching.overlap(before, after, [1, 2, 3], [1, 2, 3])

    assert agreement[0].tolist() == [0, 1, 0]
    assert agreement[1, 0] == pytest.approx(2 / 3)
    assert matching.match(agreement) == {0: 1, 1: 0, 2: 2}


def test_what_agrees_too_little_is_nobody_and_no_old_one_is_given_twice() -> None:
    agreement = np.array([[0.6, 0.5], [0.1, 0.2]])

    assert matching.match(agreement) == {0: 0}
    assert matching.match(agreement, least=0.2) == {0: 0, 1: 1}
    assert matching.match(np.zeros((0, 0))) == {}


@given(st.permutations(range(4)), st.integers(0, 2**32 - 1))
def test_the_best_of_all_assignments_is_found(order: list[int], seed: int) -> None:
    agreement = np.random.default_rng(seed).uniform(0.3, 1, (4, 4))[order]

    found = matching.match(agreement)

    total = sum(agreement[old, new] for new, old in found.items())
    best = max(
        sum(agreement[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(4))
    )
    assert total == pytest.approx(best)


def test_a_model_gives_its_own_customers_their_own_cluster_and_outlives_json() -> None:
    values, truth = blobs(3)
    columns = [Column("x", values[:, 0]), Column("y", values[:, 1])]
    found = scales(columns)
    matrix = applied(found, columns)

    model = Model.from_json(
        json.loads(json.dumps(Model.of(found, matrix, truth + 1, [7, 8, 9]).as_json()))
    )

    assert (model.assign(columns) == truth + 7).all()
    assert model.assign([columns[1], columns[0]]).tolist() == model.assign(columns).tolist()


def test_inertia_is_that_of_k_means() -> None:
    matrix, truth = blobs(3)

    fitted = KMeans(3, n_init=5, random_state=1).fit(matrix)

    assert inertia(matrix, truth) == pytest.approx(fitted.inertia_ / len(matrix), rel=1e-6)


def test_the_stability_index_is_that_of_the_formula() -> None:
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    assert stability_index({1: 0.5, 2: 0.5}, {1: 0.4, 2: 0.6}) == pytest.approx(0.0405465)


def test_the_stability_index_is_0_without_change_and_the_same_both_ways() -> None:
    before, after = {1: 0.2, 2: 0.8}, {1: 0.7, 3: 0.3}

    assert stability_index(before, before) == 0
    assert stability_index(before, after) == pytest.approx(stability_index(after, before))
    assert stability_index(before, after) > 1
