"""The image holds the program and nothing of a shop; compose starts what exists."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands, load_command_class

from tests.places import ROOT, tracked

# What a working checkout holds, or a careless one may, that must never reach an image.
SECRET = (
    "var/keys/root.key", "var/candor.sqlite3", "var/keystore.sqlite3", "var/demo/outbox/1.eml",
    ".git/config", ".git/objects/pack/pack-1.pack", ".env", ".venv/bin/python",
)  # fmt: skip
LEFT_OVER = (
    ".mypy_cache/3.11/a.json", ".coverage", ".coverage.host.1", ".pytest_cache/v/x",
    "profiles/__pycache__/apps.cpython-311.pyc", "staticfiles/admin/a.css",
)  # fmt: skip


def ignored(name: str) -> bool:
    """Whether the builder leaves a path of the checkout out: the path or a folder above matches.

    The rules of .dockerignore that ours uses: no `!`, `**/` for any depth, else from the top.
    """
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert not [pattern for pattern in patterns if pattern.startswith("!")]
    parts = Path(name).parts
    for end in range(1, len(parts) + 1):
        for pattern in patterns:
            if pattern.startswith("**/"):
                if fnmatchcase(parts[end - 1], pattern.removeprefix("**/")):
                    return True
            elif pattern.count("/") == end - 1 and fnmatchcase("/".join(parts[:end]), pattern):
                return True
    return False


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return read


def commands_of(service: Mapping[str, Any]) -> list[list[str]]:
    """The calls of `manage.py` in a service's command, each as its arguments."""
    words = service.get("command", [])
    lines = words[2].split("&&") if words[:2] == ["sh", "-c"] else [shlex.join(words)]
    calls = [shlex.split(line) for line in lines]
    return [call[2:] for call in calls if call[:2] == ["python", "manage.py"]]


@pytest.mark.parametrize("name", [*SECRET, *LEFT_OVER])
def test_the_image_takes_no_key_no_data_and_no_history(name: str) -> None:
    assert ignored(name)


def test_every_path_that_git_ignores_is_kept_out_of_the_image_too() -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [name for line in lines if not ignored(name := line.strip("/").replace("*", "x"))] == []


def test_the_image_builds_from_what_is_not_left_out(tmp_path: Path) -> None:
    for name in tracked():
        if not ignored(name):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    (build,) = re.findall(r"^RUN (APP_ENV=production .*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    command = build.replace("VAR_DIR=/tmp/build", f"VAR_DIR={tmp_path / 'var'}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    subprocess.run(["sh", "-c", command], cwd=tmp_path, env={"PATH": path}, check=True)

    assert (tmp_path / "staticfiles" / "staticfiles.json").is_file()
    assert list((tmp_path / "locale").rglob("*.mo"))
    assert not (tmp_path / "tests").exists()


def test_every_service_depends_only_on_services_that_are_there() -> None:
    services = compose()["services"]
    assert {"postgres", "redis", "migrate", "web", "worker", "batch", "beat"} <= set(services)
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose()["volumes"]


def test_every_command_of_a_service_is_one_we_have_with_its_options() -> None:
    found = [call for service in compose()["services"].values() for call in commands_of(service)]
    assert {call[0] for call in found} == {"serve", "migrate"}
    for name, *arguments in found:
        given = get_commands()[name]
        command = load_command_class(given, name) if isinstance(given, str) else given
        command.create_parser("manage.py", name).parse_args(arguments)  # or leaves with status 2


def test_the_workers_of_compose_serve_every_queue_once_and_beat_is_alone() -> None:
    services = compose()["services"]
    served = [
        queue
        for service in services.values()
        for call in commands_of(service)
        if "--worker" in call
        for queue in call[call.index("--queues") + 1].split(",")
    ]
    assert sorted(served) == sorted(settings.JOBS_TIME_LIMIT_SECONDS)
    assert [call for name in services for call in commands_of(services[name]) if "--beat" in call]
    assert "deploy" not in services["beat"]


def test_compose_gives_every_setting_that_production_must_have() -> None:
    environ = {
        name: "postgresql://x/x" if "DATABASE" in name else "x"
        for name in compose()["services"]["web"]["environment"]
    }
    environ |= {"APP_ENV": "production", "PUBLIC_URL": "https://x.example", "VAR_DIR": "/nowhere"}
    environ |= {"REDIS_URL": "redis://x", "SMTP_URL": "smtp://x", "SECRET_KEY": "x" * 50}
    done = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
