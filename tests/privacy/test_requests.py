from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy import deadlines, links, requests, rights
from privacy.deadlines import add_months, add_working_days
from privacy.models import AuditEntry, Letter, PrivacyRequest, Staff, SubjectKey, Suppression
from privacy.problems import DomainError
from privacy.purposes import purpose
from privacy.rights import Right
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
State = PrivacyRequest.State
ASK = "/privacy/requests/"


@pytest.fixture(autouse=True)
def _own_shop(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.SMTP_URL = ""
    cache.clear()
    make.shop(sender_email="shop@shop.test", time_zone="Europe/Berlin")


def submitted(kind: str = "access", email: str = "ann@example.com") -> PrivacyRequest:
    requests.submit(kind, email, details="", language="en", visitor="10.0.0.1", now=NOW)
    return PrivacyRequest.objects.latest("pk")


def opened(kind: str = "access", email: str = "ann@example.com") -> PrivacyRequest:
    request = submitted(kind, email)
    assert requests.confirm(links.token(request), now=NOW)
    request.refresh_from_db()
    return request


def officer() -> Staff:
    return Staff.objects.filter(username="po").first() or make.staff(
        Staff.Role.PRIVACY_OFFICER, username="po"
    )


def letters(folder: Path) -> list[str]:
    """Send what waits and return the letters, as their readers see them."""
    from campaigns.channels import outbox

    for job in Job.objects.filter(kind="privacy.send_letters", state="queued"):
        running.run(job.pk, clock=timezone.now)
    shown = outbox.messages(folder / "outbox" / "letters")
    return [outbox.read(folder / "outbox" / "letters", one.name).text for one in shown]


# Deadlines --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
    ],
)
def test_a_month_ends_on_the_same_day_or_the_months_last(day: date, n: int, expected: date) -> None:
    assert add_months(day, n) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 2), date(2026, 3, 23)),  # a Monday: three weeks on
        (date(2026, 3, 6), date(2026, 3, 27)),  # a Friday
        (date(2026, 3, 7), date(2026, 3, 27)),  # a Saturday: counting begins on Monday
    ],
)
def test_fifteen_working_days_pass_over_weekends(day: date, expected: date) -> None:
    assert add_working_days(day, 15) == expected


def test_the_clock_ends_with_the_shops_day_not_the_servers() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=ZoneInfo("UTC"))
    assert deadlines.due("gdpr", late, ZoneInfo("Asia/Shanghai")).isoformat() == (
        "2026-04-03T23:59:59+08:00"
    )


def test_the_shop_says_which_law_it_is_under() -> None:
    from privacy.models import Shop

    Shop.objects.update(privacy_law="pipl")
    request = opened(email=str(known().external_id) + "@example.com")
    assert request.due_at is not None
    assert request.due_at.date() == date(2026, 3, 23)


# Intake -----------------------------------------------------------------------------------


def known(name: str = "ann") -> Customer:
    return make.reader(name, email=f"{name}@example.com")


@pytest.mark.parametrize("email", ["ann@example.com", "stranger@example.com"])
def test_the_answer_is_the_same_whether_an_address_is_known_or_not(
    client: Client, email: str
) -> None:
    known()
    first = client.post(ASK, {"kind": "access", "email": email})
    other = client.post(ASK, {"kind": "access", "email": "third@example.com"})

    assert first.status_code == 200
    assert first.content == other.content
    assert Letter.objects.filter(kind="confirm").count() == 2


def test_a_link_proves_who_asks_and_works_once(client: Client, tmp_path: Path) -> None:
    known()
    client.post(ASK, {"kind": "access", "email": "ann@example.com"})
    (text,) = letters(tmp_path)
    match = re.search(r"/privacy/requests/\S+/", text)
    assert match is not None

    assert re.search(r"ask here: \S+/privacy/requests/\s", text), "where to ask for anything else"
    # A program that looks at links (GET) changes nothing.
    assert client.get(match[0]).status_code == 200
    assert PrivacyRequest.objects.get().state == State.UNCONFIRMED
    assert client.post(match[0]).status_code == 200
    request = PrivacyRequest.objects.get()
    assert (request.state, request.about_id is not None) == (State.OPEN, True)
    assert client.post(match[0]).status_code == 404


