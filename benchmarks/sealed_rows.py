"""One process that times plain, sealed and the peer's rows in turns; prints seconds as JSON.

Each row has an e-mail with a unique index, a telephone and a name. The peer is
django-fernet-encrypted-fields: one key for all, no associated data, and no index, so it cannot
be asked for an address. Databases are in memory, so that CPU time is all there is.
"""

from __future__ import annotations

import gc
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

ROUNDS = 11
N_ROWS = 1_000
N_GETS = 100
N_COLUMN_ROWS = 10_000
COLUMNS = ("email", "phone", "full_name")


def set_up() -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "VAR_DIR": tempfile.mkdtemp(),
        "DATABASE_URL": "sqlite:///:memory:",
        "KEYSTORE_DATABASE_URL": "sqlite:///:memory:",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.SALT_KEY = "a salt"
    django.setup()
    for alias in ("default", "keystore"):
        call_command("migrate", verbosity=0, database=alias)


def tables() -> tuple[Any, Any, Any]:
    from django.db import connection, models
    from encrypted_fields.fields import EncryptedCharField, EncryptedEmailField

    from privacy import fields
    from privacy.models import Subject

    def person() -> Any:
        """The same link to the person in all three."""
        return models.ForeignKey(
            Subject, models.CASCADE, to_field="uuid", related_name="+", db_index=False,
            db_constraint=False,
        )  # fmt: skip

    class Plain(models.Model):  # noqa: DJ008
        uuid = models.UUIDField(default=uuid4, unique=True)
        subject = person()
        email = models.CharField(max_length=254, null=True, unique=True)
        phone = models.CharField(max_length=20, null=True)
        full_name = models.CharField(max_length=200, null=True)

        class Meta:
            app_label = "privacy"

    class Peer(models.Model):  # noqa: DJ008
        uuid = models.UUIDField(default=uuid4, unique=True)
        subject = person()
        email = EncryptedEmailField(null=True)
        phone = EncryptedCharField(max_length=20, null=True)
        full_name = EncryptedCharField(max_length=200, null=True)

        class Meta:
            app_label = "privacy"

    class Sealed(fields.SealedModel):
        sealed_label: ClassVar[str] = "benchmark"
        uuid = models.UUIDField(default=uuid4, unique=True)
        subject = person()
        email_tag = fields.TagField(unique=True)
        email = fields.SealedEmailField(tag="email_tag")
        phone = fields.SealedPhoneField()
        full_name = fields.SealedTextField(data_class="name")
        objects = fields.SealedQuerySet.as_manager()

        class Meta:
            app_label = "privacy"

    with connection.schema_editor() as editor:
        for model in (Plain, Sealed, Peer):
            editor.create_model(model)
    return Plain, Sealed, Peer


def people(number: int) -> list[dict[str, Any]]:
    first = number * N_ROWS
    chance = random.Random(number)  # addresses come in no order, as in life
    return [
        {
            "subject_id": uuid4(),
            "email": f"{chance.getrandbits(40):x}.{n}@example.com",
            "phone": f"+86138{n:08}",
            "full_name": f"王小明 {n}",
        }
        for n in range(first, first + N_ROWS)
    ]


class Stopwatch:
    """CPU seconds a row, by what was done."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    def time(self, name: str, work: Callable[[], Any], per: int = N_ROWS) -> None:
        gc.collect()
        gc.disable()
        started = time.process_time()
        work()
        self.taken.setdefault(name, []).append((time.process_time() - started) / per)
        gc.enable()


def newest(model: Any, n: int = N_ROWS) -> Any:
    return model.objects.order_by("-pk")[:n]


def add(model: Any, rows: list[dict[str, Any]]) -> None:
    model.objects.bulk_create([model(**row) for row in rows])


def read(model: Any) -> None:
    for row in newest(model):
        _ = row.email, row.phone, row.full_name


def read_opened(model: Any) -> None:
    fields = [model._meta.get_field(name) for name in COLUMNS]
    for row in newest(model):
        for field in fields:
            field.plain_of(row)


def reveal_each(model: Any) -> None:
    """As one page does it: the gate asks and the audit log is written for each value."""
    for row in newest(model, N_GETS):
        for name in COLUMNS:
            getattr(row, name).reveal()


def get_each(model: Any, rows: list[dict[str, Any]]) -> None:
    for row in rows[:N_GETS]:
        model.objects.get(email=row["email"])


def time_rows(
    watch: Stopwatch,
    models: tuple[Any, Any, Any],
    rows: list[dict[str, Any]],
    known: list[dict[str, Any]],
) -> None:
    from privacy.keystore import keystore

    plain, sealed, peer = models
    watch.time("write plain", lambda: add(plain, rows))
    watch.time("write sealed", lambda: add(sealed, rows))
    keystore.ensure([row["subject_id"].bytes for row in known])
    watch.time("write known", lambda: add(sealed, known))
    watch.time("write peer", lambda: add(peer, rows))
    watch.time("read plain", lambda: read(plain))
    watch.time("read sealed", lambda: read_opened(sealed))
    watch.time("read untouched", lambda: list(newest(sealed)))
    watch.time("read peer", lambda: read(peer))
    watch.time("reveal", lambda: reveal_each(sealed), N_GETS * len(COLUMNS))
    watch.time("get plain", lambda: get_each(plain, rows), N_GETS)
    watch.time("get sealed", lambda: get_each(sealed, rows), N_GETS)


def time_columns(watch: Stopwatch, plain: Any, sealed: Any) -> None:
    from privacy.fields import reveal_columns
    from privacy.keystore import keystore

    def values() -> None:
        list(newest(plain, N_COLUMN_ROWS).values_list("pk", *COLUMNS))

    def columns() -> None:
        reveal_columns(newest(sealed, N_COLUMN_ROWS), COLUMNS, "import")

    keystore.forget_subjects()
    watch.time("columns cold", columns, N_COLUMN_ROWS)
    watch.time("columns warm", columns, N_COLUMN_ROWS)
    watch.time("columns plain", values, N_COLUMN_ROWS)


def measure() -> dict[str, list[float]]:
    from django.utils import timezone

    from privacy.purposes import purpose

    models = tables()
    watch = Stopwatch()
    with purpose("import", actor="test", now=timezone.now()):
        for number in range(ROUNDS):
            time_rows(watch, models, people(2 * number), people(2 * number + 1))
        for _ in range(ROUNDS):
            time_columns(watch, models[0], models[1])
    return watch.taken


if __name__ == "__main__":
    set_up()
    print(json.dumps(measure()))
