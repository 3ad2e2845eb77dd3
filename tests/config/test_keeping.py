"""Backup, restore and the move to PostgreSQL, of real installations on both engines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from config.keeping.tables import CANONS, Digest
from tests.environment import DATABASE_URL
from tests.faults.installation import ROOT, Installation, create_empty, installation, kill, until

pytestmark = pytest.mark.slow

N_CUSTOMERS = 30
FILL = """
import django; django.setup()
from decimal import Decimal
from privacy import audit
from privacy.models import Shop
from tests import make
from tests.recommendations import listed
from tests.recommendations.test_inspecting import made_run
make.shop(pk=1, margin_rate=Decimal("0.25"))
make.product("p", specs={"weight": 1e2, "size": 0.1, "名": "电视"})
for n in range(%d):
    one = make.reader(f"c{n}", city="北京" if n %% 2 else "", birth_year=1980 + n %% 30)
    make.order(one, ("p", "c", 1, 1999), days_ago=n)
run = made_run(one, ["p"])
listed.product(run, "q", [["p", 0.1, "because_you_bought", ["p"]]])
campaign = make.campaign("May", status="sending")
make.delivery(campaign, one)
audit.append("test", actor="test", at=make.NOW, reason="line\\\\tone\\\\ntwo")
"""
OPEN = """
import django; django.setup()
from privacy.purposes import purpose
from profiles.models import Customer
from tests.make import NOW
with purpose("import", actor="test", now=NOW):
    print(Customer.objects.get(external_id="c7").email.reveal())
"""
ADD = """
import django; django.setup()
from profiles.models import Customer
from tests import make
make.customer("one more")
print(Customer.objects.count())
"""
N_MANY = 200_000
MANY = f"""
import django; django.setup()
from privacy.models import Suppression
from tests.make import NOW
Suppression.objects.bulk_create(
    (Suppression(channel="email", address_tag=n.to_bytes(16, "big"), reason="complaint",
                 created_at=NOW) for n in range({N_MANY})), batch_size=10_000)
