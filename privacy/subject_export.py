"""A copy of everything held about one person, in JSON and CSV, for that person (art. 15, 20 GDPR).

The file is sealed with the person's own key, so an erasure makes every copy of it unreadable.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from jobs import queue
from privacy import audit, recipients, registry
from privacy.crypto.envelope import KeyGoneError, SealedIntegrityError, generation_of, in_row
from privacy.keystore import Ciphers, keystore
from privacy.models import PrivacyRequest, Recipient, Shop, Subject, SubjectExport
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.spreadsheets import cell

if TYPE_CHECKING:
    from jobs.work import Work

JOB = "privacy.export_subject"
KEPT_FOR = timedelta(days=30)
LABEL, FIELD = "subject_export", "file"


def ask(
    subject: Subject, *, actor: str, now: datetime, request: PrivacyRequest | None = None
) -> SubjectExport:
    """Have a copy made; one that is being made already is returned again.

    Raises DomainError `erased_already`.
    """
    if subject.erased_at is not None:
        raise DomainError("erased_already", _("This person is erased already."), status=409)
    waiting = SubjectExport.objects.filter(subject=subject, state=SubjectExport.State.WAITING)
    if (there := waiting.first()) is not None:
        return there
    export = SubjectExport.objects.create(
        subject=subject, request=request, actor=actor, created_at=now
    )
    queue.enqueue(JOB, {"export": export.pk}, now=now, unique_key=f"{JOB}:{export.pk}")
    return export


def make(work: Work) -> dict[str, Any]:
    """Collect, pack and seal the copy of `payload["export"]`; returns rows by section."""
    export = SubjectExport.objects.select_related("subject").filter(pk=work.payload["export"])
    found = export.first()
    if found is None or found.state != SubjectExport.State.WAITING:
        return {}
    now = work.now
    with purpose("subject.rights", actor=found.actor, now=now, reason=f"copy {found.uuid}"):
        sections = collect(found.subject.uuid, now)
    data = pack(sections, now=now)
    ciphers = keystore.ensure([found.subject_id.bytes])[found.subject_id.bytes]
    _write(path_of(found), _sealed(found, data, ciphers))
    with work.step():
        SubjectExport.objects.filter(pk=found.pk).update(
            state=SubjectExport.State.READY,
            sha256=sha256(data).hexdigest(),
            n_bytes=len(data),
            ready_at=now,
            expires_at=now + KEPT_FOR,
        )
    return {name: len(rows) for name, rows in sections.items()}


def collect(subject: UUID, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every section; call it with the purpose `subject.rights` open."""
    return {
        name: [dict(row) for row in records(subject, now)]
        for name, records in registry.export_sections()
    }


