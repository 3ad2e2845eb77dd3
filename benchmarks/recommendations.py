"""Recommendations on a synthetic shop: neighbours beside `implicit`, EASE, lists for everybody.

Each of these parts runs in a process of its own, on one thread, and tells the CPU seconds of its
work and the peak memory of the whole process; the data are made beforehand. Parts that serve are
`recommendation_serving`'s. `--only items,ease,batch,read,online,http`.
"""

from __future__ import annotations

import json
import os
import resource
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
SERVING = ("read", "online", "http")
PARTS = ("items", "ease", "batch", *SERVING)
SEED = 7
GB = 1024  # of MB
ITEMS = ("items", "items of three", "implicit")
SUBJECTS = {"items": ITEMS, "ease": ("ease",), "batch": ("batch",)}
BUDGETS = {
    "items: CPU seconds / implicit's": 1.0,
    "items: peak RSS, MB / implicit's": 1.0,
    "ease: peak RSS, MB": 1.2 * GB,
    "batch: CPU seconds": 40.0,
}
NOTES = ("the aim of read is 2.2 times hello",)


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
        notes=NOTES,
    )


def _learned(parts: Sequence[str], n_customers: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the figures and budgets of the parts that learn, each in a process of its own."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        if parts:
            _measured("data", folder, n_customers)
        for subject in (one for part in parts for one in SUBJECTS[part]):
            cpu, rss, *more = _measured(subject, folder, n_customers)
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
        return nearest(Product.plain(unit, matrix, least), K, BLOCK_BYTES)

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
    }[subject]()
    began = time.process_time()
    work()
    used = time.process_time() - began
    return [used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