def test_a_link_is_over_after_a_day_and_an_invented_one_is_none(client: Client) -> None:
    request = submitted()
    PrivacyRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    token = links.token(request)
    assert client.post(f"{ASK}{token}/").status_code == 404
    assert client.get(f"{ASK}{token[:-1]}x/").status_code == 404
    assert client.get(f"{ASK}nonsense/").status_code == 404
    assert requests.settle(timezone.now()) == 1
    assert PrivacyRequest.objects.get().state == State.LAPSED


def test_a_fourth_request_for_an_address_in_a_day_mails_nothing_and_says_the_same() -> None:
    for _ in range(5):
        submitted()
    assert Letter.objects.count() == requests.PER_ADDRESS_A_DAY


def test_a_visitor_who_asks_too_often_is_told(client: Client) -> None:
    answers = [
        client.post(ASK, {"kind": "access", "email": f"a{n}@example.com"}).status_code
        for n in range(requests.PER_VISITOR_AN_HOUR + 1)
    ]
    assert answers == [200] * requests.PER_VISITOR_AN_HOUR + [429]


@pytest.mark.parametrize(
    ("kind", "email", "details", "code"),
    [
        ("access", "no address", "", "invalid_email"),
        ("access", "", "", "invalid_email"),
        ("everything", "ann@example.com", "", "unknown_kind"),
        ("access", "ann@example.com", "x" * 2_001, "too_long"),
    ],
)
def test_bad_input_is_told_and_nothing_is_kept(
    kind: str, email: str, details: str, code: str
) -> None:
    with pytest.raises(DomainError) as caught:
        requests.submit(kind, email, details=details, language="en", visitor="v", now=NOW)
    assert caught.value.code == code
    assert not PrivacyRequest.objects.exists()


def test_the_page_and_the_letters_speak_chinese(client: Client, tmp_path: Path) -> None:
    assert "您的数据" in client.get(f"{ASK}?language=zh-hans").content.decode()
    client.post(f"{ASK}?language=zh-hans", {"kind": "erase", "email": "ann@example.com"})
    (text,) = letters(tmp_path)
    assert "您好" in text


def test_the_address_is_sealed_and_in_no_job() -> None:
    submitted(email="secret-canary@example.com")
    from tests.privacy.persons import everything

    assert "secret-canary" not in everything()


# What is asked for, done ------------------------------------------------------------------


def test_an_address_that_nobody_has_is_told_that_nothing_is_held(tmp_path: Path) -> None:
    request = opened("erase", "stranger@example.com")
    assert request.state == State.DONE
    assert any("hold no data" in text for text in letters(tmp_path))


def test_an_objection_ends_advertising_at_once() -> None:
    ann = known()
    request = opened("object")
    ann.subject.refresh_from_db()
    assert (request.state, ann.subject.objected) == (State.DONE, True)
    assert not Customer.objects.for_purpose("campaign.email").filter(pk=ann.pk).exists()


def test_an_objection_of_a_stranger_suppresses_the_address() -> None:
    opened("object", "stranger@example.com")
    assert Suppression.objects.filter(channel="email").exists()


def test_an_erasure_closes_its_request_and_writes_to_the_erased(tmp_path: Path) -> None:
    ann, request = known(), opened("erase")
    begun = requests.erase(request, staff=officer(), now=NOW)
    assert request.state == State.WORKING
    with pytest.raises(DomainError, match="certificate"):
        requests.finish(request, staff=officer(), now=NOW)

    running.run(Job.objects.get(uuid=str(begun.job_uuid)).pk, clock=lambda: NOW)
    assert requests.settle(NOW) == 1

    request.refresh_from_db()
    assert request.state == State.DONE
    assert not Customer.objects.filter(pk=ann.pk).exists()
    assert any(str(begun.uuid) in text for text in letters(tmp_path))


def test_a_restriction_keeps_the_data_and_ends_its_use() -> None:
    ann, request = known(), opened("restrict")
    requests.restrict(request, staff=officer(), now=NOW)
    for name in ("campaign.email", "profile.build", "recommend"):
        assert not Customer.objects.for_purpose(name).filter(pk=ann.pk).exists()
    assert Customer.objects.filter(pk=ann.pk).exists()


