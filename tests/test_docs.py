"""The reference pages name everything there is; nothing in the code is undocumented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

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
    read = re.findall(r"\benv\.[a-z_]+\(\s*\"([A-Z_]+)\"", text)
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
    pages = page("errors.md") + page("events.md") + page("commands.md") + page("../webhooks.md")
    codes = error_codes()
    assert {"address_invalid", "no_orders", "rule_ended", "file_damaged", "no_header"} <= codes
    assert sorted(code for code in codes if f"`{code}`" not in pages) == []


def error_codes() -> set[str]:
    """Every code that a refusal is made with: what our errors and faults are given as `code`."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources()]
    coded = coded_classes(trees)
    return {
        code
        for tree in trees
        for owner, node in owned(tree)
        if isinstance(node, ast.Call | ast.Assign)
        for code in codes_of(node, coded, owner)
        if re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    }


def coded_classes(trees: list[ast.Module]) -> set[str]:
    """Errors whose first argument is a code, and what inherits that from them."""
    classes = {node.name: node for tree in trees for _, node in owned(tree) if is_class(node)}
    coded = {"Fault", "Concern"}
    while grown := {
        name
        for name, node in classes.items()
        if name not in coded and (takes_code(node) or bases(node) & (coded - {"Fault", "Concern"}))
    }:
        coded |= grown
    return coded


def is_class(node: ast.AST) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef)


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def takes_code(node: ast.ClassDef) -> bool:
    made = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return node.name.endswith("Error") and any(
        [argument.arg for argument in made_by.args.args[1:2]] == ["code"] for made_by in made
    )


def owned(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Every node, with the name of the class it stands in."""
    for top in tree.body:
        for node in ast.walk(top):
            yield (top.name if isinstance(top, ast.ClassDef) else ""), node


def codes_of(node: ast.Call | ast.Assign, coded: set[str], owner: str) -> Iterator[str]:
    if isinstance(node, ast.Assign):  # code = "file_truncated" if … else "file_damaged"
        if any(isinstance(target, ast.Name) and target.id == "code" for target in node.targets):
            yield from texts(node.value)
        return
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    own = name == "__init__" and owner in coded  # super().__init__("currency_unknown", …)
    if (name in coded or own) and node.args:
        yield from texts(node.args[0])
    if name in {*coded, "response", "unavailable"}:
        for keyword in node.keywords:
            if keyword.arg == "code":
                yield from texts(keyword.value)


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


# As Segment names events: a thing and what was done with it.
EVENT_NAME = re.compile(r"""["']([A-Z][a-z]+(?: [A-Z][a-z]+)*(?: [A-Z][a-z]+ed))["']""")


def test_every_event_that_code_names_is_documented() -> None:
    scripts = [path for app in APPS for path in (ROOT / app).rglob("static/**/*.js")]
    found = {
        name
        for path in (*sources(), *scripts)
        for name in EVENT_NAME.findall(path.read_text(encoding="utf-8"))
    }
    assert {"Order Completed", "Email Clicked", "Recommendation Clicked"} <= found
    assert sorted(name for name in found if f"`{name}`" not in page("events.md")) == []


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a page, each as rows of cells; code in a cell may hold a bar."""
    block: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            bare = re.sub(r"`[^`]*`", lambda code: code[0].replace("|", "/"), line.strip())
            block.append([cell.strip() for cell in re.split(r"(?<!\\)\|", bare)[1:-1]])
        elif block:
            yield block
            block = []


@pytest.mark.parametrize("name", ["api.md", "commands.md", "errors.md", "events.md", "settings.md"])
def test_the_tables_of_a_reference_are_whole_and_say_nothing_twice(name: str) -> None:
    """Two branches that add rows are merged line by line, which can break a table."""
    for table in tables(page(name)):
        head, rule, *rows = table
        assert all(set(cell) <= set("-:") for cell in rule), f"no table begins with {head}"
        assert [row for row in rows if len(row) != len(head)] == []
        named = [code for row in rows for code in re.findall(r"`[^`]+`", row[0])]
        named = [code for code in named if code.strip("`") not in {"GET", "POST", "PUT"}]
        assert sorted({code for code in named if named.count(code) > 1}) == []


def test_every_code_of_an_event_is_documented() -> None:
    from profiles.events.sealing import CONCERNS

    text = (ROOT / "profiles" / "events" / "wire.py").read_text(encoding="utf-8")
    codes = set(re.findall(r"(?:RejectedError|Concern)\(\s*\"([a-z_]+)\"", text)) | set(CONCERNS)
    assert codes
    assert [code for code in sorted(codes) if f"`{code}`" not in page("events.md")] == []


def test_every_event_of_webhooks_is_documented_with_its_members_and_reasons() -> None:
    from privacy import event_types
    from privacy.admin.webhook_pages import REASONS

    text = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|(.*)$", text, re.MULTILINE))
    types = {one.name: {member.name for member in one.members} for one in event_types.all_types()}
    assert set(rows) == set(types)
    for name, members in types.items():
        last = rows[name].rpartition(" | ")[2]
        outside = re.sub(r"\([^)]*\)", "", last)
        assert set(re.findall(r"`(\w+)`", outside)) == members, name
    assert [reason for reason in REASONS if f"`{reason}`" not in text] == []


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


def test_the_guide_has_the_same_pages_and_pictures_in_both_languages() -> None:
    guide = ROOT / "docs" / "guide"
    pages = {code: {path.name for path in (guide / code).glob("*.md")} for code in ("en", "zh")}
    assert pages["en"] == pages["zh"]
    for code, names in pages.items():
        steps = {name.removesuffix(".md") for name in names} - {"README"}
        shown = {path.name for path in (guide / "images").glob(f"*-{code}.jpg")}
        assert shown == {f"{step}-{code}.jpg" for step in steps}
