"""The gate of branches counts by package, and only branches."""

from __future__ import annotations

from typing import Any

from tests.branches import Branches, counted, lines, pure_packages, too_low


def file(total: int, reached: int) -> dict[str, Any]:
    return {"summary": {"num_branches": total, "covered_branches": reached, "num_statements": 999}}


FILES = {
    "inference/means.py": file(10, 10),
    "privacy/finder.py": file(20, 17),
    "privacy/finders/other.py": file(50, 0),
    "campaigns/rendering/a.py": file(8, 8),
    "campaigns/rendering/deep/b.py": file(2, 0),
}


def test_a_package_is_its_files_at_any_depth_and_a_module_its_own_file() -> None:
    assert counted(FILES, "campaigns.rendering") == Branches(10, 8)
    assert counted(FILES, "privacy.finder") == Branches(20, 17)


def test_a_good_package_does_not_make_up_for_a_poor_one() -> None:
    names = ["inference", "privacy.finder", "campaigns.rendering"]
    found = {name: counted(FILES, name) for name in names}
    assert too_low(found) == ["privacy.finder", "campaigns.rendering"]
    assert too_low({"at the bar": Branches(10, 9), "without branches": Branches(0, 0)}) == []


def test_what_is_measured_is_what_the_import_contract_calls_pure() -> None:
    assert {"inference", "privacy.crypto", "privacy.finder"} <= set(pure_packages())
    assert lines("tests") > 1000
