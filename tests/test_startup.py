"""What a web process loads: numeric packages stay in the workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("pandas", "scipy.stats", "sklearn", "matplotlib")
# Loaded by the first message, figure or job and not by every command: half of its start.
FIRST_USE = (
    *("celery", "kombu", "liquid", "babel", "waitress", "granian", "rich"),
    "drf_spectacular.views",
)


SERVERS = {
    "DATABASE_URL": "postgresql://candor@127.0.0.1:1/candor",
    "KEYSTORE_DATABASE_URL": "postgresql://candor@127.0.0.1:1/keystore",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
pytestmark = pytest.mark.parametrize("servers", [{}, SERVERS], ids=["embedded", "servers"])


def modules_after(statement: str, servers: dict[str, str], tmp_path: Path) -> set[str]:
    """What is loaded in a process on SQLite, or on servers that nothing asks so early."""
    code = (
        "import django, json, os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings';"
        f"django.setup(); {statement}; print(json.dumps(sorted(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name not in SERVERS},
            "VAR_DIR": str(tmp_path),
            **servers,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(found.stdout.splitlines()[-1]))


def test_the_web_process_loads_no_numeric_package(servers: dict[str, str], tmp_path: Path) -> None:
    loaded = modules_after("import config.urls, config.wsgi", servers, tmp_path)
    assert "config.urls" in loaded
    assert loaded & set(HEAVY) == set()


def test_tasks_load_no_numeric_package_before_they_run(
    servers: dict[str, str], tmp_path: Path
) -> None:
    loaded = modules_after(
        "import config.celery; config.celery.app.loader.import_default_modules()",
        servers,
        tmp_path,
    )
    assert "jobs.tasks" in loaded
    assert loaded & set(HEAVY) == set()


def test_a_command_starts_without_what_only_some_commands_need(
    servers: dict[str, str], tmp_path: Path
) -> None:
    loaded = modules_after("import config.urls", servers, tmp_path)
    assert loaded & set(FIRST_USE) == set()
