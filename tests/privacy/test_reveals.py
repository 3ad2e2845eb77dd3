"""Where values may be opened at all: lists that only a review makes longer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

from privacy.fields import sealed_fields

ROOT = Path(__file__).parents[2]
APPS = ("campaigns", "config", "jobs", "privacy", "profiles", "recommendations")
OPENERS = {"reveal", "reveal_columns"}
# What opens without asking anybody, and who may call it: for masks, and to tell values apart.
UNGUARDED = {
    "plain_of": {"privacy/sealed.py", "privacy/fields/base.py"},
    "holds": {"profiles/identity/enrolling.py", "profiles/holdings.py"},
    "open_many": {"privacy/fields/columns.py"},
}
# What opens values without a purpose of its own: the field's own machinery.
MACHINERY = {"privacy/sealed.py", "privacy/fields/columns.py"}
# Who opens values, each inside a purpose.
OPENING = {
    "campaigns/composing.py",  # the address and name of a message's reader
    "campaigns/occasions.py",  # what a shop gave for one transactional message
    "campaigns/pushing.py",  # the browsers of a message's reader
    "campaigns/sections.py",  # a person's own copy
    "campaigns/signing_up.py",  # what somebody typed who then confirmed it
    "campaigns/texting.py",  # the number and name of a text message's reader
    "privacy/admin/requests.py",  # whom a request is about
    "privacy/letters.py",  # where a letter goes
    "privacy/requests.py",
    "profiles/admin/reveal.py",  # the reveal of one customer
    "profiles/identity/joining.py",  # what a merge seals anew for the survivor
    "profiles/identity/revealing.py",  # one customer, for a key with the scope pii:read
    "profiles/importing/customer_rows.py",  # what a preview tells apart under one mask
    "profiles/sections.py",  # a person's own copy
}
# Who is called inside the purpose of `privacy/subject_export.py` or, of a preview, of
# `profiles/importing/people_files.py`.
CALLED_INSIDE = {
    "campaigns/sections.py",
    "profiles/importing/customer_rows.py",
    "profiles/sections.py",
}
# Who names a table with sealed columns in SQL of its own; none of them names such a column.
# `row_changes` and `undoing` carry ciphertexts of a row into its record of change and back into
# the same row, unopened; all others read ids only.
SQL_ON_SEALED_TABLES = {
    "profiles/identity/identities.py",
    "profiles/events/order_events.py",
    "profiles/importing/refunds.py",
    "profiles/importing/row_changes.py",
    "profiles/importing/settling.py",
    "profiles/importing/undoing.py",
    "profiles/traits/sources/snapshots.py",
    "recommendations/reading.py",
}
RAW_SQL = {"raw", "extra", "RawSQL"}
# `these` hands keys over as one parameter, on either database; it names no table.
KEYS_AS_ONE_PARAMETER = {"profiles/segment_sql.py"}


def opened(tree: ast.AST, *, inside: bool = False) -> Iterator[tuple[int, bool]]:
    """Yield (line, whether inside `with purpose(...)`) of each call that opens values."""
    if isinstance(tree, ast.With):
        calls = [item.context_expr for item in tree.items]
        inside = inside or any(isinstance(c, ast.Call) and name(c) == "purpose" for c in calls)
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        inside = False  # it may be called elsewhere
    if isinstance(tree, ast.Call) and name(tree) in OPENERS:
        yield tree.lineno, inside
    for child in ast.iter_child_nodes(tree):
        yield from opened(child, inside=inside)


def name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def modules() -> Iterator[tuple[str, ast.AST]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                where = str(path.relative_to(ROOT))
                yield where, ast.parse(path.read_text(encoding="utf-8"))


def sealed_tables() -> dict[str, set[str]]:
    """Each table with sealed columns, and those columns."""
    return {
        model._meta.db_table: {field.name for field in sealed_fields(model)}
        for model in apps.get_models()
        if sealed_fields(model)
    }


def sql_on(tables: dict[str, set[str]], tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Yield (table, sealed columns named beside it) for each text of SQL that names one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = set(re.findall(r"\w+", node.value))
            if words & {"SELECT", "FROM", "JOIN", "UPDATE", "INSERT", "INTO", "COPY"}:
                for table in words & set(tables):
                    yield table, words & tables[table]


def test_values_open_only_inside_a_purpose() -> None:
    outside = [
        f"{where}:{line}"
        for where, tree in modules()
        if where not in MACHINERY | CALLED_INSIDE
        for line, inside in opened(tree)
        if not inside
    ]
    assert outside == []


def test_values_open_only_in_the_modules_that_are_listed() -> None:
    opening = {where for where, tree in modules() if any(True for _ in opened(tree))}

    assert opening - MACHINERY == OPENING


def test_nobody_else_opens_values_past_the_gate() -> None:
    for opener, allowed in UNGUARDED.items():
        assert {where for where, tree in modules() if opener in called_on_fields(tree)} == allowed


def called_on_fields(tree: ast.AST) -> set[str]:
    """The names of methods called, those of the finder of free text aside."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {name(call) for call in calls if not ast.unparse(call.func).startswith("finder.")}


def test_no_sql_of_our_own_reads_sealed_columns() -> None:
    tables = sealed_tables()
    assert "profiles_customer" in tables
    found = {where: list(sql_on(tables, tree)) for where, tree in modules()}

    assert {where for where, hits in found.items() if hits} == SQL_ON_SEALED_TABLES
    assert [where for where, hits in found.items() if any(columns for _, columns in hits)] == []


def test_querysets_take_no_sql_of_our_own() -> None:
    raw = [
        f"{where}:{node.lineno}"
        for where, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and name(node) in RAW_SQL
        and where not in KEYS_AS_ONE_PARAMETER
    ]
    assert raw == []


def test_these_tests_see_what_they_look_for() -> None:
    code = "with purpose('x'):\n  a.reveal()\n  def f(): b.reveal()\nc.reveal()\nreveal_columns(q)"
    assert list(opened(ast.parse(code))) == [(2, True), (3, False), (4, False), (5, False)]

    sql = ast.parse("cursor.execute('SELECT email FROM profiles_customer c')")
    assert list(sql_on(sealed_tables(), sql)) == [("profiles_customer", {"email"})]
