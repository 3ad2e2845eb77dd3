"""How much of each pure package its tests reach, by branches, and how much test there is.

`python -m tests.branches` reads the measurement that `make coverage` has just taken, prints a
line a package, and fails if one is below the bar; `--packages` names them for `coverage run`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BAR = 0.9
CONTRACT = "Pure packages know no framework"
APPS = ("campaigns", "config", "inference", "jobs", "privacy", "profiles", "recommendations")


@dataclass(frozen=True)
class Branches:
    """Branches of one package; a package without any is reached."""

    total: int
    reached: int

    @property
    def rate(self) -> float:
        return self.reached / self.total if self.total else 1.0


def pure_packages() -> list[str]:
    """The packages that the import contract calls pure, so that a new one is measured too."""
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = read["tool"]["importlinter"]["contracts"]
    (found,) = [one["source_modules"] for one in contracts if one["name"] == CONTRACT]
    return sorted(found)


def counted(files: Mapping[str, Mapping[str, Any]], package: str) -> Branches:
    """Add up the files of a package from a report of `coverage json`."""
    path = package.replace(".", "/")
    of_it = [
        file["summary"]
        for name, file in files.items()
        if name == f"{path}.py" or name.startswith(f"{path}/")
    ]
    return Branches(
        sum(file["num_branches"] for file in of_it), sum(file["covered_branches"] for file in of_it)
    )


def too_low(found: Mapping[str, Branches]) -> list[str]:
    return [name for name, branches in found.items() if branches.rate < BAR]


def lines(*folders: str) -> int:
    """Lines of Python that say something, without migrations."""
    return sum(
        bool(line.strip())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", action="store_true")
    if parser.parse_args().packages:
        print(",".join(pure_packages()))  # noqa: T201
        return 0
    found = {name: counted(_measured(), name) for name in pure_packages()}
    for name, branches in found.items():
        print(f"{name:28}{branches.reached:5} of {branches.total:4} branches, {branches.rate:.1%}")  # noqa: T201
    tests, source = lines("tests"), lines(*APPS)
    print(f"tests / source: {tests:,} / {source:,} lines = {tests / source:.2f}")  # noqa: T201
    if low := too_low(found):
        print(f"Below {BAR:.0%}: {', '.join(low)}")  # noqa: T201
    return int(bool(low))


def _measured() -> Mapping[str, Mapping[str, Any]]:
    """Every file under a pure package; one that no test loads counts with no branch reached."""
    import json
    import tempfile

    from coverage import Coverage

    coverage = Coverage()
    coverage.load()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        coverage.json_report(outfile=file.name)
        files: Mapping[str, Mapping[str, Any]] = json.loads(Path(file.name).read_text("utf-8"))[
            "files"
        ]
    return files


if __name__ == "__main__":
    sys.exit(main())
