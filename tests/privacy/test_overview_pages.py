"""The pages of privacy: what is held, what was agreed to, who opened what, the record of it all."""

from __future__ import annotations

import ast
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone, translation

from jobs import running
from jobs.models import Job
from privacy import audit, checkpoints, consent, inventory, links, processing, requests, retention
from privacy.admin.access import ACTIONS
from privacy.keystore import keystore
from privacy.models import (
    AuditEntry,
    OptIn,
    PrivacyRequest,
    PurposeRecord,
    Recipient,
    RetentionPeriod,
    Staff,
    SubjectKey,
    UseRule,
)
from privacy.purpose_registry import REGISTRY
from privacy.purposes import purpose
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
HOME, RECORD = "/admin/privacy/", "/admin/privacy/record/"
CONSENTS, LOG = "/admin/privacy/consententry/", "/admin/privacy/auditentry/"


@pytest.fixture
def officer(client: Client) -> Client:
    make.shop(name="Lumen", sender_email="shop@shop.test", set_up_at=NOW)
    client.force_login(make.staff(Staff.Role.PRIVACY_OFFICER))
    return client


def people(n: int) -> list[Customer]:
    return [
        make.customer(f"C-{i}", email=f"p{i}@example.com", full_name="Ann Lee", city="Graz")
        for i in range(n)
    ]


def ask_for_erasure(days_ago: int) -> None:
    cache.clear()
    now = timezone.now() - timedelta(days=days_ago)
    requests.submit("erase", "p0@example.com", details="", language="en", visitor="v", now=now)
    assert requests.confirm(links.token(PrivacyRequest.objects.latest("pk")), now=now)


def noted() -> set[str]:
    """Every action that the code writes into the log by its name."""
    folders = ("campaigns", "privacy", "profiles", "recommendations")
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("audit"), attr="append") | ast.Name("_audit"),
                    args=[ast.Constant(str(action)), *_],
                ):
                    found.add(action)
    return found


def test_every_action_of_the_log_has_words() -> None:
    assert {"webhook.rotated", "suppression.lifted", "value.revealed"} <= noted()
    assert noted() - set(ACTIONS) == set()


def test_values_are_counted_by_class_with_their_purposes_and_periods() -> None:
    people(3)
    make.customer("C-9", city="")

    held = {one.data_class: one for one in inventory.by_class(NOW)}

    assert {name: held[name].n for name in ("email", "name", "phone", "place", "pseudonym")} == {
        "email": 3, "name": 3, "phone": 0, "place": 3, "pseudonym": 4,
    }  # fmt: skip
    assert (held["email"].is_sealed, held["place"].is_sealed) == (True, False)
    assert REGISTRY["campaign.email"] in held["email"].purposes
    assert REGISTRY["campaign.email"] not in held["birth_date"].purposes
    periods = {kept.schedule.name for kept in held["phone"].kept if kept.schedule}
    assert periods == {"customers", "sign_ups"}
    assert "technical" not in held


def test_every_table_about_persons_is_counted_and_says_how_long_it_is_kept() -> None:
    make.order(people(2)[0], ("tv", "Screens", 1, 100))
    RetentionPeriod.objects.create(schedule="carts", days=7)

    rows = {one.holding.model.__name__: one for one in inventory.by_table(NOW)}

    assert (rows["Customer"].n, rows["Order"].n, rows["SubjectKey"].n) == (2, 1, 2)
    assert rows["Cart"].kept.days == 7
    assert rows["EventKey"].kept.until
    assert rows["CustomerTraits"].kept == rows["Customer"].kept  # it goes with the customer
    assert "Staff" not in rows


def test_every_schedule_says_of_which_tables_it_speaks() -> None:
    assert [one.name for one, _days in retention.periods() if not one.models(NOW)] == []


