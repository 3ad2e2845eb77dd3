"""What every page's headers forbid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests import make

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
PUBLIC = ["/admin/login/", "/v1/docs", "/v1/redoc", "/privacy/", "/nothing/here/"]


def policy(header: str) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in header.split(";"))
    return {name: value for name, _space, value in parts}


def pages() -> list[str]:
    """Every list and every form that the admin has, and the pages for everybody."""
    names = [
        f"admin:{url.name}"
        for page in admin.site._registry.values()
        for url in page.get_urls()
        if str(url.name).endswith(("_changelist", "_add"))
    ]
    return [*PUBLIC, "/admin/", *map(reverse, names)]


def test_every_page_has_a_policy_that_runs_no_script_but_ours(client: Client) -> None:
    make.shop()
    client.force_login(make.staff())
    seen = 0
    for path in pages():
        answer = client.get(path)
        if answer.status_code == 302:
            continue
        rules = policy(answer["Content-Security-Policy"])
        assert rules["script-src"] == "'self'", path
        assert "unsafe" not in rules["style-src"] or path in {"/v1/docs", "/v1/redoc"}, path
        assert (rules["object-src"], rules["base-uri"]) == ("'none'", "'none'"), path
        assert (rules["frame-ancestors"], rules["form-action"]) == ("'none'", "'self'"), path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["Referrer-Policy"] == "same-origin", path
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "camera=()" in answer["Permissions-Policy"], path
        seen += 1
    assert seen > 25


def test_facts_are_no_page_and_may_load_nothing(client: Client) -> None:
    make.shop()
    listed = client.get("/v1/products", headers={"Authorization": f"Bearer {make.secret_key()}"})
    for answer in (listed, client.get("/v1/products"), client.post("/v1/batch")):
        assert "json" in answer["Content-Type"]
        rules = policy(answer["Content-Security-Policy"])
        assert rules == {"default-src": "'none'", "frame-ancestors": "'none'"}


def test_the_nonce_of_a_style_is_another_each_time(client: Client) -> None:
    first, second = (client.get("/admin/login/")["Content-Security-Policy"] for _ in range(2))
    assert "nonce-" in first
    assert first != second


def production(**changes: str) -> subprocess.CompletedProcess[str]:
    environ = {name: os.environ[name] for name in ("PATH", "VAR_DIR") if name in os.environ}
    environ |= {
        "APP_ENV": "production",
        "SECRET_KEY": "kq9Zx0-Lm3vT7_wYb2RfN8cJd5HsPgUeAi4oXtMn1BzWyQrV6l",
        "DATABASE_URL": "postgresql://candor@127.0.0.1/candor",
        "KEYSTORE_DATABASE_URL": "postgresql://candor@127.0.0.1/keystore",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "PUBLIC_URL": "https://shop.example.com",
        "ALLOWED_HOSTS": "shop.example.com",
        "SMTP_URL": "smtp://127.0.0.1:25",
    } | changes
    arguments = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(
        arguments, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_production_starts_with_no_warning_and_each_open_door_is_named() -> None:
    shut = production()
    assert shut.returncode == 0, shut.stderr
    wide_open = production(
        SECRET_KEY="aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        KEY_ROOT="aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        KEYSTORE_DATABASE_URL="postgresql://candor@127.0.0.1/candor",
        PUBLIC_URL="http://shop.example.com",
        STAFF_MFA="optional",
    )
    assert wide_open.returncode != 0
    for code in ("E020", "E021", "E022", "E023", "W024"):
        assert f"privacy.{code}" in wide_open.stderr
