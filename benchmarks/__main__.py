"""`python -m benchmarks [name ...]`: run benchmarks, print ratios, fail past a budget."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import frame

NAMES = (
    "startup",
    "finder",
    "imports",
    "embedded",
    "privacy",
    "rotation",
    "resuming",
    "audit",
    "recommendations",
    "campaigns",
)
# These take their sizes from the command line; together they are the customer side.
SIZED = ("ingest", "features", "clustering", "traits", "segments")
PROFILES = "profiles"


def facts() -> str:
    return " · ".join(f"{name} {value}" for name, value in frame.machine().items())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*NAMES, *SIZED, PROFILES, []], help="all, unless named"
    )
    parser.add_argument("--events", type=int, help="of ingest, features and segments")
    parser.add_argument(
        "--customers", type=int, help="of features, clustering, traits, segments and campaigns"
    )
    parser.add_argument("--only", default="", help="parts of recommendations: items,ease,…")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures here")
    parser.add_argument(
        "--orders", type=Path, metavar="FILE", help="have the imports take this real file"
    )
    parser.add_argument(
        "--runs", type=int, default=frame.RUNS, help="imports: how often; the median counts"
    )
    options = parser.parse_args()
    if options.orders and not options.orders.is_file():
        parser.error(f"there is no {options.orders}")
    print(facts())
    results: list[frame.Result] = []
    asked = {"n_events": options.events, "n_customers": options.customers}
    sizes = {name: size for name, size in asked.items() if size}
    takes = dict.fromkeys(SIZED, sizes) | {
        "imports": {"orders": options.orders, "runs": options.runs},
    }
    takes["campaigns"] = sizes
    takes["recommendations"] = {**sizes, "only": options.only}
    for name in _wanted(options.names):
        run = importlib.import_module(f"benchmarks.{name}").run
        result: frame.Result = run(**takes.get(name, {}))
        results.append(result)
        print(f"\n{result.name}")
        for figure, value in result.figures.items():
            budget = result.budgets.get(figure)
            print(f"  {figure:44} {value:12.4g}" + (f"   budget {budget:g}" if budget else ""))
        for note in (*result.notes, *(f"OVER BUDGET: {text}" for text in result.broken())):
            print(f"  {note}")
    if options.json:
        options.json.write_text(frame.as_json(results), encoding="utf-8")
    return int(any(result.broken() for result in results))


def _wanted(names: list[str]) -> list[str]:
    """The benchmarks to run, each once, with those of a group in the group's place."""
    named = names or [*NAMES, *SIZED]
    return list(
        dict.fromkeys(one for name in named for one in (SIZED if name == PROFILES else [name]))
    )


if __name__ == "__main__":
    sys.exit(main())
