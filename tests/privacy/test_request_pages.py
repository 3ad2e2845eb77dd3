from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy import links, requests, subject_export, use_rules
from privacy.models import AuditEntry, Erasure, PrivacyRequest, Recipient, Staff, UseRule
from profiles.models import Customer
from tests import make

pytestmark = pytest.mark.django_db
LIST = "/admin/privacy/privacyrequest/"


@pytest.fixture(autouse=True)
def _own_shop(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.SMTP_URL = ""
    cache.clear()
    make.shop(sender_email="shop@shop.test", set_up_at=make.NOW)


@pytest.fixture
def asked() -> PrivacyRequest:
    make.reader("ann", email="ann@example.com")
    return opened("erase")


def opened(kind: str) -> PrivacyRequest:
    now = timezone.now()
    requests.submit(
        kind, "ann@example.com", details="My canary", language="en", visitor="v", now=now
    )
    request = PrivacyRequest.objects.latest("pk")
    assert requests.confirm(links.token(request), now=now)
    return PrivacyRequest.objects.get(pk=request.pk)


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def work() -> None:
    for job in Job.objects.filter(state="queued").exclude(kind="privacy.send_letters"):
        running.run(job.pk, clock=timezone.now)


@pytest.mark.parametrize(
    "role", [Staff.Role.VIEWER, Staff.Role.MARKETER, Staff.Role.APPROVER, Staff.Role.SUPPORT]
)
def test_requests_are_for_privacy_officers(role: str, asked: PrivacyRequest) -> None:
    client = signed_in(role)
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{asked.pk}/change/").status_code == 404
    for act in ("begin", "erase", "refuse"):
        assert client.post(f"{LIST}{asked.pk}/do/{act}/").status_code == 404
    assert client.post(f"{LIST}{asked.pk}/reveal/").status_code == 404
    assert "privacyrequest" not in client.get("/admin/").content.decode()
    asked.refresh_from_db()
    assert asked.state == PrivacyRequest.State.OPEN


def test_an_officer_erases_a_person_and_hands_out_the_certificate(asked: PrivacyRequest) -> None:
    Recipient.objects.create(name="Parcel service", since=make.NOW.date())
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    page = client.get(f"{LIST}{asked.pk}/change/").content.decode()
    assert "ann@example.com" not in page
    assert "canary" not in page

    client.post(f"{LIST}{asked.pk}/do/erase/")
    work()

    assert not Customer.objects.exists()
    erasure = Erasure.objects.get()
    url = f"/admin/privacy/erasure/{erasure.pk}"
    assert "Parcel service" in client.get(f"{url}/change/").content.decode()
    assert json.loads(client.get(f"{url}/certificate/").content) == erasure.certificate
    notice = erasure.notices.get()
    for state in ("told", "confirmed", "confirmed"):
        client.post(f"/admin/privacy/erasure/notices/{notice.pk}/")
        notice.refresh_from_db()
        assert notice.state == state
    assert client.get(LIST).status_code == 200


def test_a_look_at_who_asks_is_audited_and_kept_by_no_cache(asked: PrivacyRequest) -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    answer = client.post(f"{LIST}{asked.pk}/reveal/")
    assert "ann@example.com" in answer.content.decode()
    assert "My canary" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.filter(action="value.revealed", reason__contains=str(asked.uuid))
    assert client.get(f"{LIST}{asked.pk}/reveal/").status_code == 405


def test_a_copy_is_made_and_downloaded_and_its_request_closed() -> None:
    make.reader("ann", email="ann@example.com")
    asked = opened("access")
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    client.post(f"{LIST}{asked.pk}/do/export/")
    work()
    copy = asked.exports.get()

    assert client.get(f"{LIST}copies/{copy.pk}/").status_code == 405
    answer = client.post(f"{LIST}copies/{copy.pk}/")

    assert "data.json" in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert AuditEntry.objects.filter(action="export.downloaded").exists()
    client.post(f"{LIST}{asked.pk}/do/finish/")
    asked.refresh_from_db()
    assert asked.state == PrivacyRequest.State.DONE


def test_a_correction_on_the_page_sets_what_was_filled_in() -> None:
    ann = make.reader("ann", email="ann@example.com", city="Basel")
    asked = opened("correct")
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    client.post(f"{LIST}{asked.pk}/do/correct/", {"city": "Bern", "full_name": ""})
    ann.refresh_from_db()
    assert (ann.city, str(ann.full_name)) == ("Bern", "A*** L***")
    answer = client.post(f"{LIST}{asked.pk}/do/correct/", {"email": "nonsense"}, follow=True)
    assert "name@example.com" in answer.content.decode()


def test_a_refusal_without_a_reason_is_told_and_an_unknown_act_is_none(
    asked: PrivacyRequest,
) -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    answer = client.post(f"{LIST}{asked.pk}/do/refuse/", {"reason": ""}, follow=True)
    assert "Write the reason" in answer.content.decode()
    assert client.post(f"{LIST}{asked.pk}/do/nonsense/").status_code == 404


def test_the_page_of_retention_shows_every_schedule_and_takes_an_own_period() -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    assert "Events of customers" in client.get("/admin/privacy/retentionperiod/").content.decode()
    made = client.post("/admin/privacy/retentionperiod/add/", {"schedule": "events", "days": 90})
    assert made.status_code == 302
    refused = client.post("/admin/privacy/retentionperiod/add/", {"schedule": "audit", "days": 1})
    assert refused.status_code == 200


def test_who_signed_in_long_ago_confirms_before_anything_is_shown(asked: PrivacyRequest) -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    copy = subject_export.ask(Customer.objects.get().subject, actor="x", now=timezone.now())
    work()
    client.get("/admin/")
    session = client.session
    session["confirmed_at"] = (timezone.now() - timedelta(minutes=11)).timestamp()
    session.save()

    for path in (f"{LIST}{asked.pk}/reveal/", f"{LIST}copies/{copy.pk}/"):
        answer = client.post(path)
        assert (answer.status_code, "/me/confirm/" in answer["Location"]) == (302, True)
    assert not AuditEntry.objects.filter(
        action="value.revealed", actor__startswith="staff"
    ).exists()
    assert not AuditEntry.objects.filter(action="export.downloaded").exists()


def test_requests_are_revealed_thirty_times_an_hour_with_customers(asked: PrivacyRequest) -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    customer = Customer.objects.get()
    why = {"group": "contact", "code": "asked", "reason": "called"}
    for _ in range(15):
        assert client.post(f"{LIST}{asked.pk}/reveal/").status_code == 200
        assert (
            client.post(f"/admin/profiles/customer/{customer.pk}/reveal/", why).status_code == 200
        )

    refused = client.post(f"{LIST}{asked.pk}/reveal/")

    assert (refused.status_code, refused["Location"]) == (302, f"{LIST}{asked.pk}/change/")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.purpose, entry.outcome) == (
        "reveal.refused", "subject.rights", "refused",
    )  # fmt: skip


def test_what_a_use_rule_forbids_is_told_and_not_a_fault(asked: PrivacyRequest) -> None:
    client = signed_in(Staff.Role.PRIVACY_OFFICER)
    use_rules.mirror()
    UseRule.objects.filter(purpose="subject.rights").update(until=make.NOW)

    answer = client.post(f"{LIST}{asked.pk}/reveal/", follow=True)

    assert answer.status_code == 200
    assert "The use rule that let you open this has ended." in answer.content.decode()
