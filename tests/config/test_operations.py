"""Probes, logs and diagnosis: they say what is wrong and what to do, and keep secrets."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from config import observability, probes
from config.management.commands.doctor import shown
from config.observability import JsonFormatter, RequestLog, TextFormatter, logging_settings
from config.probes import Level
from jobs.models import Job, Pulse

ROOT = Path(__file__).parents[2]
Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manage(tmp_path: Path) -> Manage:
    """Run `manage.py` on an installation of its own, with those changes of the environment."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        given = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
        own = {name: value for name, value in os.environ.items() if name not in given}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=own | {"VAR_DIR": str(tmp_path)} | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_command_tells_its_error_by_its_text_alone(manage: Manage) -> None:
    ended = manage("import_customers", "nothing.csv")
    with_trace = manage("import_customers", "nothing.csv", "--traceback")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"The file {ROOT / 'nothing.csv'} cannot be opened")
    assert len(ended.stderr.splitlines()) == 1
    assert "CommandError" in with_trace.stderr


def pulse(queue: str, *, seconds_ago: float) -> None:
    Pulse.objects.create(queue=queue, beat_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_the_liveness_probe_asks_no_database(client: Client) -> None:
    assert client.get("/healthz", headers={"host": "10.0.0.7"}).status_code == 200


@pytest.mark.django_db(databases=["default", "keystore"])
def test_a_silent_schedule_is_told_and_takes_no_web_process_out_of_service(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["checks"]["scheduler"] == "warn"
    assert answer.json()["checks"]["keys"] == "ok"


@pytest.mark.django_db
def test_one_silent_queue_makes_the_worker_probe_fail(client: Client) -> None:
    for queue in Job.Queue.values:
        pulse(queue, seconds_ago=5)
    assert client.get("/healthz/worker").status_code == 200

    Pulse.objects.filter(queue="send").delete()
    pulse("send", seconds_ago=61)

    answer = client.get("/healthz/worker")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker send"] == "warn"


@pytest.mark.django_db
def test_jobs_that_wait_too_long_are_counted() -> None:
    late = timezone.now() - timedelta(minutes=11)
    Job.objects.create(kind="tests.count", queue="default", not_before=late, created_at=late)

    found = probes.backlog(timezone.now())

    assert (found.level, found.text) == (Level.WARN, "1 wait over ten minutes, 0 failed")


@pytest.mark.django_db
def test_a_request_id_is_kept_if_it_is_a_plain_word(client: Client) -> None:
    assert client.get("/none", headers={"x-request-id": "abc-12345"})["X-Request-ID"] == "abc-12345"


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "<script>alert(1)</script>", "a\nb"])
def test_any_other_request_id_is_replaced(given: str) -> None:
    request = RequestFactory().get("/none", headers={"x-request-id": given})

    answer = RequestLog(lambda _request: HttpResponse())(request)

    assert answer["X-Request-ID"] != given
    assert observability.ACCEPTED_ID.fullmatch(answer["X-Request-ID"])


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_personal_data_that_slips_into_a_log_is_masked(
    formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("tests").warning(
        "sent to %s", "anna@example.com", extra={"who": "电话13800138000"}
    )

    line = formatter.format(caplog.records[-1])

    assert "anna" not in line
    assert "13800138000" not in line
    assert "sent to [email]" in line


def failing(_request: HttpRequest) -> HttpResponse:
    raise ValueError("anna@example.com has no order")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_error_is_logged_without_its_text(
    formatter: logging.Formatter, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        failing(HttpRequest())
    except ValueError:
        logging.getLogger("tests").exception("it failed")

    line = formatter.format(caplog.records[-1])

    assert "anna" not in line
    assert "ValueError" in line
    assert "test_operations.py" in line
    assert "\n" not in line


@pytest.mark.django_db
def test_a_line_names_the_route_and_neither_path_nor_query(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/admin/login/anna@example.com/?email=anna@example.com")

    filtered = [record for record in caplog.records if observability.HideValues().filter(record)]
    lines = [JsonFormatter().format(record) for record in filtered]
    assert "anna" not in "".join(lines)
    assert any(json.loads(line).get("status") for line in lines)


@pytest.mark.parametrize(("level", "form"), [("LOUD", "text"), ("INFO", "xml")])
def test_an_unknown_log_setting_is_refused(level: str, form: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="use one of"):
        logging_settings(level=level, form=form)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY", "abc", "(set)"),
        ("KEY_ROOT", "", "-"),
        ("DATABASE_URL", "postgresql://u:p@ss@db/x?password=p", "postgresql://***@db/x?***"),
        ("DATABASE_URL", "sqlite:////var/candor.sqlite3", "sqlite:////var/candor.sqlite3"),
        ("REDIS_URL", "redis://:pass@redis/0", "redis://***@redis/0"),
        ("PUBLIC_URL", "https://shop.example.com", "https://shop.example.com"),
    ],
)
def test_a_setting_is_shown_without_its_secret(name: str, value: str, expected: str) -> None:
    assert shown(name, value) == expected


def test_the_doctor_finds_nothing_failed_in_a_new_installation(manage: Manage) -> None:
    for alias in ("default", "keystore"):
        assert manage("migrate", "-v0", "--database", alias).returncode == 0

    found = manage("doctor")

    assert found.returncode == 0, found.stdout + found.stderr
    assert "ok    migrations keystore: all applied" in found.stdout
    assert "SECRET_KEY = (set)" in found.stdout


def test_the_doctor_names_migrations_that_are_missing_and_the_command(manage: Manage) -> None:
    found = manage("doctor")

    assert found.returncode == 1
    assert "-> manage.py migrate --database default" in found.stdout


def test_the_doctor_names_servers_that_are_away_and_no_password(manage: Manage) -> None:
    found = manage(
        "doctor",
        DATABASE_URL="postgresql://candor:hunter2@127.0.0.1:1/candor",
        REDIS_URL="redis://:hunter2@127.0.0.1:1/0",
    )

    assert found.returncode == 1
    assert "fail  database default: cannot be reached" in found.stdout
    assert "fail  broker: Redis cannot be reached" in found.stdout
    assert "hunter2" not in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_the_doctor_names_a_lost_root_key_file(manage: Manage, tmp_path: Path) -> None:
    for alias in ("default", "keystore"):
        manage("migrate", "-v0", "--database", alias)
    manage("doctor")
    (tmp_path / "keys" / "root.key").unlink()

    found = manage("doctor")

    assert found.returncode == 1
    assert "root.key is missing" in found.stdout
    assert "Traceback" not in found.stderr


def test_every_missing_production_setting_is_named_in_one_line(manage: Manage) -> None:
    found = manage("doctor", APP_ENV="production")

    assert found.returncode == 1
    for name in ("SECRET_KEY", "DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL", "SMTP_URL"):
        assert name in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("role", ["--web", "--worker", "--beat"])
def test_roles_apart_are_refused_with_a_broker_in_memory(manage: Manage, role: str) -> None:
    found = manage("serve", role)

    assert found.returncode == 1
    assert "set REDIS_URL" in found.stderr


def test_an_unknown_queue_is_refused(manage: Manage) -> None:
    found = manage("serve", "--worker", "--queues", "sned", REDIS_URL="redis://127.0.0.1:1/0")

    assert found.returncode == 1
    assert "--queues names sned" in found.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize("port", ["-1", "65536", "99999", "http"])
def test_a_port_that_cannot_be_is_refused_before_anything_is_done(
    manage: Manage, tmp_path: Path, command: str, port: str
) -> None:
    found = manage(command, f"--port={port}")

    assert found.returncode == 2
    assert f"a port is a number from 0 to 65535, not {port}" in found.stderr
    assert not list(tmp_path.rglob("*.sqlite3"))


def test_a_host_that_is_none_of_this_machine_is_told_in_one_line(manage: Manage) -> None:
    found = manage("serve", "--host", "999.1.1.1", "--port", "0")

    assert found.returncode == 1
    assert "Cannot listen on 999.1.1.1:0: no such address. Choose another --host" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("command", ["doctor", "serve", "demo"])
def test_a_var_dir_that_cannot_be_written_is_told_in_one_line(
    manage: Manage, tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="ascii")

    found = manage(command, VAR_DIR=str(tmp_path / "file" / "var"), SECRET_KEY="")

    assert found.returncode == 1
    assert "VAR_DIR" in found.stderr
    assert "cannot be written: Not a directory" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_command_without_its_database_says_so_in_one_line(manage: Manage) -> None:
    ended = manage("build_profiles", DATABASE_URL="sqlite:////nowhere/candor.sqlite3")

    assert ended.returncode == 1
    assert "The database cannot be used: unable to open database file" in ended.stderr
    assert "Traceback" not in ended.stderr