def test_a_correction_is_audited_by_the_names_of_fields_alone() -> None:
    ann, request = known(), opened("correct")
    fields = requests.correct(
        request, {"full_name": "Anna Canary", "city": "Bern"}, staff=officer(), now=NOW
    )
    ann.refresh_from_db()
    assert (fields, ann.city) == (["city", "full_name"], "Bern")
    with purpose("import", actor="test", now=NOW):
        assert ann.full_name is not None
        assert ann.full_name.reveal() == "Anna Canary"
    entry = AuditEntry.objects.get(action="subject.corrected")
    assert (entry.fields, "Canary" in str(entry.__dict__)) == (["city", "full_name"], False)


@pytest.mark.parametrize(
    ("field", "value"), [("email", "none"), ("phone", "12"), ("birth_date", "soon")]
)
def test_a_correction_that_cannot_be_names_its_field(field: str, value: str) -> None:
    known()
    request = opened("correct")
    with pytest.raises(DomainError) as caught:
        requests.correct(request, {field: value}, staff=officer(), now=NOW)
    assert caught.value.pointer == f"/{field}"


def test_a_refusal_and_an_extension_need_a_reason_the_person_is_told(tmp_path: Path) -> None:
    known()
    request = opened()
    for act in (requests.refuse, requests.extend):
        with pytest.raises(DomainError, match="reason"):
            act(request, "  ", staff=officer(), now=NOW)
    requests.extend(request, "Many boxes.", staff=officer(), now=NOW)
    assert request.due_at is not None
    assert request.due_at.date() == date(2026, 6, 2)
    with pytest.raises(DomainError, match="once"):
        requests.extend(request, "More boxes.", staff=officer(), now=NOW)
    requests.refuse(request, "Not yours.", staff=officer(), now=NOW)
    told = "".join(letters(tmp_path))
    assert "Many boxes." in told
    assert "Not yours." in told


def test_a_closed_request_cannot_be_moved() -> None:
    known()
    request = opened()
    requests.finish(request, staff=officer(), now=NOW)
    for act in (requests.begin, requests.finish, requests.export):
        with pytest.raises(DomainError, match="not open"):
            act(request, staff=officer(), now=NOW)


def test_officers_are_reminded_once_a_day_in_the_last_week(tmp_path: Path) -> None:
    known()
    request = opened()
    assert request.due_at is not None
    Staff.objects.filter(pk=officer().pk).update(email="po@shop.test")
    assert requests.remind(request.due_at - timedelta(days=8)) == 0
    near = request.due_at - timedelta(days=6)
    assert requests.remind(near) == 1
    assert requests.remind(near + timedelta(hours=1)) == 0
    assert requests.remind(near + timedelta(days=1, minutes=1)) == 1
    mails = list((tmp_path / "outbox" / "letters").glob("*reminder*"))
    assert len(mails) == 2
    assert "ann@" not in mails[0].read_text()


def test_the_address_of_an_ended_request_is_destroyed_after_a_month() -> None:
    known()
    request = opened()
    requests.finish(request, staff=officer(), now=NOW)
    assert requests.forget(NOW + timedelta(days=29)) == 0

    assert requests.forget(NOW + timedelta(days=30)) == 1

    request.refresh_from_db()
    assert (request.email, request.details, request.email_tag) == (None, None, None)
    assert not SubjectKey.objects.filter(subject_uuid=request.subject.uuid).exists()
    assert requests.forget(NOW + timedelta(days=31)) == 0


# Rights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "ends"),
    [
        (Right.RESTRICTION, {"campaign.email", "campaign.onsite", "profile.build", "recommend"}),
        (Right.OBJECTION, {"campaign.email", "campaign.onsite"}),
        (Right.NO_PROFILING, {"profile.build", "recommend"}),
    ],
)
def test_each_right_ends_the_uses_it_names_and_lifting_it_brings_them_back(
    right: Right, ends: set[str]
) -> None:
    ann = known()
    uses = ("campaign.email", "campaign.onsite", "profile.build", "recommend")

    def used() -> set[str]:
        return {name for name in uses if Customer.objects.for_purpose(name).exists()}

    assert rights.switch(ann.subject, right, on=True, actor="staff:1", now=NOW)
    assert used() == set(uses) - ends
    assert not rights.switch(ann.subject, right, on=True, actor="staff:1", now=NOW)
    rights.switch(ann.subject, right, on=False, actor="staff:1", now=NOW)
    assert used() == set(uses)
    assert AuditEntry.objects.filter(action=f"subject.{right.value}").count() == 2
