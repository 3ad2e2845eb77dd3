"""Looking at what the installation stands on; each probe tells what is wrong and what to do.

No probe raises for what it looks for, and none repeats an error's text, which may hold a
password of a connection URL.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.utils.translation import gettext as _

from jobs.models import Job, Pulse
from privacy import audit, ledger
from privacy.crypto.roots import ROOT_BYTES
from privacy.keystore import keystore
from privacy.providers import KeyUnavailableError, ProviderDownError, provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

POSTGRES_FLOOR = 150_000
PULSE_LIMIT = timedelta(seconds=60)
WAITING_LIMIT = timedelta(minutes=10)
SKEW_LIMIT = timedelta(seconds=5)
DISK_WARN_BYTES = 2 * 1024**3
DISK_FAIL_BYTES = 256 * 1024**2


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis: what was looked at, how it is, and what to do about it."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def database(alias: str) -> Finding:
    name = f"database {alias}"
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            version = _version(connection)
    except (DatabaseError, OSError):
        remedy = _("Start it, and compare DATABASE_URL and KEYSTORE_DATABASE_URL with it.")
        return Finding(name, Level.FAIL, _("cannot be reached"), remedy)
    if connection.vendor == "postgresql" and _number(connection) < POSTGRES_FLOOR:
        return Finding(name, Level.FAIL, version, _("Use PostgreSQL 15 or newer."))
    return Finding(name, Level.OK, version)


def migrations(alias: str) -> Finding:
    name = f"migrations {alias}"
    try:
        executor = MigrationExecutor(connections[alias])
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except (DatabaseError, OSError):
        return Finding(name, Level.FAIL, _("cannot be read"), _("See the database's line."))
    if missing:
        text = _("%(n)d are not applied") % {"n": missing}
        return Finding(name, Level.FAIL, text, f"manage.py migrate --database {alias}")
    return Finding(name, Level.OK, _("all applied"))


def broker() -> Finding:
    if not settings.REDIS_URL:
        return Finding("broker", Level.OK, _("in the memory of the one serving process"))
    import redis  # noqa: PLC0415 -- not needed in embedded mode

    try:
        server = redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5)
        version = server.info("server")["redis_version"]
    except (redis.RedisError, OSError):
        remedy = _("Start it, and compare REDIS_URL with it.")
        return Finding("broker", Level.FAIL, _("Redis cannot be reached"), remedy)
    return Finding("broker", Level.OK, f"Redis {version}")


def keys() -> Finding:
    """Whether the root key is there, and is the one the data was sealed with."""
    try:
        keystore.installation()
    except KeyUnavailableError as error:
        return Finding("keys", Level.FAIL, str(error), _("Nothing is lost while a copy exists."))
    except (DatabaseError, OSError):
        return Finding("keys", Level.FAIL, _("cannot be read"), _("See the database's line."))
    try:
        provider().wrap(bytes(ROOT_BYTES), context=b"probe")
    except (KeyUnavailableError, ProviderDownError) as error:
        remedy = _("This process still holds the keys; none that is started now can open anything.")
        return Finding("keys", Level.WARN, str(error), remedy)
    return Finding("keys", Level.OK, _("the root key fits the data"))


def person_keys() -> Finding:
    """Whether the key of every person opens: one that does not hides what that person's rows hold."""
    name = "persons' keys"
    try:
        n_damaged = keystore.n_damaged()
    except KeyUnavailableError:
        return Finding(name, Level.WARN, _("cannot be opened"), _("See the keys' line."))
    except (DatabaseError, OSError):
        return Finding(name, Level.WARN, _("cannot be read"), _("See the database's line."))
    if n_damaged:
        text = _("%(n)d are damaged") % {"n": n_damaged}
        return Finding(name, Level.FAIL, text, _("Restore the keystore from its backup."))
    return Finding(name, Level.OK, _("each opens"))


def erasures() -> Finding:
    """Whether this database was told of every erasure: one restored from a backup was not."""
    try:
        n_missing = len(ledger.missing())
    except ledger.DamagedLedgerError as error:
        return Finding("erasures", Level.FAIL, str(error), _("Nothing is served meanwhile."))
    except KeyUnavailableError as error:
        return Finding("erasures", Level.WARN, str(error), _("See the keys' line."))
    except (DatabaseError, OSError):
        return Finding("erasures", Level.WARN, _("cannot be read"), _("See the database's line."))
    if ledger.is_marked_restored() and not n_missing:
        remedy = _(
            "Put your newest ledger of erasures into VAR_DIR and run manage.py restore_check."
        )
        return Finding("erasures", Level.FAIL, _("A backup was put back."), remedy)
    if n_missing:
        text = _("%(n)d persons erased since the backup are in this database again.")
        remedy = _("Run manage.py restore_check; nothing is served before.")
        return Finding("erasures", Level.FAIL, text % {"n": n_missing}, remedy)
    return Finding("erasures", Level.OK, _("this database knows of each"))