def test_the_home_shows_what_is_held_whose_clock_runs_and_how_the_keys_are(officer: Client) -> None:
    people(2)
    ask_for_erasure(days_ago=40)
    ask_for_erasure(days_ago=26)

    page = officer.get(HOME)
    text = page.content.decode()

    assert page.context["n_people"] == 2
    assert [tone for _asked, _words, tone in page.context["requests"]] == ["is-bad", "is-warn"]
    assert "1 request is overdue." in text
    assert page.context["keys"]["epochs"][0].n_keys == SubjectKey.objects.count() == 4
    assert "never checked" in text
    assert "p0@example.com" not in text


@pytest.mark.parametrize("role", Staff.Role.values)
def test_only_officer_and_administrator_see_home_and_record(client: Client, role: str) -> None:
    client.force_login(make.staff(role))
    may = role in {Staff.Role.PRIVACY_OFFICER, Staff.Role.ADMINISTRATOR}

    for url in (RECORD, f"{RECORD[:-1]}.csv", f"{RECORD[:-1]}.json"):
        assert client.get(url).status_code == (200 if may else 403)
    home = client.get(HOME)  # breadcrumbs lead everybody here
    assert home.status_code == 200
    assert ("head" in home.context) == may
    menu = client.get("/admin/").content.decode()
    assert [f'href="{url}"' in menu for url in (HOME, RECORD)] == [may, may]


def test_a_key_provider_that_is_away_is_told_on_the_home(officer: Client, settings: Any) -> None:
    people(1)
    settings.KEY_PROVIDER, settings.KEY_ROOT = "env", ""
    keystore.forget()

    page = officer.get(HOME)

    assert page.status_code == 200
    assert page.context["keys"]["trouble"]
    assert "does not answer" in page.content.decode()


def test_consents_are_counted_by_purpose_and_channel(officer: Client) -> None:
    ann, bob, cat = people(3)
    for person, state in ((ann, "given"), (bob, "given"), (cat, "withdrawn")):
        make.consent(person, state=state)
    make.consent(cat, "campaign.email.existing", state="informed")
    OptIn.objects.create(
        subject=cat.subject, purpose="campaign.email", channel="email", wording="Yes",
        asked_at=NOW, expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip

    page = officer.get(CONSENTS)

    found = {one.purpose.name: one for one in page.context["head"]["consents"]}
    mail, existing = found["campaign.email"], found["campaign.email.existing"]
    assert (mail.n_given, mail.n_withdrawn, mail.n_waiting, mail.value) == (2, 1, 1, 2)
    assert (existing.n_informed, existing.value) == (1, 1)
    assert found["campaign.sms"].value == 0


def test_the_ledger_is_found_by_the_shops_id_and_by_nothing_else(officer: Client) -> None:
    for person in people(2):
        consent.record(
            person.subject, "campaign.email", "email", "given",
            wording="Yes", source="checkout", happened_at=NOW, now=NOW,
        )  # fmt: skip

    def shown(term: str) -> list[str]:
        return [row.shop_id for row in officer.get(CONSENTS, {"q": term}).context["cl"].result_list]

    assert shown("C-1") == ["C-1"]
    assert sorted(shown("")) == ["C-0", "C-1"]
    assert shown("p1@example.com") == []


def opened_by(staff: Staff, customer: Customer) -> None:
    with purpose("support.reveal", actor=f"staff:{staff.pk}", now=NOW, reason="call"):
        assert customer.email is not None
        assert customer.email.reveal()


@pytest.mark.django_db(transaction=True)
def test_the_access_log_says_who_opened_what_of_whom(officer: Client) -> None:
    support = make.staff(Staff.Role.SUPPORT, username="sue")
    ann, bob = people(2)
    opened_by(support, Customer.objects.get(pk=ann.pk))
    audit.append("subject.restricted", actor="system:requests", at=NOW,
                 subjects=[bob.subject_id.bytes])  # fmt: skip

    def shown(**asked: str) -> list[AuditEntry]:
        return list(officer.get(LOG, asked).context["cl"].result_list)

    [entry] = shown(q="C-0")
    assert (entry.action, entry.actor_name, entry.people) == ("value.revealed", "sue", ["C-0"])  # type: ignore[attr-defined]
    assert {one.action for one in shown(staff=str(support.pk))} == {
        "purpose.opened", "value.revealed",
    }  # fmt: skip
    assert [one.pk for one in shown(**{"class": "email"})] == [entry.pk]
    assert shown(**{"class": "phone"}) == []
    assert {one.purpose for one in shown(purpose="support.reveal")} == {"support.reveal"}
    assert shown(at__year="1999") == []
    text = officer.get(LOG).content.decode()
    assert "Opened values" in text
    assert "p0@example.com" not in text


@pytest.mark.django_db(transaction=True)
def test_a_verification_is_asked_for_and_its_result_is_shown(officer: Client) -> None:
    for n in range(3):
        audit.append("purpose.opened", actor=f"job:{n}", at=NOW)

    officer.post(f"{LOG}verify/")
    running.run(Job.objects.get(kind=checkpoints.JOB).pk, clock=timezone.now)

    verdict, _at = checkpoints.last_verdict() or pytest.fail("nothing was kept")
    assert (verdict.n_entries, verdict.fault) == (3, None)
    assert "Holds" in officer.get(LOG).content.decode()


def test_who_may_not_read_the_log_may_not_have_it_verified(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.MARKETER))

    client.post(f"{LOG}verify/")

    assert not Job.objects.exists()


def test_the_record_has_every_purpose_and_what_the_shop_added(officer: Client) -> None:
    PurposeRecord.objects.update_or_create(
        name="campaign.email", defaults={"basis": "", "is_known": True, "confirmed_on": NOW.date()}
    )
    Recipient.objects.create(name="Mailer", country="Norway", safeguard="EEA", since=NOW.date())
    Recipient.objects.create(name="Past", since=NOW.date(), until=NOW.date() - timedelta(days=900))
    RetentionPeriod.objects.create(schedule="events", days=90)
    UseRule.objects.update_or_create(
        kind="role", who="support", purpose="support.reveal", data_class="email",
        defaults={"until": NOW - timedelta(days=1)},
    )  # fmt: skip

    record = processing.record(NOW)
    mail = next(one for one in record.activities if one.code == "campaign.email")

    assert {one.code for one in record.activities} == set(REGISTRY)
    assert mail.confirmed_on == NOW.date()
    assert mail.personal_data[:2] == ["E-mail", "Name"]
    assert mail.needs_consent
    assert [(one.name, one.country) for one in record.recipients] == [("Mailer", "Norway")]
    assert 90 in {one.days for one in record.periods}
    assert "Mailer" in officer.get(RECORD).content.decode()


def test_the_record_can_be_had_as_csv_and_json_with_the_columns_of_article_30(
    officer: Client,
) -> None:
    Recipient.objects.create(name="=Mailer", country="Norway", since=NOW.date())

    told = officer.get("/admin/privacy/record.csv")
    lines = list(csv.DictReader(io.StringIO(told.content.decode())))
    document = json.loads(officer.get("/admin/privacy/record.json").content)

    assert len(lines) == len(document["activities"]) == len(REGISTRY)
    assert lines[0]["Controller"].startswith("Lumen")
    assert lines[0]["Recipients"].startswith("'=Mailer")
    assert lines[0]["Countries and safeguards"] == "'=Mailer: Norway"
    for column in ("Purpose", "Data subjects", "Personal data", "Kept", "Security measures"):
        assert all(line[column] for line in lines), column
    assert officer.get("/admin/privacy/record.exe").status_code == 404


def test_the_record_speaks_chinese() -> None:
    with translation.override("zh-hans"):
        record = processing.record(NOW)

    assert all(
        any("\u4e00" <= char <= "\u9fff" for char in one.purpose) for one in record.activities
    )