"""


@contextlib.contextmanager
def filled(folder: Path, *, database: str = "") -> Iterator[Installation]:
    """An installation with customers, orders, a campaign under way, and a sealed file."""
    folder.mkdir()
    with installation(folder, database=database) as made:
        made.migrate()
        said(made, FILL % N_CUSTOMERS)
        (folder / "uploads").mkdir()
        (folder / "uploads" / "one").write_bytes(b"sealed")
        (folder / "ledger").mkdir()
        (folder / "ledger" / "erasures.jsonl").write_text(ledger_line(1))
        yield made


def ledger_line(number: int) -> str:
    at = "2026-03-01T00:00:00+00:00"
    return json.dumps({"erasure": str(UUID(int=number)), "tag": f"{number:032x}", "at": at}) + "\n"


def said(made: Installation, code: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT, env=made.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def succeeded(made: Installation, *arguments: str) -> str:
    done = made.manage(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(made: Installation, *arguments: str) -> str:
    done = made.manage(*arguments)
    assert done.returncode == 1, done.stdout
    return done.stderr


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    database = DATABASE_URL if request.param == "postgresql" else ""
    with filled(tmp_path_factory.mktemp("shop") / "var", database=database) as made:
        yield made


def test_a_backup_brings_back_what_was_lost_and_stays_apart_from_the_keys(
    shop: Installation, tmp_path: Path
) -> None:
    var, copy = Path(shop.environ["VAR_DIR"]), tmp_path / "copy"

    told = succeeded(shop, "backup", str(copy))

    assert told.count("verified") == 2
    manifests = {
        part: json.loads((copy / part / "manifest.json").read_text())
        for part in ("data", "keystore")
    }
    assert manifests["data"]["rows"]["profiles_customer"] == N_CUSTOMERS
    assert manifests["keystore"]["rows"]["privacy_subjectkey"] == N_CUSTOMERS
    assert "privacy_subjectkey" not in {k for k, n in manifests["data"]["rows"].items() if n}
    with tarfile.open(copy / "data" / "files.tar") as archive:
        assert sorted(archive.getnames()) == ["ledger/erasures.jsonl", "uploads/one"]
    root = (var / "keys" / "root.key").read_bytes()
    assert not any(root in path.read_bytes() for path in copy.rglob("*") if path.is_file())

    assert "holds rows already" in refused(shop, "restore", str(copy))
    said(shop, "import django; django.setup(); from profiles.models import Order;"
               " Order.objects.all().delete()")  # fmt: skip
    (var / "uploads" / "one").unlink()
    (var / "ledger" / "erasures.jsonl").write_text(ledger_line(2))
    succeeded(shop, "restore", str(copy), "--replace")

    assert shop.rows("SELECT count(*) FROM profiles_order") == [(N_CUSTOMERS,)]
    assert shop.rows("SELECT status, pause_reason FROM campaigns_campaign") == [
        ("paused", "restored")
    ]
    assert said(shop, OPEN) == "c7@example.com"
    assert (var / "uploads" / "one").read_bytes() == b"sealed"
    # Who was erased since the backup stays noted, and the installation is marked.
    assert (var / "ledger" / "erasures.jsonl").read_text() == ledger_line(1) + ledger_line(2)
    assert "restore_check" in refused(shop, "serve", "--port", "0")
    assert "2 erasures in the ledger, 2 of them unknown" in succeeded(shop, "restore_check")
    assert not (var / "ledger" / "restored").exists()


def test_a_damaged_or_unfinished_backup_touches_nothing(shop: Installation, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    succeeded(shop, "backup", str(copy), "--only", "data")
    before = shop.rows("SELECT count(*) FROM profiles_customer")

    [path] = [path for path in (copy / "data").iterdir() if path.name.startswith("data.")]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    assert "SHA-256 differs" in refused(shop, "restore", str(copy), "--replace")
    (copy / "data" / "manifest.json").unlink()
    assert "holds no backup" in refused(shop, "restore", str(copy), "--replace")
    assert "is not empty" in refused(shop, "backup", str(copy), "--only", "data")

    assert shop.rows("SELECT count(*) FROM profiles_customer") == before


@pytest.fixture
def targets() -> Iterator[list[str]]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    names = (f"candor_moved_{worker}", f"candor_moved_keys_{worker}")
    create_empty(DATABASE_URL, *names)
    server = DATABASE_URL.rpartition("/")[0]
    yield [f"{server}/{name}" for name in names]
    create_empty(DATABASE_URL, *names)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as server:
        return server.execute(query.encode()).fetchall()


def content(folder: Path) -> list[str]:
    """Everything the source's databases hold, as SQL."""
    texts = []
    for name in ("candor.sqlite3", "keystore.sqlite3"):
        with contextlib.closing(sqlite3.connect(folder / name)) as database:
            texts += list(database.iterdump())
    return texts


@pytest.mark.postgres
def test_a_move_brings_every_table_over_and_leaves_the_source_alone(
    tmp_path: Path, targets: list[str]
) -> None:
    with filled(tmp_path / "var") as made:
        before = content(tmp_path / "var")

        told = succeeded(made, "move_to", targets[0], "--keystore-url", targets[1])

        assert re.search(r"30  [0-9a-f]{32}  profiles_customer\n", told)
        assert "the same here and there" in told
        assert content(tmp_path / "var") == before
        moved = {"DATABASE_URL": targets[0], "KEYSTORE_DATABASE_URL": targets[1]}
        assert said(made, OPEN, **moved) == "c7@example.com"
        assert said(made, ADD, **moved) == str(N_CUSTOMERS + 1)
        lists = "SELECT scores, bases FROM recommendations_productlisting WHERE product_id = 'q'"
        assert [scores for scores, _bases in rows(targets[0], lists)] == [[pytest.approx(0.1)]]
        assert rows(targets[0], "SELECT to_regclass('candor_move')") == [(None,)]
        again = refused(made, "move_to", targets[0], "--keystore-url", targets[1])
        assert "holds rows of an installation already" in again


