"""Whether recommendations push what everybody buys anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def gini(counts: Sequence[float]) -> float:
    """Return how unevenly recommendations fall on products: 0 all alike, near 1 all on one.

    Give a count for every product of the catalogue, 0 for those never shown.

    Source: C. Gini (1912), in the form of D. Fleder and K. Hosanagar, Management Science 55
    (2009) 697-712.
    """
    ordered = sorted(counts)
    n, total = len(ordered), sum(ordered)
    if not total:
        return 0.0
    weighted = sum(place * count for place, count in enumerate(ordered, start=1))
    return 2 * weighted / (n * total) - (n + 1) / n


def average_popularity(products: Sequence[str], popularity: Mapping[str, float]) -> float:
    """Return the mean popularity of the products of a list, 0 for those unknown.

    Source: H. Abdollahpouri, R. Burke, B. Mobasher, Managing Popularity Bias in Recommender
    Systems with Personalized Re-ranking, FLAIRS 2019 (average recommendation popularity).
    """
    return sum(popularity.get(product, 0.0) for product in products) / len(products)


def popularity_lift(bought: float, recommended: float) -> float:
    """Return by how much more popular things are recommended to a group than it buys.

    Both are means over the group's people of `average_popularity`; 0 is none, 0.5 half more.

    Source: H. Abdollahpouri, M. Mansoury, R. Burke, B. Mobasher, The Connection Between
    Popularity Bias, Calibration, and Fairness in Recommendation, RecSys 2020.
    """
    return (recommended - bought) / bought
