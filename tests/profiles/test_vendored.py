"""The rule builder that is built from elsewhere stands with its version and its licences."""

from __future__ import annotations

import json
from pathlib import Path

from profiles.admin.rule_form import LIBRARY

PROFILES = Path(__file__).parents[2] / "profiles"
BUILT = (PROFILES / "static" / LIBRARY).parent
SOURCE = PROFILES / "static_src" / "react-querybuilder"


def test_the_version_in_use_is_the_one_the_build_names_with_its_licences() -> None:
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    licences = (BUILT / "LICENSES.txt").read_text()

    assert BUILT.name == wanted["react-querybuilder"]
    assert [f"{name} {version} (MIT)" in licences for name, version in wanted.items()] == [True] * 3
    assert "resolved" not in (SOURCE / "package-lock.json").read_text()


def test_the_library_needs_no_eval() -> None:
    text = (BUILT / Path(LIBRARY).name).read_text()

    assert "new Function(" not in text
    assert "eval(" not in text
