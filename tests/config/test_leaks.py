"""No personal value of a made-up person is seen anywhere; every planted leak is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from config.leaks.canaries import flock
from tests.environment import DATABASE_URL, REDIS_URL
from tests.faults.installation import installation

ROOT = Path(__file__).parents[2]
SURFACES = ("pages", "log", "cache", "database", "files")
pytestmark = pytest.mark.slow


def check_leaks(
    folder: Path, *, of_a_kind: int, **environ: str
) -> subprocess.CompletedProcess[str]:
    given = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
    own = {name: value for name, value in os.environ.items() if name not in given}
    return subprocess.run(
        [sys.executable, "manage.py", "check_leaks", "--people=12", f"--of-a-kind={of_a_kind}"],
        cwd=ROOT,
        env=own | {"VAR_DIR": str(folder)} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nobody_is_seen_where_they_should_not_be(tmp_path: Path) -> None:
    done = check_leaks(tmp_path, of_a_kind=4)

    assert done.returncode == 0, done.stderr
    assert "LEAK" not in done.stderr
    surfaces = {line.rsplit("looked at", 1)[0].split("  ")[0] for line in done.stdout.splitlines()}
    assert {"log", "cache", "files", "mail", "database: default", "pages: support"} <= surfaces
    assert {"API: replies to writes", "pages: own links"} <= surfaces
    assert not (tmp_path / "leak-check").exists()


@pytest.mark.postgres
@pytest.mark.redis
def test_nobody_is_seen_on_servers_either(tmp_path: Path) -> None:
    with installation(tmp_path, database=DATABASE_URL, redis=REDIS_URL) as made:
        with redis.Redis.from_url(made.environ["REDIS_URL"]) as server:
            server.flushdb()
        names = ("DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL")
        given = {name: made.environ[name] for name in names}
        done = check_leaks(tmp_path, of_a_kind=1, **given)

    assert done.returncode == 0, done.stderr
    surfaces = {line.rsplit("looked at", 1)[0].split("  ")[0] for line in done.stdout.splitlines()}
    assert {"redis", "database: default", "database: keystore"} <= surfaces


@pytest.mark.parametrize("surface", SURFACES)
def test_a_planted_leak_is_found(surface: str, tmp_path: Path) -> None:
    environ = {"LEAK": surface, "DJANGO_SETTINGS_MODULE": "tests.leaking.settings"}
    done = check_leaks(tmp_path, of_a_kind=1, **environ)

    assert done.returncode == 1
    assert f"LEAK {surface}" in done.stderr


def test_a_value_is_found_in_other_forms_and_in_any_case() -> None:
    made = flock(30)
    first, second = made.people[:2]

    assert made.seen_in(f"… {first.email.upper()} …") == {first}
    assert made.seen_in(f"tel {second.phone[3:6]} {second.phone[6:10]} {second.phone[10:]}") == {
        second
    }
    assert made.seen_in("name=" + first.full_name.replace(" ", "%20")) == {first}
    assert made.seen_in(second.birth_date.isoformat().encode()) == {second}
    assert made.seen_in("1924 138 mail.example") == set()
    assert len({value for person in made.people for value in person.values()}) == 30 * 7
