"""The floor plan: sizes, names and places that a new file must keep to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.places import ROOT, tracked

APPS = ("campaigns", "config", "inference", "jobs", "privacy", "profiles", "recommendations")
BANNED_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "services",
    "common",
    "core",
    "misc",
    "base_utils",
}
TOP_LEVEL = {
    ".ci", ".dockerignore", ".gitattributes", ".gitignore", ".pre-commit-config.yaml",
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "benchmarks", "campaigns", "compose.yaml", "config", "Containerfile", "docs", "inference",
    "jobs", "locale", "manage.py", "privacy", "profiles", "pyproject.toml", "recommendations",
    "requirements-dev.lock", "requirements.lock", "tests",
}  # fmt: skip
MAX_FILE, MAX_ADMIN_FILE, MAX_FUNCTION = 500, 300, 60
MAX_SETTINGS_LINES, MAX_ENV_READS = 250, 40


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders or (*APPS, "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    too_long = {
        str(path.relative_to(ROOT)): n
        for path in sources()
        if (n := len(path.read_text(encoding="utf-8").splitlines()))
        > (MAX_ADMIN_FILE if "admin" in path.parts else MAX_FILE)
    }
    assert too_long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = {
        f"{path.relative_to(ROOT)}:{function.name}": n
        for path in sources()
        for function in functions(path)
        if (n := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION
    }
    assert too_long == {}


def test_no_file_is_named_after_nothing() -> None:
    assert [path for path in sources() if path.stem in BANNED_NAMES] == []


def test_the_top_level_holds_only_what_the_design_names() -> None:
    assert {Path(name).parts[0] for name in tracked()} <= TOP_LEVEL


def test_settings_stay_one_short_file() -> None:
    text = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")
    reads = re.findall(r"\benv\.[a-z_]+\(\s*\"[A-Z_]+\"", text)
    assert len(text.splitlines()) <= MAX_SETTINGS_LINES
    assert 10 < len(reads) <= MAX_ENV_READS


def test_settings_are_read_in_the_settings_file_alone() -> None:
    # Elsewhere the environment is only handed on to a child, or asked whether a name is set.
    reading = re.compile(r"\bgetenv\(|\benviron(?:\[|\.get\((?!\"DATABASE_URL\"\)))")
    readers = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources(*APPS)
        if path != ROOT / "config" / "env.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if reading.search(line)
    ]
    assert readers == []


def test_no_other_file_reads_through_what_the_settings_read_with() -> None:
    # Those reads would stand in no count and in no page of the settings.
    reading = re.compile(r"\benv\.[a-z_]+\(\s*\"[A-Z]|\bconfig\.env\b")
    readers = [
        str(path.relative_to(ROOT))
        for path in sources(*APPS)
        if path != ROOT / "config" / "settings.py"
        and reading.search(path.read_text(encoding="utf-8"))
    ]
    assert readers == []


def test_models_of_other_apps_are_imported_not_looked_up() -> None:
    lookups = [
        path
        for path in sources(*APPS)
        if re.search(r"\bapps\.get_model\(", path.read_text(encoding="utf-8"))
    ]
    assert lookups == []


def test_a_migration_imports_django_and_nothing_of_ours() -> None:
    # A module that a migration imports changes; the migration must do what it did when written.
    allowed = {
        "__future__",
        "collections",
        "datetime",
        "django",
        "hashlib",
        "json",
        "typing",
        "uuid",
    }
    written = [path for app in APPS for path in (ROOT / app).glob("migrations/*.py")]
    imported = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in written
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in names_imported(node)
        if name.split(".")[0] not in allowed
    }
    assert len(written) > len(APPS)
    assert imported == set()


def names_imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_our_own_code_is_never_patched() -> None:
    # monkeypatch may set environment and settings; it may not replace our functions.
    patches = re.compile(r"mock\.|monkeypatch\.setattr\(")
    offenders = [
        path
        for path in sources("tests")
        if path.name != "test_layout.py" and patches.search(path.read_text(encoding="utf-8"))
    ]
    assert offenders == []


def test_the_clock_is_read_at_the_edge_only() -> None:
    edges = {"tasks.py", "admin", "api", "management", "config", "tests", "benchmarks"}
    readers = [
        str(path.relative_to(ROOT))
        for path in sources(
            "campaigns", "recommendations", "profiles", "privacy", "jobs", "inference"
        )
        if not edges & set(path.relative_to(ROOT).parts)
        and re.search(r"timezone\.now\(\)|datetime\.now\(|date\.today\(", path.read_text("utf-8"))
    ]
    assert readers == []


def test_files_speak_of_the_project_alone() -> None:
    # Hosts of registries, places of one machine; a class of one character is no find itself.
    banned = re.compile(
        r"pypi[.]org|files[.]pythonhosted|registry[.]npmjs|/[w]ork/|/tm[p]/(?!build\b)",
        re.IGNORECASE,
    )
    found = {
        name: hit[0]
        for name in tracked()
        if (hit := banned.search((ROOT / name).read_text(encoding="utf-8", errors="ignore")))
    }
    assert found == {}