def pack(sections: Mapping[str, Sequence[Mapping[str, Any]]], *, now: datetime) -> bytes:
    """Return a ZIP of `data.json` with all sections and one CSV file for each."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _covering_note(sections, now))
        archive.writestr(
            "data.json", json.dumps(sections, default=_plain, ensure_ascii=False, indent=1)
        )
        for name, rows in sections.items():
            archive.writestr(f"{name}.csv", "\ufeff" + _as_csv(rows))
    return packed.getvalue()


def download(export: SubjectExport, *, actor: str, now: datetime, to: str = "") -> bytes:
    """Open a copy that is ready; audited before it leaves.

    Raises DomainError `not_ready` (409), `not_there` (410).
    `to` names who else than the person gets it (art. 20(2) GDPR), to be told of an erasure.
    """
    if export.state == SubjectExport.State.WAITING:
        raise DomainError("not_ready", _("This copy is being made; ask again soon."), status=409)
    is_there = export.state == SubjectExport.State.READY and path_of(export).exists()
    if not is_there or (export.expires_at and export.expires_at <= now):
        raise DomainError("not_there", _("This copy is not there (any more)."), status=410)
    audit.append(
        "export.downloaded",
        actor=actor,
        at=now,
        purpose="subject.rights",
        subjects=[export.subject_id.bytes],
        reason=f"copy {export.uuid}",
    )
    if to:
        recipient = recipients.named(to, Recipient.Kind.EXPORT, since=now.date())
        recipients.note(recipient, [export.subject_id], now=now)
    return _read(export)


def expire(now: datetime) -> int:
    """Delete the files whose time is over, and those no row speaks of; returns how many."""
    over = SubjectExport.objects.filter(state=SubjectExport.State.READY, expires_at__lte=now)
    for export in over:
        path_of(export).unlink(missing_ok=True)
    n_expired = over.update(state=SubjectExport.State.EXPIRED)
    known = {path_of(export).name for export in SubjectExport.objects.exclude(state="expired")}
    left = [path for path in _files() if path.name not in known]
    for path in left:
        path.unlink(missing_ok=True)
    return n_expired + len(left)


def files_of(subject: UUID) -> Iterable[Path]:
    exports = SubjectExport.objects.filter(subject__uuid=subject)
    return [path for export in exports if (path := path_of(export)).exists()]


def seal_anew(subjects: Sequence[bytes]) -> set[bytes]:
    """Seal those persons' files with their newest key; return whose do not open."""
    uuids = [UUID(bytes=subject) for subject in subjects]
    waiting = [
        export
        for export in SubjectExport.objects.filter(subject__uuid__in=uuids)
        if path_of(export).exists()
    ]
    ciphers = keystore.refreshed_many([export.subject_id.bytes for export in waiting])
    still_old: set[bytes] = set()
    for export in waiting:
        subject = export.subject_id.bytes
        mine, sealed = ciphers.get(subject, {}), path_of(export).read_bytes()
        if not mine:
            continue
        try:
            if generation_of(sealed) == max(mine):
                continue
            data = _opened(export, sealed, mine)
        except SealedIntegrityError:
            still_old.add(subject)
        else:
            _write(path_of(export), _sealed(export, data, mine))
    return still_old


def path_of(export: SubjectExport) -> Path:
    return _folder() / f"{export.uuid}.zip.sealed"


def _folder() -> Path:
    return Path(settings.VAR_DIR) / "exports"


def _files() -> list[Path]:
    return sorted(_folder().glob("*.sealed")) if _folder().is_dir() else []


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    handle = os.open(half, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _sealed(export: SubjectExport, data: bytes, ciphers: Ciphers) -> bytes:
    generation = max(ciphers)
    return keystore.column(LABEL, FIELD).seal(
        ciphers[generation], data, generation=generation, bound=_bound(export)
    )


def _read(export: SubjectExport) -> bytes:
    subject = export.subject_id.bytes
    try:
        return _opened(export, path_of(export).read_bytes(), keystore.ciphers(subject))
    except KeyGoneError:  # sealed anew since the keys, or the file, were read
        return _opened(export, path_of(export).read_bytes(), keystore.refreshed(subject))


def _opened(export: SubjectExport, sealed: bytes, ciphers: Ciphers) -> bytes:
    return keystore.column(LABEL, FIELD).open(ciphers, sealed, bound=_bound(export))


def _bound(export: SubjectExport) -> bytes:
    return in_row(export.subject_id.bytes, export.uuid.bytes)


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(_flat(value)) for name, value in row.items()})
    return text.getvalue()


def _flat(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _covering_note(sections: Mapping[str, Sequence[Any]], now: datetime) -> str:
    """Say in both languages what lies here; the words do not depend on who looks."""
    shop = Shop.current().name
    listed = "\r\n".join(f"- {name}.csv: {len(rows)}" for name, rows in sections.items())
    return (
        f"{shop}, {now:%Y-%m-%d %H:%M} UTC\r\n\r\n"
        "Everything held about you, as data.json and as one CSV file for each section.\r\n"
        "Accesses to many customers at once are logged by a digest and not listed one by one.\r\n"
        "A quote before = + - @ keeps spreadsheet programs from running a cell.\r\n\r\n"
        "我们持有的关于您的全部数据：data.json，以及每一部分一个 CSV 文件。\r\n"
        "一次查看许多客户的记录只保留摘要，不逐条列出。\r\n"
        "以 = + - @ 开头的单元格前加了引号，以免表格程序把它当作公式。\r\n\r\n"
        f"{listed}\r\n"
    )
