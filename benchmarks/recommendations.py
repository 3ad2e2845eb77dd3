"""Recommendations on a synthetic shop: neighbours beside `implicit`, EASE, lists for everybody.

Each of these parts runs in a process of its own, on one thread, and tells the CPU seconds of its
work and the peak memory of the whole process; the data are made beforehand. `sklearn` sets lists
of our item-based filtering beside those of a pivot table and scikit-learn's cosines, with the
nDCG@20 of both. Parts that serve are `recommendation_serving`'s.
`--only items,ease,batch,sklearn,read,online,http`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import recommendation_serving
from benchmarks.frame import ROOT, Result, python

N_PEOPLE, N_ITEMS, N_EVENTS = 34_623, 26_744, 5_000_000
N_EASE, N_CUSTOMERS = 10_000, 138_493
K, N_LISTED = 100, 50
N_DENSE_PEOPLE, N_DENSE_ITEMS, N_DENSE_LISTED = 6_000, 3_000, 20
N_GROUPS, TASTE = 12, 8
SERVING = ("read", "online", "http")
PARTS = ("items", "ease", "batch", "sklearn", *SERVING)
SEED = 7
GB = 1024  # of MB
ITEMS = ("items", "items of three", "implicit")
SUBJECTS = {"items": ITEMS, "ease": ("ease",), "batch": ("batch",), "sklearn": ("sparse", "dense")}
ROUNDS = {"items": 3}
BUDGETS = {
    "items: CPU seconds / implicit's": 1.0,
    "items: peak RSS, MB / implicit's": 1.0,
    "ease: peak RSS, MB": 1.2 * GB,
    "batch: CPU seconds": 40.0,
}


def run(n_customers: int = N_CUSTOMERS, only: str = "", **_others: int) -> Result:
    parts = only.split(",") if only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--only: no part {', '.join(sorted(unknown))}; there are {PARTS}")
    figures, budgets = _learned([part for part in parts if part in SUBJECTS], n_customers)
    if served := [part for part in parts if part in SERVING]:
        more, most = recommendation_serving.figures(served)
        figures, budgets = figures | more, budgets | most
    return Result(
        name=f"recommendations: {N_PEOPLE:,} people, {N_ITEMS:,} items, {N_EVENTS:,} purchases;"
        f" EASE of {N_EASE:,}; lists for {n_customers:,}",
        figures=figures,
        budgets=budgets,
    )


def _learned(parts: Sequence[str], n_customers: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the figures and budgets of the parts that learn, each in a process of its own."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        if parts:
            _measured("data", folder, n_customers)
        for part in parts:
            rounds: dict[str, list[list[float]]] = {subject: [] for subject in SUBJECTS[part]}
            for subject in SUBJECTS[part] * ROUNDS.get(part, 1):
                rounds[subject].append(_measured(subject, folder, n_customers))
            for subject, samples in rounds.items():
                cpu, rss, *more = map(statistics.median, zip(*samples, strict=True))
                figures |= {f"{subject}: CPU seconds": cpu, f"{subject}: peak RSS, MB": rss}
                figures |= {f"{subject}: nDCG@20": value for value in more}
    for name in ("CPU seconds", "peak RSS, MB"):
        if "items" in parts:
            ours, theirs = figures[f"items: {name}"], figures[f"implicit: {name}"]
            figures[f"items: {name} / implicit's"] = ours / theirs
    return figures, {name: most for name, most in BUDGETS.items() if name in figures}


def _measured(subject: str, folder: str, n_customers: int) -> list[float]:
    done = subprocess.run(
        python("-m", "benchmarks.recommendations", subject, folder, str(n_customers)),
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _make(path: Path) -> None:
    """Items by Zipf under shuffled numbers, people by a lognormal; no pair twice."""
    import numpy as np

    dice = np.random.default_rng(SEED)
    people = dice.lognormal(0, 1, N_PEOPLE)
    items = 1 / np.arange(1, N_ITEMS + 1)
    n = int(N_EVENTS * 1.8)
    who = dice.choice(N_PEOPLE, n, p=people / people.sum()).astype(np.int64)
    what = dice.permutation(N_ITEMS)[dice.choice(N_ITEMS, n, p=items / items.sum())]
    pairs = np.unique(who * N_ITEMS + what)
    dice.shuffle(pairs)
    np.save(path, np.sort(pairs[:N_EVENTS]))


def _matrix(path: Path) -> Any:
    import numpy as np
    import scipy.sparse as sp

    pairs = np.load(path)
    ones = np.ones(len(pairs), np.float32)
    return sp.csr_array((ones, (pairs // N_ITEMS, pairs % N_ITEMS)), shape=(N_PEOPLE, N_ITEMS))


def _neighbours(path: Path, least: int) -> Callable[[], object]:
    import numpy as np

    from recommendations.engines import cooccurrence
    from recommendations.engines.base import BLOCK_BYTES
    from recommendations.engines.nearest import Product, nearest

    matrix = _matrix(path)

    def work() -> object:
        degree = np.maximum(np.asarray(matrix.sum(axis=0)), 1).astype(np.float32)
        unit = cooccurrence.scaled(matrix.T.tocsr(), source=degree ** np.float32(-0.5))
        people = matrix if least > 1 else None
        return nearest(Product.plain(unit, people, least), K, BLOCK_BYTES)

    return work


def _implicit(path: Path) -> Callable[[], object]:
    import scipy.sparse as sp
    from implicit.nearest_neighbours import CosineRecommender

    matrix = sp.csr_matrix(_matrix(path))
    warnings.simplefilter("ignore")
    # Its neighbours hold the item itself.
    model = CosineRecommender(K=K + 1, num_threads=1)
    return lambda: model.fit(matrix, show_progress=False)


def _ease(path: Path) -> Callable[[], object]:
    import numpy as np

    from recommendations.engines.base import Interactions, Items
    from recommendations.engines.ease import Ease

    pairs = np.load(path)
    pairs = pairs[pairs % N_ITEMS < N_EASE]
    at = np.zeros(len(pairs), np.int64)
    data = Interactions(pairs // N_ITEMS, pairs % N_ITEMS, at, N_PEOPLE, N_PEOPLE, N_EASE)
    items = Items.plain([f"{n:05}" for n in range(N_EASE)])
    engine = Ease(as_of=1, budget_bytes=2 * 2**30)
    return lambda: engine.fit(data, items)


def _batch(path: Path, n_customers: int) -> Callable[[], object]:
    """Lists by item-based weights; people beyond those of the data have a like history."""
    import numpy as np
    import scipy.sparse as sp

    from recommendations.engines.base import BLOCK_BYTES, Items
    from recommendations.engines.ranking import LinearModel

    matrix = _matrix(path)
    dice = np.random.default_rng(SEED)
    shape = (N_ITEMS, K)
    columns = np.sort(dice.integers(N_ITEMS, size=shape), axis=1).ravel()
    rows = np.repeat(np.arange(N_ITEMS), K)
    values = dice.random(N_ITEMS * K, dtype=np.float32)
    weights = sp.csr_array((values, (rows, columns)), shape=(N_ITEMS, N_ITEMS))
    items = Items.plain([f"{n:05}" for n in range(N_ITEMS)])
    model = LinearModel(matrix, items, BLOCK_BYTES, matrix, weights)
    users = np.arange(n_customers) % N_PEOPLE
    step = 5_000

    def work() -> object:
        for start in range(0, n_customers, step):
            model.recommend(users[start : start + step], N_LISTED)
        return None

    return work


def _split() -> tuple[list[Any], list[Any]]:
    """What each of some people took, few enough for a pivot table, and a fifth of it to foresee.

    People have tastes: of the items of their own group they take more.
    """
    import numpy as np

    dice = np.random.default_rng(SEED)
    own = dice.integers(N_GROUPS, size=N_DENSE_PEOPLE)
    group = dice.integers(N_GROUPS, size=N_DENSE_ITEMS)
    liked = 1 / np.arange(1, N_DENSE_ITEMS + 1) ** 0.8
    train, test = [], []
    for person in range(N_DENSE_PEOPLE):
        weights = liked * np.where(group == own[person], TASTE, 1)
        n = min(200, int(dice.lognormal(3.2, 0.8)) + 5)
        took = dice.choice(N_DENSE_ITEMS, n, replace=False, p=weights / weights.sum())
        held = max(1, n // 5)
        train.append(took[held:])
        test.append(took[:held])
    return train, test


def _sparse() -> Callable[[], Any]:
    """Our item-based filtering, with its usual settings."""
    import numpy as np

    from recommendations.engines.base import Interactions, Items
    from recommendations.engines.item_based import ItemBased

    train, _test = _split()
    who = np.repeat(np.arange(len(train)), [len(one) for one in train])
    what = np.concatenate(train)
    at = np.zeros(len(who), np.int64)
    data = Interactions(who, what, at, len(train), len(train), N_DENSE_ITEMS)
    items = Items.plain([f"{n:05}" for n in range(N_DENSE_ITEMS)])

    def work() -> Any:
        model = ItemBased(as_of=1, min_people=1).fit(data, items)
        return model.recommend(np.arange(len(train)), N_DENSE_LISTED).ids

    return work


def _dense() -> Callable[[], Any]:
    """A pivot table of people and items, and the cosines of its rows: like people's items."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics.pairwise import cosine_similarity

    train, _test = _split()
    who = np.repeat(np.arange(len(train)), [len(one) for one in train])
    frame = pd.DataFrame({"user": who, "item": np.concatenate(train), "rating": 1.0})

    def work() -> Any:
        table = frame.pivot_table(index="user", columns="item", values="rating", fill_value=0)
        taken = table.to_numpy()
        near = cosine_similarity(taken)
        np.fill_diagonal(near, 0)
        scores = near @ taken
        scores[taken > 0] = -1
        best = np.argsort(-scores, axis=1, kind="stable")[:, :N_DENSE_LISTED]
        return table.columns.to_numpy()[best]

    return work


def _ndcg(shown: Any) -> float:
    import numpy as np

    _train, test = _split()
    gains = 1 / np.log2(np.arange(2, N_DENSE_LISTED + 2))
    found = [
        gains[np.isin(row, wanted)].sum() / gains[: len(wanted)].sum()
        for row, wanted in zip(shown, test, strict=True)
    ]
    return float(np.mean(found))


def measure(subject: str, folder: str, n_customers: int) -> list[float]:
    path = Path(folder) / "pairs.npy"
    if subject == "data":
        _make(path)
        return []
    work = {
        "items": lambda: _neighbours(path, 1),
        "items of three": lambda: _neighbours(path, 3),
        "implicit": lambda: _implicit(path),
        "ease": lambda: _ease(path),
        "batch": lambda: _batch(path, n_customers),
        "sparse": _sparse,
        "dense": _dense,
    }[subject]()
    began = time.process_time()
    made = work()
    used = time.process_time() - began
    told = [used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
    return [*told, _ndcg(made)] if subject in SUBJECTS["sklearn"] else told


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
