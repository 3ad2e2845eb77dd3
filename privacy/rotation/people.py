"""A new key for everybody: values are sealed again, then the old keys are destroyed.

`boundary` divides the old keys from the new ones, which have later primary keys. Old keys go
last, when no process can seal with them any more, and each only once nothing of that person
stands under it, in rows or in files. What does not open keeps its key and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from jobs.work import Work
from privacy import registry, subject_keys
from privacy.crypto.envelope import SealedIntegrityError, generation_of, in_row, new_key
from privacy.fields import sealed_fields
from privacy.keystore import Ciphers, keystore
from privacy.models import SubjectKey
from privacy.rotation import pace
from privacy.rotation.columns import Change, columns_of, replace, sealed_models

PAGE = 500


def run(work: Work) -> dict[str, Any]:
    if "boundary" not in work.cursor:
        with work.step() as cursor:
            cursor["boundary"] = SubjectKey.objects.aggregate(last=Max("pk"))["last"] or 0
    boundary = int(work.cursor["boundary"])
    total = SubjectKey.objects.filter(pk__lte=boundary).count()
    if "sealed_at" not in work.cursor:
        _walk(work, boundary, total, destroy=False)
        with work.step() as cursor:
            cursor.update(sealed_at=work.now.isoformat(), after=0, n_done=0)
    note = _("Waiting until no process holds an old key")
    pace.wait(work, work.cursor["sealed_at"], pace.forgotten(), note)
    _walk(work, boundary, total, destroy=True)
    n_old = SubjectKey.objects.filter(pk__lte=boundary).count()
    return {"n_done": work.cursor.get("n_done", 0), "n_old": n_old}


def _walk(work: Work, boundary: int, total: int, *, destroy: bool) -> None:
    note = _("Destroying old keys") if destroy else _("Sealing with new keys")
    while page := _page(int(work.cursor.get("after", 0)), boundary):
        subjects = list(dict.fromkeys(subject.bytes for _pk, subject in page))
        give_new_keys(subjects, boundary)
        with work.step():
            still_old = reseal(subjects)
            if still_old:  # a value that somebody wrote at that very moment may open now
                still_old = reseal(list(still_old))
        still_old |= registry.seal_files_anew(subjects)
        if destroy:
            # After the values are committed and before the page counts as done: killed in
            # between, the next attempt finds the page, or what is left of it, again.
            _destroy([subject for subject in subjects if subject not in still_old], boundary)
        with work.step() as cursor:
            cursor.update(after=page[-1][0], n_done=cursor.get("n_done", 0) + len(page))
        work.progress(min(work.cursor["n_done"], total), total, note)


def _page(after: int, boundary: int) -> list[tuple[int, UUID]]:
    found = SubjectKey.objects.filter(pk__gt=after, pk__lte=boundary).order_by("pk")
    return list(found.values_list("pk", "subject_uuid")[:PAGE])


def give_new_keys(subjects: Sequence[bytes], boundary: int) -> None:
    """Add the next generation where the newest is of old; an erased person gets none."""
    uuids = [UUID(bytes=subject) for subject in subjects]
    with transaction.atomic(using="keystore"):
        # Locked, so that an erasure waits and then finds the new key as well.
        standing = SubjectKey.objects.select_for_update().filter(subject_uuid__in=uuids)
        newest: dict[bytes, tuple[int, int]] = {}
        for uuid, generation, pk in standing.values_list("subject_uuid", "generation", "pk"):
            newest[uuid.bytes] = max(newest.get(uuid.bytes, (0, 0)), (generation, pk))
        lacking: dict[int, list[bytes]] = {}
        for subject, (generation, pk) in newest.items():
            if pk <= boundary:
                lacking.setdefault(generation + 1, []).append(subject)
        for generation, some in lacking.items():
            keys = {subject: new_key() for subject in some}
            subject_keys.insert(keystore.wrapped(keys, generation=generation))


def reseal(subjects: Sequence[bytes]) -> set[bytes]:
    """Seal again what stands under an older key; return whose values still do."""
    ciphers = keystore.refreshed_many(subjects)
    uuids = [UUID(bytes=subject) for subject in subjects]
    still_old: set[bytes] = set()
    for model in sealed_models():
        fields = sealed_fields(model)
        names = [field.attname for field in fields]
        rows = model._base_manager.filter(subject_id__in=uuids)
        changes: dict[str, list[Change]] = {name: [] for name in names}
        for row, field, sealed in columns_of(
            rows.values("pk", "uuid", "subject_id", *names), fields
        ):
            subject = row["subject_id"].bytes
            mine = ciphers.get(subject, {})
            if not mine:
                continue
            try:
                again = _again(field, sealed, mine, in_row(subject, row["uuid"].bytes))
            except SealedIntegrityError:
                still_old.add(subject)
                continue
            if again != sealed:
                changes[field.attname].append((row["pk"], sealed, again))
        for name, some in changes.items():
            if replace(model, name, some) < len(some):
                # Written meanwhile, perhaps with the old key: the next walk looks again.
                owners = dict(rows.values_list("pk", "subject_id"))
                still_old |= {owners[pk].bytes for pk, _old, _new in some if pk in owners}
    return still_old


def _again(field: Any, sealed: bytes, mine: Ciphers, bound: bytes) -> bytes:
    """Return the value under the newest key, as it stands if that is its key already."""
    if generation_of(sealed) == max(mine):
        return sealed
    plaintext = field.place.open(mine, sealed, bound=bound)
    generation = max(mine)
    again: bytes = field.place.seal(mine[generation], plaintext, generation=generation, bound=bound)
    return again


def _destroy(subjects: Sequence[bytes], boundary: int) -> None:
    uuids = [UUID(bytes=subject) for subject in subjects]
    SubjectKey.objects.filter(subject_uuid__in=uuids, pk__lte=boundary).delete()
    keystore.forget_subjects()