@pytest.mark.postgres
def test_a_killed_move_goes_on_where_it_stopped(tmp_path: Path, targets: list[str]) -> None:
    with filled(tmp_path / "var") as made:
        said(made, MANY)
        arguments = ("move_to", targets[0], "--keystore-url", targets[1])
        process = made.start(*arguments)
        until(lambda: _n_moved(targets[0]) >= 5_000, "the first batch")
        kill(process)
        n_before = _n_moved(targets[0])
        with (tmp_path / "var" / "moving" / "copy").open() as file:
            copy = file.read()
        assert rows(targets[0], "SELECT DISTINCT copy FROM candor_move") == [(copy,)]

        told = succeeded(made, *arguments)

        assert 5_000 <= n_before < N_MANY
        assert re.search(rf"{N_MANY:,}  [0-9a-f]{{32}}  privacy_suppression\n", told)


def _n_moved(url: str) -> int:
    with contextlib.suppress(psycopg.Error):
        return int(str(rows(url, "SELECT count(*) FROM privacy_suppression")[0][0]))
    return 0


@pytest.mark.postgres
def test_a_begun_move_can_be_given_up_for_a_newer_copy(tmp_path: Path, targets: list[str]) -> None:
    with filled(tmp_path / "var") as made:
        said(made, MANY)
        arguments = ("move_to", targets[0], "--keystore-url", targets[1])
        process = made.start(*arguments)
        until(lambda: _n_moved(targets[0]) >= 5_000, "the first batch")
        kill(process)
        said(made, ADD)

        told = succeeded(made, *arguments, "--fresh")

        assert re.search(rf"{N_CUSTOMERS + 1}  [0-9a-f]{{32}}  profiles_customer\n", told)


@pytest.mark.postgres
def test_a_target_that_is_in_use_is_left_alone(tmp_path: Path, targets: list[str]) -> None:
    rows_there = "CREATE TABLE privacy_shop (name text); INSERT INTO privacy_shop VALUES ('Other')"
    with psycopg.connect(targets[0]) as server:
        server.execute(rows_there)
    with installation(tmp_path / "empty") as made:
        told = refused(made, "move_to", targets[0], "--keystore-url", targets[1])
        assert "run manage.py migrate" in told
    with filled(tmp_path / "var") as made:
        told = refused(made, "move_to", targets[0], "--keystore-url", targets[1])

        assert "holds rows of an installation already (privacy_shop" in told
        assert "must be postgresql" in refused(
            made, "move_to", "sqlite:///x", "--keystore-url", "sqlite:///y"
        )
        assert "a database each" in refused(
            made, "move_to", targets[0], "--keystore-url", targets[0]
        )
    assert rows(targets[0], "SELECT name FROM privacy_shop") == [("Other",)]


def test_a_digest_is_the_same_for_the_same_rows_in_both_spellings_and_any_order() -> None:
    here, there, other = Digest(), Digest(), Digest()
    kinds = [CANONS[kind] for kind in ("BooleanField", "DateTimeField", "UUIDField", "JSONField")]
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=8)))
    uuid = UUID("7b0f2c1e-9a4d-4a8f-9d6e-0a1b2c3d4e5f")
    one = (1, "2026-03-01 01:30:00", uuid.hex, '{"b": 1e2, "a": [0.1, "x"]}')

    here.add([one, (0, None, None, "[]")], kinds)
    there.add([(False, None, None, []), (True, moment, uuid, {"a": [0.1, "x"], "b": 100})], kinds)
    other.add([one, (1, None, None, "[]")], kinds)

    assert (here.n, str(here)) == (there.n, str(there))
    assert str(other) != str(here)
