"""A new key for the blind indexes: both are looked up until every value is tagged anew.

First all processes learn to look up both, then to write the new one; so at no moment is there
a tag in a row that some process would not look for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from jobs.work import Work
from privacy.crypto.envelope import SealedIntegrityError, in_row
from privacy.fields import SealedField, sealed_fields
from privacy.keystore import keystore
from privacy.models import RootKey
from privacy.root_keys import wrapped_root
from privacy.rotation import pace
from privacy.rotation.columns import Change, columns_of, replace, sealed_models

PAGE = 1_000


def run(work: Work) -> dict[str, Any]:
    version = int(work.payload["replaces"]) + 1
    note = _("Waiting for every process to know")
    announce(version)
    _reached(work, "announced_at")
    pace.wait(work, work.cursor["announced_at"], pace.told(), note)
    RootKey.objects.filter(use=RootKey.Use.INDEX, version=version).update(is_written=True)
    _reached(work, "written_at")
    pace.wait(work, work.cursor["written_at"], pace.told(), note)
    keystore.reread()
    if "tagged" not in work.cursor:
        _walk(work)
        with work.step() as cursor:
            cursor["tagged"] = cursor.pop("places", {})
    note = _("Waiting until no process holds an old tag")
    pace.wait(work, work.cursor["written_at"], pace.forgotten(), note)
    done, n_old = _walk(work)
    if not n_old:
        RootKey.objects.filter(use=RootKey.Use.INDEX, version__lt=version).delete()
    return {"n_done": done, "n_old": n_old}


@transaction.atomic(using="keystore")
def announce(version: int) -> None:
    """Add a key that is looked up and not written yet."""
    if not RootKey.objects.filter(use=RootKey.Use.INDEX, version=version).exists():
        row = wrapped_root(keystore.installation(), RootKey.Use.INDEX, version)
        row.is_written = False
        row.save()


def _reached(work: Work, moment: str) -> None:
    if moment not in work.cursor:
        with work.step() as cursor:
            cursor[moment] = work.now.isoformat()


def _walk(work: Work) -> tuple[int, int]:
    """Tag every row anew; return how many were looked at, and how many keep an old tag."""
    walked = [(model, indexed_fields(model)) for model in sealed_models()]
    walked = [(model, fields) for model, fields in walked if fields]
    total = sum(model._base_manager.count() for model, _fields in walked)
    done = n_old = 0
    for model, fields in walked:
        label = model._meta.label
        while rows := _page(model, fields, int(work.cursor.get("places", {}).get(label, 0))):
            with work.step() as cursor:
                n_old += retag(model, fields, rows)
                cursor.setdefault("places", {})[label] = rows[-1]["pk"]
            done += len(rows)
            work.progress(min(done, total), total, _("Tagging anew"))
    return done, n_old


def indexed_fields(model: type[models.Model]) -> list[SealedField[Any]]:
    return [field for field in sealed_fields(model) if field.index_columns]


def _page(
    model: type[models.Model], fields: Sequence[SealedField[Any]], after: int
) -> list[dict[str, Any]]:
    names = [name for field in fields for name in (field.attname, *field.index_columns)]
    found = model._base_manager.filter(pk__gt=after).order_by("pk")
    return list(found.values("pk", "uuid", "subject_id", *names)[:PAGE])


def retag(
    model: type[models.Model], fields: Sequence[SealedField[Any]], rows: Sequence[dict[str, Any]]
) -> int:
    """Give each value the tag of the newest key; return how many keep an old one.

    Those are values that do not open, and values that another row has, which uniqueness refuses.
    """
    ciphers = keystore.many([row["subject_id"].bytes for row in rows if row["subject_id"]])
    changes: dict[str, list[Change]] = {}
    n_old = 0
    for row, field, sealed in columns_of(rows, fields):
        subject = row["subject_id"].bytes
        bound = in_row(subject, row["uuid"].bytes)
        try:
            plain = field.place.open(ciphers.get(subject, {}), sealed, bound=bound).decode()
        except SealedIntegrityError:
            n_old += 1
            continue
        for column, tag in field.index_tags(field.value_of(plain)).items():
            if row[column] is not None and bytes(row[column]) != tag:
                changes.setdefault(column, []).append((row["pk"], bytes(row[column]), tag))
    return n_old + sum(_replace(model, column, some) for column, some in changes.items())


def _replace(model: type[models.Model], column: str, changes: Sequence[Change]) -> int:
    """Return how many could not be replaced because another row has the value."""
    try:
        with transaction.atomic():
            replace(model, column, changes)
    except IntegrityError:
        if len(changes) == 1:
            return 1
        half = len(changes) // 2
        return _replace(model, column, changes[:half]) + _replace(model, column, changes[half:])
    return 0
