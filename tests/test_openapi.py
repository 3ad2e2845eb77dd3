"""The OpenAPI document is valid, complete, and changes only on purpose."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

SNAPSHOT = Path(__file__).parent / "snapshots" / "openapi.yaml"
VIEWERS = {"/v1/schema", "/v1/docs", "/v1/redoc"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as `manage.py spectacular` writes it; a warning fails."""
    out = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    loaded: dict[str, Any] = yaml.safe_load(out.getvalue())
    return loaded


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def test_every_path_under_v1_is_described_and_no_other(document: dict[str, Any]) -> None:
    served = {path for path in routes(get_resolver().url_patterns) if path.startswith("/v1/")}

    assert set(document["paths"]) == served - VIEWERS


def test_the_document_is_the_one_that_was_agreed_on(document: dict[str, Any]) -> None:
    """Where a change is meant: UPDATE_SNAPSHOTS=1, and mind that /v1 is additive only."""
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")

    assert document == yaml.safe_load(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_refusal_is_the_one_problem_document(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation["responses"]["default"]["content"]
            assert content == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
            assert not set(operation["responses"]) - {"200", "202", "default"}


def test_every_operation_is_named_once(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]

    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(re.findall(r"#/components/schemas/(\w+)", yaml.safe_dump(document)))

    assert found <= set(document["components"]["schemas"])


@pytest.mark.django_db
def test_the_viewers_load_nothing_from_elsewhere(client: Client) -> None:
    for path in ("/v1/docs", "/v1/redoc"):
        page = client.get(path).content.decode()
        addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
        assert addresses
        assert [address for address in addresses if not address.startswith("/")] == []
    assert client.get("/v1/schema").status_code == 200
