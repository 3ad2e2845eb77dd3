"""The reference pages name everything there is; nothing in the code is undocumented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPS = ("campaigns", "config", "jobs", "privacy", "profiles", "recommendations")
HYPE = ("robust", "comprehensive", "cutting-edge", "seamless", "powerful", "world-class", "blazing")


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def sources() -> Iterator[Path]:
    for app in APPS:
        yield from sorted((ROOT / app).rglob("*.py"))


def setting_names() -> list[str]:
    text = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")
    read = re.findall(r"env\.(?:text|choice|number|items)\(\s*\"([A-Z_]+)\"", text)
    return sorted({"APP_ENV", *read})


def command_names() -> list[str]:
    found = [
        path.stem
        for app in APPS
        for path in (ROOT / app / "management" / "commands").glob("*.py")
        if path.stem != "__init__"
    ]
    return sorted(found)


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in page("settings.md")


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_documented(name: str) -> None:
    assert f"`{name}" in page("commands.md")


def test_no_setting_is_documented_that_nobody_reads() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)`", page("settings.md"), re.MULTILINE))
    assert documented - set(setting_names()) == set()


def test_every_error_code_is_documented() -> None:
    codes = {
        code
        for path in sources()
        for code in re.findall(
            r"(?:Domain|Unreadable)Error\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8")
        )
    }
    missing = sorted(code for code in codes if f"`{code}`" not in page("errors.md"))
    assert missing == []


def test_every_code_of_an_event_is_documented() -> None:
    from profiles.sealing import CONCERNS

    text = (ROOT / "profiles" / "wire.py").read_text(encoding="utf-8")
    codes = set(re.findall(r"(?:RejectedError|Concern)\(\s*\"([a-z_]+)\"", text)) | set(CONCERNS)
    assert codes
    assert [code for code in sorted(codes) if f"`{code}`" not in page("events.md")] == []


def test_every_decision_record_is_numbered_and_short() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [record.name[:4] for record in records]
    assert numbers == [f"{n:04}" for n in range(1, len(records) + 1)]
    assert [r.name for r in records if len(r.read_text("utf-8").splitlines()) > 60] == []


def test_prose_claims_by_numbers_not_by_adjectives() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in pages
        for word in HYPE
        if word in path.read_text(encoding="utf-8").lower()
    }
    assert found == set()


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in pages
        for target in links.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []
