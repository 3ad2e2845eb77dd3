"""What is away is said in one clear line: to machines, to people, and to who runs a command."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper
from django.test import Client

from config import probes
from config.outages import outage_of
from config.probes import Level
from privacy.keystore import keystore
from privacy.providers import FileProvider
from profiles.importing import uploads
from profiles.models import Customer, EventStaging
from tests import make
from tests.faults.installation import installation
from tests.profiles.calls import identify, post
from tests.profiles.test_orders_api import call
from tests.profiles.test_upload_pages import send

ROOT = Path(__file__).parents[2]
ANN = {"email": "ann.lee@shop.example", "fullName": "Ann Lee"}
PEOPLE = "/admin/profiles/customer/"


def visitor() -> Client:
    """A client that gets the answer a browser would get."""
    return Client(raise_request_exception=False)


def api(client: Client, key: str, method: str, path: str, body: Any = None) -> Any:
    return client.generic(
        method,
        path,
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


def staff() -> Client:
    client = visitor()
    client.force_login(make.staff())
    return client


@contextmanager
def held_by_another() -> Iterator[None]:
    """Let another connection hold the customers, and ours lose patience soon."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        where = {
            name: connection.get_connection_params()[name] for name in ("host", "port", "user")
        }
        with psycopg.connect(dbname=connection.settings_dict["NAME"], **where) as other:
            other.execute("LOCK TABLE profiles_customer, privacy_staff IN ACCESS EXCLUSIVE MODE")
            yield


def lose_patience_soon() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout = 50")
        else:
            cursor.execute("SET lock_timeout = 50")


@pytest.fixture
def impatient() -> Iterator[None]:
    lose_patience_soon()
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_a_database_that_cannot_be_used_is_told_and_used_again_once_it_can() -> None:
    key, person = make.secret_key(), make.staff(username="ann")
    person.set_password("a long word")
    person.save()
    assert call(visitor(), "PUT", "/v1/customers/C-1", {"city": "Graz"}, key=key)[0] == 200

    with held_by_another():
        status, told = call(visitor(), "PUT", "/v1/customers/C-1", {"city": "Wien"}, key=key)
        page = visitor().post("/admin/login/", {"username": "ann", "password": "a long word"})

    assert (status, told["code"]) == (503, "database_unavailable")
    assert (page.status_code, page["Retry-After"]) == (503, "10")
    assert page.content.decode() == told["detail"]
    assert told["detail"] == "The database cannot be used at the moment; try again soon."
    assert not {"Traceback", "profiles_customer", "locked"} & set(str(told).split())
    lose_patience_soon()
    assert call(visitor(), "GET", "/v1/customers/C-1", key=key)[1]["city"] == "Graz"
    assert call(visitor(), "PUT", "/v1/customers/C-1", {"city": "Wien"}, key=key)[0] == 200


@pytest.fixture
def lost_key(settings: Any, tmp_path: Path) -> Callable[[], None]:
    """An installation with one sealed customer; calling it puts its lost key back."""
    settings.VAR_DIR, settings.KEYS_DIR = tmp_path, tmp_path / "keys"
    make.shop()
    make.customer("C-1", email="known@shop.example")
    path = FileProvider().path
    aside = shutil.move(path, tmp_path / "aside.key")
    keystore.forget()

    def put_back() -> None:
        shutil.move(aside, path)
        keystore.forget()

    return put_back


@pytest.mark.django_db
def test_without_the_root_key_nothing_personal_is_taken_or_shown_until_it_is_back(
    lost_key: Callable[[], None],
) -> None:
    key, people = make.secret_key(), staff()

    stated = call(visitor(), "PUT", "/v1/customers/C-2", ANN, key=key)
    read = call(visitor(), "GET", "/v1/customers/C-1", key=key)
    told = post(visitor(), identify("C-3", email="bo@shop.example"), key=key)
    page, sent = people.get(PEOPLE), send(people, b"customer id,e-mail\nC-4,di@shop.example\n")

    assert [stated[0], read[0], told.status_code] == [503, 503, 503]
    assert {stated[1]["code"], read[1]["code"], told.json()["code"]} == {"keys_unavailable"}
    assert [page.status_code, sent.status_code] == [503, 503]
    assert page.content.decode().startswith("Personal data cannot be opened or sealed")
    assert "root.key" not in page.content.decode() + str(stated)
    assert not Customer.objects.filter(external_id="C-2").exists()
    assert not EventStaging.objects.exists()
    assert list(uploads.folder().iterdir()) == []
    lost_key()
    assert call(visitor(), "PUT", "/v1/customers/C-2", ANN, key=key)[0] == 200


@pytest.mark.django_db
def test_what_holds_no_personal_data_is_taken_without_the_root_key(
    lost_key: Callable[[], None],
) -> None:
    event = {"type": "track", "event": "Product Viewed", "userId": "C-9", "messageId": "m"}

    assert post(visitor(), event).status_code == 202
    assert lost_key is not None


@pytest.fixture
def unreadable_key(settings: Any, tmp_path: Path) -> Path:
    """As `lost_key`, but the file's place cannot be read: its disk may come back in a moment."""
    settings.VAR_DIR, settings.KEYS_DIR = tmp_path, tmp_path / "keys"
    make.shop()
    make.customer("C-1", email="known@shop.example")
    path = FileProvider().path
    path.rename(tmp_path / "aside.key")
    path.mkdir()
    keystore.forget()
    return path


def mend(path: Path) -> None:
    path.rmdir()
    (path.parents[1] / "aside.key").rename(path)


@pytest.mark.django_db
def test_while_the_keys_disk_is_away_reads_and_writes_wait_and_then_say_so(
    unreadable_key: Path,
) -> None:
    key = make.secret_key()
    keystore._roots.patience_seconds = 0.3  # noqa: SLF001 - this process has one keystore

    asked_at = time.monotonic()
    answers = [
        api(visitor(), key, "GET", "/v1/customers/C-1"),
        api(visitor(), key, "PUT", "/v1/customers/C-2", ANN),
        api(visitor(), key, "POST", "/v1/customers/batch", {"customers": [{"id": "C-3", **ANN}]}),
        post(visitor(), identify("C-4", email="bo@shop.example"), key=key),
    ]

    assert time.monotonic() - asked_at > 4 * 0.1, "nobody waited"
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert answer["Content-Type"] == "application/problem+json"
        assert int(answer["Retry-After"]) > 0
        assert "root.key" not in answer.content.decode()
    assert Customer.objects.count() == 1
    assert not EventStaging.objects.exists()
    assert "ann.lee" not in str(list(Customer.objects.values()))
    mend(unreadable_key)
    assert api(visitor(), key, "GET", "/v1/customers/C-1").status_code == 200
    assert api(visitor(), key, "PUT", "/v1/customers/C-2", ANN).status_code == 200


@pytest.mark.django_db
def test_a_read_that_waits_is_answered_once_the_keys_disk_is_back(unreadable_key: Path) -> None:
    key = make.secret_key()
    back = threading.Timer(0.3, mend, [unreadable_key])
    back.start()

    answer = api(visitor(), key, "GET", "/v1/customers/C-1")

    back.join()
    assert answer.status_code == 200
    assert answer.json()["email"] == "k***@s***.example"


@pytest.mark.django_db
def test_a_key_that_goes_missing_under_a_running_process_is_told_while_it_still_works() -> None:
    customer = make.customer("C-1", email="known@shop.example")
    path = FileProvider().path
    aside = shutil.move(path, path.with_suffix(".aside"))
    try:
        found = probes.keys()
        assert str(Customer.objects.get(pk=customer.pk).email) == "k***@s***.example"
    finally:
        shutil.move(aside, path)

    assert (found.level, "root.key is missing" in found.text) == (Level.WARN, True)
    assert probes.keys().level == Level.OK


LOCKED = "database is locked. Another process writes to it"
READ_ONLY = "attempt to write a readonly database. Let this account write the file and its folder"
FULL = "database or disk is full. Make room on its disk"
NO_FILE = "unable to open database file. Is it running, is DATABASE_URL correct"
NO_TABLE = "no such table: shop. Run manage.py migrate"


@pytest.mark.parametrize(
    ("query", "options", "line"),
    [
        ("BEGIN IMMEDIATE", "", LOCKED),
        ("INSERT INTO t VALUES (1)", "?mode=ro", READ_ONLY),
        ("INSERT INTO t VALUES (zeroblob(100000))", "?", FULL),
        ("SELECT 1 FROM t", "/nowhere", NO_FILE),
        ("SELECT 1 FROM shop", "?", NO_TABLE),
    ],
)
def test_what_sqlite_refuses_is_told_with_its_remedy(
    query: str, options: str, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "shop.sqlite3"
    wrapped = SqliteWrapper({"TIME_ZONE": None} | connection.settings_dict).wrap_database_errors
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        if line == LOCKED:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError) as refused, wrapped:
            ask(f"file:{path}{options}", query)

    outage = outage_of(refused.value)
    assert outage is not None
    assert outage.told.startswith(f"The database cannot be used: {line}")


@pytest.mark.parametrize("what", ["keystore", "default"])
def test_a_database_file_that_was_overwritten_is_told(what: str, tmp_path: Path) -> None:
    """Run as processes: the suite's own databases are better left whole."""
    given = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in given}
    with installation(tmp_path) as made:
        made.migrate()
        name = {"keystore": "keystore.sqlite3", "default": "candor.sqlite3"}[what]
        (tmp_path / name).write_bytes(os.urandom(8192))
        (tmp_path / f"{name}-wal").unlink(missing_ok=True)
        ended = subprocess.run(
            [sys.executable, "-c", DAMAGED], cwd=ROOT, env=environ | made.environ,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == {
        "keystore": ["KeyUnavailableError", "keys_unavailable"],
        "default": ["DatabaseError", "database_unavailable"],
    }[what]  # fmt: skip


DAMAGED = """
import django; django.setup()
from config.outages import outage_of
from privacy.keystore import keystore
from privacy.models import Staff
try:
    keystore.installation(); Staff.objects.exists()
except Exception as error:
    found = outage_of(error)
    assert "damaged" in found.told and "backup" in found.told, found
    print(type(error).__name__, found.code)
"""


def ask(where: str, query: str) -> None:
    with closing(sqlite3.connect(where, uri=True, timeout=0, isolation_level=None)) as own:
        own.execute("PRAGMA max_page_count = 2")
        own.execute(query)


def test_a_fault_of_the_program_is_no_outage() -> None:
    for fault in (None, ValueError("x"), IntegrityError("x"), ProgrammingError("syntax")):
        assert outage_of(fault) is None


def test_a_command_on_a_database_without_tables_says_which_command_makes_them(
    tmp_path: Path,
) -> None:
    given = {"DATABASE_URL", "KEYSTORE_DATABASE_URL", "REDIS_URL"}
    environ = {name: value for name, value in os.environ.items() if name not in given}

    ended = subprocess.run(
        [sys.executable, "manage.py", "build_profiles"],
        cwd=ROOT,
        env=environ | {"VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "Run manage.py migrate and manage.py migrate --database keystore" in ended.stderr
    assert "Traceback" not in ended.stderr