def audit_log() -> Finding:
    """Whether the database itself still keeps the audit log from being changed."""
    try:
        guarded = audit.is_guarded()
    except (DatabaseError, OSError):
        return Finding("audit log", Level.WARN, _("cannot be read"), _("See the database's line."))
    if not guarded:
        text = _("the triggers that keep it from being changed are gone")
        remedy = _("Find out who dropped them; run manage.py verify_audit.")
        return Finding("audit log", Level.FAIL, text, remedy)
    return Finding("audit log", Level.OK, _("the database refuses changes"))


def key_files() -> Finding:
    """Whether others on this host may read the keys."""
    folder = settings.KEYS_DIR
    try:
        open_ones = [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077]
    except OSError:
        remedy = _("Put VAR_DIR/keys back from your copy of the keys.")
        return Finding("key files", Level.FAIL, _("the folder cannot be read"), remedy)
    if open_ones:
        text = _("others may read %(names)s") % {"names": ", ".join(sorted(open_ones))}
        return Finding("key files", Level.WARN, text, f"chmod 600 {folder}/*")
    return Finding("key files", Level.OK, _("readable by this account only"))


def scheduler(now: datetime) -> Finding:
    """Whether anything scheduled came through any queue of late."""
    try:
        last = Pulse.objects.aggregate(last=Max("beat_at"))["last"]
    except DatabaseError:
        return Finding("scheduler", Level.WARN, _("cannot be read"), _("See the database's line."))
    remedy = _("Start manage.py serve, or serve --beat and serve --worker.")
    return _pulse_finding("scheduler", last, now, remedy=remedy)


def workers(now: datetime) -> Iterator[Finding]:
    """Tell of each queue whether a worker takes tasks from it, not just whether it lives."""
    try:
        last = dict(Pulse.objects.values_list("queue", "beat_at"))
    except DatabaseError:
        yield Finding("workers", Level.WARN, _("cannot be read"), _("See the database's line."))
        return
    for queue in Job.Queue.values:
        remedy = _("Start a worker: manage.py serve --worker --queues %(queue)s") % {"queue": queue}
        yield _pulse_finding(f"worker {queue}", last.get(queue), now, remedy=remedy)


def backlog(now: datetime) -> Finding:
    try:
        late = Job.objects.waiting(now - WAITING_LIMIT).count()
        dead = Job.objects.filter(state=Job.State.DEAD).count()
    except DatabaseError:
        return Finding("jobs", Level.WARN, _("cannot be read"), _("See the database's line."))
    text = _("%(late)d wait over ten minutes, %(dead)d failed") % {"late": late, "dead": dead}
    if late or dead:
        return Finding("jobs", Level.WARN, text, _("Look at the jobs screen; retry or cancel."))
    return Finding("jobs", Level.OK, text)


def disk() -> Finding:
    try:
        settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.VAR_DIR).free
    except OSError:
        remedy = _("Make VAR_DIR a folder this account may write.")
        return Finding("disk", Level.FAIL, _("VAR_DIR cannot be used"), remedy)
    level = Level.OK
    if free < DISK_WARN_BYTES:
        level = Level.FAIL if free < DISK_FAIL_BYTES else Level.WARN
    text = _("%(free).1f GiB free") % {"free": free / 1024**3}
    return Finding("disk", level, text, "" if level == Level.OK else _("Make room for VAR_DIR."))


def clock(now: datetime) -> Finding:
    """Compare this host's clock with the database server's, or with the newest stored job."""
    try:
        other = _database_clock(now) or now
    except DatabaseError:
        return Finding("clock", Level.WARN, _("cannot be compared"), _("See the database's line."))
    skew = abs((now - other).total_seconds())
    text = _("%(skew).1f s off") % {"skew": skew}
    if skew > SKEW_LIMIT.total_seconds():
        return Finding("clock", Level.WARN, text, _("Let NTP set the clock of both hosts."))
    return Finding("clock", Level.OK, text)


def _database_clock(now: datetime) -> datetime | None:
    connection = connections["default"]
    if connection.vendor != "postgresql":
        newest: datetime | None = Job.objects.aggregate(newest=Max("created_at"))["newest"]
        return newest if newest and newest > now else None
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found


def _pulse_finding(name: str, last: datetime | None, now: datetime, *, remedy: str) -> Finding:
    if last is None:
        return Finding(name, Level.WARN, _("never seen"), remedy)
    text = _("last seen %(seconds)d s ago") % {"seconds": (now - last).total_seconds()}
    if now - last > PULSE_LIMIT:
        return Finding(name, Level.WARN, text, remedy)
    return Finding(name, Level.OK, text)


def _version(connection: BaseDatabaseWrapper) -> str:
    found = ".".join(str(part) for part in connection.get_database_version() if part is not None)
    return f"{connection.display_name} {found}"


def _number(connection: BaseDatabaseWrapper) -> int:
    major, *_rest = connection.get_database_version()
    return int(major) * 10_000
