from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from privacy import registry, subject_export
from privacy.crypto.envelope import SealedIntegrityError
from privacy.models import AuditEntry, Disclosure, SubjectExport
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.spreadsheets import cell
from tests import make
from tests.make import NOW
from tests.privacy.persons import CANARIES, copy_of, erase, world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    settings.OUTBOX_DIR = tmp_path / "outbox"


def opened(export: SubjectExport) -> zipfile.ZipFile:
    data = subject_export.download(export, actor="service:1", now=NOW)
    return zipfile.ZipFile(io.BytesIO(data))


def test_a_copy_holds_every_section_with_the_persons_own_values() -> None:
    found = world()
    assert found.person.email is not None
    with purpose("import", actor="test", now=NOW, reason="asked"):
        found.person.email.reveal()

    data = json.loads(opened(copy_of(found.person)).read("data.json"))

    assert set(data) == {name for name, _records in registry.export_sections()}
    (customer,) = data["customer"]
    assert customer["email"] == CANARIES[2]
    assert customer["full_name"] == CANARIES[3]
    assert [order["total_minor"] for order in data["orders"]] == [49_900]
    assert [refund["amount_minor"] for refund in data["refunds"]] == [900]
    assert data["events"][0]["name"] == "Seen"
    assert data["traits"][0]["revenue_minor"] == 49_000
    assert "persona_zh" in data["traits"][0]
    assert data["segments"][0]["segment"] == "Everybody"
    assert data["recommendations"][0]["reason"] == "because_you_bought"
    assert {row["campaign__name"] for row in data["messages"]} == {"Sent", "Waiting"}
    assert data["message_reactions"][0]["kind"] == "click"
    assert [(row["actor"], row["action"]) for row in data["accesses"]] == [
        ("test", "value.revealed")
    ]


def test_a_copy_holds_nothing_of_anybody_else() -> None:
    found = world()
    archive = opened(copy_of(found.person))
    text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "neighbour" not in text


def test_each_section_is_a_csv_file_too_with_as_many_rows() -> None:
    found = world()
    archive = opened(copy_of(found.person))
    data = json.loads(archive.read("data.json"))
    for name, rows in data.items():
        text = archive.read(f"{name}.csv").decode("utf-8-sig")
        assert len(list(csv.DictReader(io.StringIO(text)))) == len(rows), name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝", "＋", "－", "＠"])
def test_a_text_that_begins_like_a_formula_is_quoted(start: str) -> None:
    assert cell(f"{start}cmd|'/c calc'!A1") == f"'{start}cmd|'/c calc'!A1"


def test_numbers_and_plain_texts_are_left_alone() -> None:
    assert [cell(value) for value in (-5, 0.5, None, "a=b", "")] == [-5, 0.5, None, "a=b", ""]


def test_a_formula_in_the_persons_name_is_quoted_in_the_csv_and_as_it_is_in_the_json() -> None:
    person = make.reader("formula", full_name='=HYPERLINK("http://evil.example")')
    archive = opened(copy_of(person))
    assert "'=HYPERLINK" in archive.read("customer.csv").decode()
    assert json.loads(archive.read("data.json"))["customer"][0]["full_name"].startswith("=HYPER")


def test_the_file_is_sealed_and_readable_by_this_account_only() -> None:
    found = world()
    path = subject_export.path_of(copy_of(found.person))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(canary.encode() in path.read_bytes() for canary in CANARIES)
    assert not zipfile.is_zipfile(path)


def test_a_file_put_in_anothers_place_does_not_open() -> None:
    found = world()
    mine, other = copy_of(found.person), copy_of(found.neighbour)
    subject_export.path_of(other).write_bytes(subject_export.path_of(mine).read_bytes())
    with pytest.raises(SealedIntegrityError):
        opened(other)


def test_a_download_is_audited_and_over_when_the_copy_expires() -> None:
    export = copy_of(world().person)
    opened(export)
    entry = AuditEntry.objects.get(action="export.downloaded")
    assert (entry.actor, entry.subjects) == ("service:1", [str(export.subject_id)])

    later = NOW + subject_export.KEPT_FOR
    with pytest.raises(DomainError):
        subject_export.download(export, actor="service:1", now=later)
    assert subject_export.expire(later - timedelta(seconds=1)) == 0
    assert subject_export.expire(later) == 1
    assert not subject_export.path_of(export).exists()


def test_an_erasure_takes_the_copies_with_it() -> None:
    found = world()
    path = subject_export.path_of(copy_of(found.person))
    erase(found.person)
    assert not path.exists()
    assert not SubjectExport.objects.exists()
    found.person.subject.refresh_from_db()
    with pytest.raises(DomainError, match="erased already"):
        subject_export.ask(found.person.subject, actor="service:1", now=NOW)


def test_a_second_wish_while_the_first_waits_makes_no_second_copy() -> None:
    person = make.reader()
    first = subject_export.ask(person.subject, actor="service:1", now=NOW)
    assert subject_export.ask(person.subject, actor="service:1", now=NOW) == first


def test_whoever_else_gets_a_copy_is_noted_and_named_in_the_next_one() -> None:
    person = world().person
    export = copy_of(person)

    subject_export.download(export, actor="staff:1", now=NOW)
    assert not Disclosure.objects.exists()
    subject_export.download(export, actor="staff:1", now=NOW, to="New shop")

    noted = Disclosure.objects.get()
    assert (noted.recipient.name, noted.subject_id) == ("New shop", person.subject_id)
    (row,) = json.loads(opened(copy_of(person)).read("data.json"))["recipients"]
    assert (row["name"], row["kind"]) == ("New shop", "export")
