"""Clusters of all customers as a build makes them, against k-means on all of them at once.

The floor is scikit-learn's KMeans with one start on every customer. Ours fits on a sample with
several starts and predicts the rest; it may be neither worse nor slower.
"""

from __future__ import annotations

import json
import os
from subprocess import run as run_process

from benchmarks.frame import ENVIRONMENT, ROOT, Result, python

N_CUSTOMERS = 300_000
N_COLUMNS = 20
N_CLUSTERS = 8
RUNS = 3
CODE = """
import json, sys, time
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from profiles.clustering import fitting
n, n_columns, k = map(int, sys.argv[2:5])
dice = np.random.default_rng(7)
centres = dice.normal(size=(k + 4, n_columns))  # more kinds of people than clusters, and overlap
matrix = np.clip(centres[dice.integers(len(centres), size=n)]
                 + dice.normal(size=(n, n_columns)) * dice.lognormal(0, 0.3, size=(n, 1)), -3, 3)
def inertia(labels):
    return float(sum(((matrix[labels == one] - matrix[labels == one].mean(axis=0)) ** 2).sum()
                     for one in np.unique(labels)))
started, cpu = time.perf_counter(), time.process_time()
if sys.argv[1] == "ours":
    labels = fitting.cluster(matrix, k)
else:
    with threadpool_limits(limits=1):
        labels = KMeans(k, n_init=1, random_state=int(sys.argv[5])).fit(matrix).labels_
used = time.process_time() - cpu
print(json.dumps([time.perf_counter() - started, used, inertia(labels)]))
"""


def run(n_customers: int = N_CUSTOMERS, **_others: int) -> Result:
    found: dict[str, list[list[float]]] = {"ours": [], "full": []}
    for turn in range(RUNS):
        for who, results in found.items():
            sizes = map(str, (n_customers, N_COLUMNS, N_CLUSTERS, turn))
            done = run_process(
                python("-c", CODE, who, *sizes),
                cwd=ROOT,
                env={**_environ(), **ENVIRONMENT},
                capture_output=True,
                text=True,
                check=True,
            )
            results.append(json.loads(done.stdout))
    (_wall, ours_cpu, ours), (_full_wall, full_cpu, full) = (_median(one) for one in found.values())
    return Result(
        name=f"clustering: {n_customers:,} x {N_COLUMNS} into {N_CLUSTERS} / KMeans on all, one start",
        figures={
            "CPU seconds": ours_cpu,
            "KMeans CPU seconds": full_cpu,
            "CPU / KMeans CPU": ours_cpu / full_cpu,
            "inertia / KMeans inertia": ours / full,
        },
        budgets={"CPU / KMeans CPU": 1, "inertia / KMeans inertia": 1},
    )


def _median(results: list[list[float]]) -> list[float]:
    return [sorted(column)[len(column) // 2] for column in zip(*results, strict=True)]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
