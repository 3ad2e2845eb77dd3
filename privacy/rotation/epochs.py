"""A new key-encryption key: people's keys are wrapped anew, no value is touched."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from jobs.work import Work
from privacy import subject_keys
from privacy.crypto.envelope import SealedIntegrityError
from privacy.keystore import keystore
from privacy.models import RootKey, SubjectKey
from privacy.root_keys import wrapped_root
from privacy.rotation import pace

log = logging.getLogger(__name__)
PAGE = 10_000


def run(work: Work) -> dict[str, Any]:
    epoch = int(work.payload["replaces"]) + 1
    begin(epoch)
    with work.step() as cursor:
        cursor.setdefault("begun_at", work.now.isoformat())
    total = SubjectKey.objects.count()
    _sweep(work, epoch, total)
    # Whoever had not read the new epoch yet may have wrapped a key of a new person in the old one.
    pace.wait(work, work.cursor["begun_at"], pace.told(), _("Waiting for every process to know"))
    with work.step() as cursor:
        cursor["after"] = 0
    _sweep(work, epoch, total)
    n_old = SubjectKey.objects.filter(epoch__lt=epoch).count()
    if not n_old:
        # The one before stays for a keystore's backup of yesterday; older ones are destroyed.
        RootKey.objects.filter(use=RootKey.Use.KEK, version__lt=epoch - 1).delete()
    return {"n_done": work.cursor.get("n_done", 0), "n_old": n_old}


@transaction.atomic(using="keystore")
def begin(epoch: int) -> None:
    if not RootKey.objects.filter(use=RootKey.Use.KEK, version=epoch).exists():
        wrapped_root(keystore.installation(), RootKey.Use.KEK, epoch).save()


def _sweep(work: Work, epoch: int, total: int) -> None:
    while rows := page(int(work.cursor.get("after", 0)), epoch):
        with work.step() as cursor:
            rewrap(rows, epoch)
            cursor.update(after=rows[-1][0], n_done=cursor.get("n_done", 0) + len(rows))
        done = min(work.cursor["n_done"], total)
        work.progress(done, total, _("Wrapping people's keys anew"))


Row = tuple[int, bytes, int, int, bytes]
"""Primary key, subject, generation, epoch, wrapped key."""


def page(after: int, epoch: int) -> list[Row]:
    """Return the next keys behind `after` that are wrapped in an earlier epoch."""
    found = SubjectKey.objects.filter(pk__gt=after, epoch__lt=epoch).order_by("pk")
    rows = found.values_list("pk", "subject_uuid", "generation", "epoch", "wrapped")[:PAGE]
    return [(pk, uuid.bytes, number, old, bytes(key)) for pk, uuid, number, old, key in rows]


def rewrap(rows: list[Row], epoch: int) -> None:
    fresh = keystore.wrapping(epoch)
    by_epoch: dict[int, list[tuple[int, bytes]]] = {}
    for pk, subject, generation, old, wrapped in rows:
        wrapping = keystore.wrapping(old)
        try:
            key = wrapping.unwrap(wrapped, subject=subject, generation=generation)
        except SealedIntegrityError as error:  # it stays, under its epoch, and is counted
            log.error("%s", error, extra={"subject": str(UUID(bytes=subject))})
            continue
        again = fresh.wrap(key, subject=subject, generation=generation)
        by_epoch.setdefault(old, []).append((pk, again))
    for old, wrapped_again in by_epoch.items():
        subject_keys.rewrap(wrapped_again, old_epoch=old, new_epoch=epoch)
