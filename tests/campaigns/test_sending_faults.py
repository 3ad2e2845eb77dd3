"""Clocks that jump, disks that fill up, backups that come back: nobody twice, nobody forgotten."""

from __future__ import annotations

import resource
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection

from campaigns import approvals, asking, delivery, scheduling
from campaigns.channels.base import Message, Outcome, Result
from campaigns.channels.outbox import OutboxChannel
from campaigns.models import Campaign, Delivery
from jobs.models import Job
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW
from tests.servers import unprivileged

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
# The plan finds no room for a page of its own, or for one of another table that makes way for it.
FULL = r"full|could not (extend file|write block)"
Status = Campaign.Status


def readers(n: int) -> None:
    for number in range(n):
        make.reader(f"r{number}")


class Jumping(Tray):
    """A channel in whose hands the clock of the others jumps: they look for lost work then."""

    def __init__(self, jump: timedelta) -> None:
        super().__init__()
        self.jump = jump
        self.other = Tray()

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        delivery.send_due(NOW + self.jump, channel=self.other)
        return super().send_batch(messages)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_in_mid_run_sends_nothing_twice_and_all_of_it(jump: timedelta) -> None:
    readers(delivery.INTENT_BATCH * 2 + 5)
    launched()
    channel = Jumping(jump)

    delivery.send_due(NOW, channel=channel)
    for hours in (jump, timedelta(), 2 * HOUR):
        delivery.send_due(NOW + hours, channel=channel.other)

    taken = channel.recipients + channel.other.recipients
    assert Counter(taken).most_common(1)[0][1] == 1, "somebody got it twice"
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states["sent"] + states["unknown"] == len(taken) == delivery.INTENT_BATCH * 2 + 5
    # What a worker was at when others thought it dead is known as soon as it says so.
    assert states["unknown"] == 0


def test_a_clock_set_back_holds_messages_until_it_has_caught_up() -> None:
    readers(3)
    launched()
    tray = Tray()

    assert delivery.send_due(NOW - HOUR, channel=tray) == 0
    assert delivery.send_due(NOW, channel=tray) == 3
    assert delivery.send_due(NOW - HOUR, channel=tray) == 0
    assert len(tray.taken) == 3


@contextmanager
def full_database() -> Iterator[None]:
    """Let the database's files grow no more: what it says is what it says of a full disk."""
    with _full_sqlite() if connection.vendor == "sqlite" else _full_postgres():
        yield


@contextmanager
def _full_sqlite() -> Iterator[None]:
    with connection.cursor() as cursor:
        # Pages that earlier rows left free would be taken first.
        cursor.execute("CREATE TABLE filler AS SELECT zeroblob(0) AS room")
        cursor.execute("PRAGMA freelist_count")
        (n_free,) = cursor.fetchone()
        cursor.execute("PRAGMA page_size")
        (size,) = cursor.fetchone()
        cursor.execute("INSERT INTO filler SELECT zeroblob(%s)", [n_free * size])
        cursor.execute("PRAGMA page_count")
        (n,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {n}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 4294967294")
            cursor.execute("DROP TABLE filler")


@contextmanager
def _full_postgres() -> Iterator[None]:
    """Let our server process write no file beyond where the table of deliveries ends.

    That has to be as long as a file of the log, which is written by the same process.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_bytes(current_setting('wal_segment_size'))")
        (least,) = cursor.fetchone()
        size = _size(cursor)
        while size < least:
            cursor.execute(FILLER)
            size = _size(cursor)
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    assert Path(f"/proc/{pid}/cmdline").read_text().startswith("postgres"), "not on this machine"
    _limit_files(pid, str(size))
    try:
        yield
    finally:
        _limit_files(pid, "unlimited")


def _limit_files(pid: int, most: str) -> None:
    """Set how long a file of a process may get; as the account whose process it is."""
    command = ["prlimit", "--pid", str(pid), f"--fsize={most}:"]
    subprocess.run(command, check=True, **unprivileged())  # type: ignore[call-overload]


FILLER = """
INSERT INTO campaigns_delivery (campaign_id, customer_id, bucket, locale, state, due_at,
                                n_attempts, reason, occurrence)
SELECT campaign_id, customer_id, 0, '', 'holdout', due_at, 0, repeat('x', 60),
       gen_random_uuid()::text
FROM campaigns_delivery, generate_series(1, 10000) WHERE occurrence = ''
"""


def _size(cursor: Any) -> int:
    cursor.execute("SELECT pg_relation_size('campaigns_delivery')")
    return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_fills_the_disk_says_so_and_goes_on_where_it_stopped() -> None:
    make.reader("first")
    other = make.written_campaign("Other")
    delivery.plan(other, NOW)
    readers(119)
    campaign = make.written_campaign()

    with full_database(), pytest.raises(DatabaseError, match=FULL):
        delivery.plan(campaign, NOW, range_size=30)
    n_before = campaign.deliveries.count()
    campaign.refresh_from_db()
    delivery.plan(campaign, NOW, range_size=30)

    assert n_before < 120
    assert campaign.status == Status.PLANNED
    assert campaign.deliveries.values("customer").distinct().count() == 120
    assert campaign.deliveries.count() == 120


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """Let no file of this process grow beyond `most` bytes, as a full disk would not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_outbox_on_a_full_disk_keeps_no_half_messages_and_takes_them_later(
    tmp_path: Path,
) -> None:
    letters = [
        Message(
            str(n), "shop@shop.test", f"r{n}@example.com", b"Subject: x\r\n\r\n" + b"y" * 9_000, NOW
        )
        for n in range(3)
    ]
    channel = OutboxChannel(tmp_path)

    with small_files(4_096):
        results = channel.send_batch(letters)

    assert {(one.outcome, one.code) for one in results} == {(Outcome.LATER, "outbox_not_writable")}
    assert list(tmp_path.iterdir()) == []
    assert {one.outcome for one in channel.send_batch(letters)} == {Outcome.SENT}


@pytest.mark.parametrize(
    "status", [Status.SCHEDULED, Status.PLANNING, Status.PLANNED, Status.SENDING]
)
def test_what_a_backup_brings_back_goes_out_again_by_itself_in_no_state(status: Status) -> None:
    readers(3)
    campaign = make.written_campaign()
    scheduling.schedule(campaign, staff=None, now=NOW)
    if status != Status.SCHEDULED:
        delivery.plan(campaign, NOW)
        Campaign.objects.update(status=status)
    if status == Status.PLANNED:
        asking.ask_for_sending(campaign.pk, NOW)

    approvals.hold_restored(NOW)

    later, tray = NOW + 10 * HOUR, Tray()
    for _ in range(3):
        scheduling.advance(later)
        if Campaign.objects.filter(status=Status.PLANNING).exists():
            campaign.refresh_from_db()
            delivery.plan(campaign, later)
        delivery.send_due(later, channel=tray)
    assert tray.taken == []
    assert not Job.objects.open().filter(kind__in=[asking.PLAN, asking.SEND]).exists()
    campaign.refresh_from_db()
    assert (
        campaign.status
        == {
            Status.SCHEDULED: Status.APPROVED,
            Status.PLANNING: Status.PLANNED,
            Status.PLANNED: Status.PLANNED,
            Status.SENDING: Status.PAUSED,
        }[status]
    )
