"""What others wrote and is kept here is as they wrote it, and says whose it is."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.places import ROOT, tracked

SUMS = "SHA256SUMS"
MINIFIED_LINE = 1_000


def listed() -> dict[str, str]:
    """Path to digest, from every list of checksums."""
    return {
        str(Path(name).with_name(of_what)): digest
        for name in tracked()
        if Path(name).name == SUMS
        for digest, of_what in map(str.split, lines(name))
    }


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["config/static/unfold/js/alpine/alpine.js",
                                  "tests/data/online_retail_sample.csv"])  # fmt: skip
def test_known_files_of_others_are_listed(name: str) -> None:
    assert name in listed()


def test_every_file_that_is_listed_is_as_its_checksum_says() -> None:
    differing = {
        name
        for name, digest in listed().items()
        if sha256((ROOT / name).read_bytes()).hexdigest() != digest
    }
    assert differing == set()


def test_a_packed_script_or_style_is_listed_and_has_its_licence_beside_it() -> None:
    # The snippet is packed from a source of ours, which test_snippet_file.py compares it with.
    packed = {
        name
        for name in tracked()
        if "snippet" not in Path(name).parts
        and Path(name).suffix in {".js", ".mjs", ".css"}
        and any(len(line) > MINIFIED_LINE for line in lines(name))
    }
    unlicensed = {name for name in packed if not list((ROOT / name).parent.glob("*LICENSE*"))}

    assert packed
    assert packed <= set(listed())
    assert unlicensed == set()


def test_templates_taken_from_the_theme_carry_its_licence() -> None:
    notice = (ROOT / "config/templates/unfold/LICENSE.txt").read_text(encoding="utf-8")
    taken = list((ROOT / "config/templates/unfold").rglob("*.html"))

    assert "MIT License" in notice
    assert "Copyright (c) 2023-present Unfold Admin" in notice
    assert taken
    for path in taken:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert "django-unfold" in first
        assert "LICENSE.txt" in first
        assert str(path.relative_to(ROOT / "config/templates/unfold")) in notice
