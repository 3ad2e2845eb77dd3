"""The upload pages: what a browser sends is sealed on its way in, looked at, brought in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from jobs import running
from jobs.models import Job
from privacy.problems import DomainError
from profiles.admin.uploads import FileForm
from profiles.importing import uploads
from profiles.importing.receiving import SealedUpload
from profiles.models import Customer
from tests import make

pytestmark = pytest.mark.django_db
NEW = "/admin/profiles/upload/new/"
PEOPLE = b"customer id,name,e-mail\n" + b"".join(
    b"c-%d,Ann Lee,ann%d@example.com\n" % (n, n) for n in range(3)
)


@pytest.fixture
def browser(settings: Any, tmp_path: Path) -> Client:
    settings.VAR_DIR = tmp_path
    make.shop()
    client = Client()
    client.force_login(make.staff())
    return client


def send(client: Client, content: bytes, **members: str) -> Any:
    file = SimpleUploadedFile("people.csv", content)
    return client.post(NEW, {"kind": "customers", "file": file} | members)


def on_disk() -> list[bytes]:
    return [path.read_bytes() for path in uploads.folder().iterdir()]


def test_a_file_goes_from_the_browser_to_the_import_and_never_lies_open(browser: Client) -> None:
    columns = send(browser, PEOPLE)["Location"]

    (sealed,) = on_disk()
    assert b"ann" not in sealed
    looked = browser.get(columns)
    assert "xxx xxx" in looked.content.decode()
    mapped = {f"map-{k}": v for k, v in looked.context["preview"].mapping.items()}
    browser.post(columns, mapped | {"at-once": "1"})
    job = running.run(Job.objects.get().pk, clock=timezone.now)

    assert job is not None
    assert job.state == Job.State.DONE
    assert Customer.objects.get(email="ann2@example.com").external_id == "c-2"
    assert on_disk() == []


def test_a_large_file_needs_no_temporary_folder(
    browser: Client, settings: Any, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "nowhere"

    assert send(browser, PEOPLE + b"x,y,z\n" * 1_000_000).status_code == 302

    assert sum(map(len, on_disk())) > 6_000_000


def test_a_file_of_a_form_that_is_refused_is_gone_with_the_request(browser: Client) -> None:
    assert send(browser, PEOPLE, kind="nonsense").status_code == 200

    assert on_disk() == []


@pytest.mark.usefixtures("browser")
def test_a_file_sent_to_a_page_that_wants_none_is_gone_with_the_request(client: Client) -> None:
    file = SimpleUploadedFile("people.csv", PEOPLE)

    client.post("/admin/login/", {"username": "x", "password": "y", "file": file})

    assert on_disk() == []


@pytest.mark.usefixtures("browser")
def test_a_file_beyond_the_limit_is_dropped_and_told_in_words() -> None:
    incoming = uploads.Incoming(max_bytes=100)
    incoming.write(b"x" * 100)
    with pytest.raises(DomainError, match="larger than 1 GiB"):
        incoming.write(b"x")
    assert on_disk() == []

    sent = SealedUpload(incoming, name="o.csv", content_type="", size=uploads.MAX_BYTES + 1)
    form = FileForm({"kind": "orders"}, MultiValueDict({"file": [sent]}))

    assert form.errors["file"] == ["The file is larger than 1 GiB."]


def test_what_a_file_would_change_is_shown_before_it_is_brought_in_and_taken_back_after(
    browser: Client,
) -> None:
    columns = send(browser, PEOPLE + b"c-9,Ben,no address\n")["Location"]
    mapping = browser.get(columns).context["preview"].mapping
    page = browser.post(columns, {f"map-{k}": v for k, v in mapping.items()})["Location"]
    running.run(Job.objects.get().pk, clock=timezone.now)

    told = browser.get(page)
    assert dict(told.context["counts"])["Added"] == 3
    assert told.context["reasons"] == [("email_invalid", 1)]
    assert not Customer.objects.exists()
    assert len(on_disk()) == 1

    browser.post(page.replace("change", "real"))
    running.run(Job.objects.latest("pk").pk, clock=timezone.now)
    assert Customer.objects.count() == 3
    assert on_disk() == []

    browser.post(page.replace("change", "undo"))
    running.run(Job.objects.latest("pk").pk, clock=timezone.now)
    assert not Customer.objects.exists()
    assert "3 changes" in browser.get(page).content.decode()
