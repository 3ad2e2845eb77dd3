"""A suppression that the shop itself caused is lifted with a reason; a person's own word is not."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from privacy import suppression
from privacy.models import AuditEntry, Staff, Suppression, WebhookMessage
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
PAGE = "/admin/privacy/suppression/"
MAIL = "ann@example.com"
BOSS = "staff:1"


@pytest.fixture
def ann() -> Customer:
    return make.reader("ann", email=MAIL)


def suppressed(reason: str) -> Suppression:
    return suppression.suppress("email", MAIL, reason=reason, now=NOW)


def told() -> list[dict[str, str]]:
    found = WebhookMessage.objects.filter(type="suppression.lifted").order_by("pk")
    return list(found.values_list("data", flat=True))


def test_a_bounce_is_lifted_with_a_reason_and_everybody_who_listens_is_told(ann: Customer) -> None:
    make.webhook(events=["suppression.lifted"])

    suppression.lift(suppressed("bounced"), reason="mailbox works", actor=BOSS, now=NOW)

    assert not suppression.is_suppressed("email", MAIL)
    assert told() == [{"customerId": "ann", "channel": "email", "reason": "bounced"}]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.reason) == (
        "suppression.lifted",
        BOSS,
        "mailbox works",
    )
    assert entry.subjects == [str(ann.subject.uuid)]


def test_an_address_in_the_reason_is_masked_in_the_log(ann: Customer) -> None:
    reason = f"{ann.external_id} wrote from {MAIL}"

    suppression.lift(suppressed("imported"), reason=reason, actor=BOSS, now=NOW)

    assert MAIL not in AuditEntry.objects.get().reason


@pytest.mark.parametrize("reason", ["unsubscribed", "complained", "erased"])
def test_what_a_person_said_and_an_erasure_are_never_lifted_by_staff(reason: str) -> None:
    there = suppressed(reason)

    with pytest.raises(DomainError) as refusal:
        suppression.lift(there, reason="we would like to", actor=BOSS, now=NOW)

    assert refusal.value.code == "not_liftable"
    assert suppression.is_suppressed("email", MAIL)
    assert not AuditEntry.objects.exists()


def test_without_a_reason_it_stays() -> None:
    there = suppressed("bounced")

    with pytest.raises(DomainError, match="Say why"):
        suppression.lift(there, reason="  ", actor=BOSS, now=NOW)

    assert suppression.is_suppressed("email", MAIL)


def test_an_erasure_outlives_a_bounce_before_it() -> None:
    suppressed("bounced")

    there = suppressed("erased")

    assert Suppression.objects.get().reason == "erased"
    with pytest.raises(DomainError):
        suppression.lift(there, reason="x", actor=BOSS, now=NOW)


def test_agreeing_anew_is_told_of_too(ann: Customer) -> None:
    make.webhook(events=["suppression.lifted"])
    suppressed("unsubscribed")
    tag = suppression.tag_of("email", MAIL)

    assert suppression.lift_tag("email", tag, reason="unsubscribed", now=NOW)
    assert not suppression.lift_tag("email", tag, reason="unsubscribed", now=NOW)

    assert [data["customerId"] for data in told()] == [ann.external_id]


@pytest.mark.usefixtures("ann")
def test_the_page_finds_it_by_the_customers_id_and_lifts_it(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.PRIVACY_OFFICER))
    there = suppressed("bounced")
    suppression.suppress("email", "bob@example.com", reason="bounced", now=NOW)
    detail, lift = f"{PAGE}{there.pk}/change/", f"{PAGE}{there.pk}/lift/"
    found = client.get(PAGE, {"q": "ann"}).content.decode()
    assert f"{PAGE}{there.pk}/" in found
    assert found.count("/change/") == 1
    assert "Lift the suppression" in client.get(detail).content.decode()

    empty = client.post(lift, {"reason": " "}, follow=True).content.decode()
    assert "Say why the address may be written to again" in empty
    done = client.post(lift, {"reason": "works again"}, follow=True).content.decode()

    assert "may be written to again" in done
    assert not suppression.is_suppressed("email", MAIL)
    assert client.post(lift, {"reason": "again"}).status_code == 404


@pytest.mark.parametrize(
    "role",
    [role for role in Staff.Role if role not in {"administrator", "privacy_officer"}],
)
def test_no_other_role_lifts(client: Client, role: str) -> None:
    client.force_login(make.staff(role))
    there = suppressed("bounced")

    assert client.post(f"{PAGE}{there.pk}/lift/", {"reason": "x"}).status_code == 403
    assert suppression.is_suppressed("email", MAIL)


def test_whoever_lifts_shows_first_who_they_are(client: Client) -> None:
    client.force_login(make.staff())
    there = suppressed("bounced")
    client.get("/admin/")
    session = client.session
    session["confirmed_at"] -= 3600
    session.save()

    asked = client.post(f"{PAGE}{there.pk}/lift/", {"reason": "x"})

    assert "/confirm/" in asked["Location"]
    assert suppression.is_suppressed("email", MAIL)


# The list itself ------------------------------------------------------------------------------


def test_staff_keep_an_address_off_without_its_being_kept(ann: Customer, client: Client) -> None:
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    for _ in range(2):
        client.post(f"{PAGE}by-hand/", {"channel": "email", "address": MAIL.upper()})
    client.post(f"{PAGE}by-hand/", {"channel": "email", "address": "nobody"})
    client.post(f"{PAGE}by-hand/", {"channel": "push", "address": MAIL})

    kept = Suppression.objects.get()
    assert (kept.reason, kept.source) == ("imported", "by hand")
    assert suppression.is_suppressed("email", MAIL)
    entries = AuditEntry.objects.filter(action="suppression.added")
    assert entries.count() == 2
    assert entries[0].subjects == [str(ann.subject.uuid)]
    assert MAIL not in str(list(AuditEntry.objects.values()))


@pytest.mark.usefixtures("ann")
def test_the_list_is_exported_with_its_sources_and_nobodys_address(
    client: Client,
) -> None:
    suppression.suppress("email", MAIL, reason="bounced", now=NOW, source="postmark")
    suppression.suppress("email", "stranger@example.com", reason="complained", now=NOW)
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    lines = b"".join(client.get(f"{PAGE}export.csv")).decode().splitlines()

    tags = [bytes(row.address_tag).hex() for row in Suppression.objects.order_by("pk")]
    assert lines == [
        "channel,reason,source,created_at,customer_id,tag",
        f"email,bounced,postmark,{NOW.isoformat()},ann,{tags[0]}",
        f"email,complained,,{NOW.isoformat()},,{tags[1]}",
    ]
    assert AuditEntry.objects.filter(action="suppression.exported").count() == 1


@pytest.mark.parametrize("path", ["by-hand/", "export.csv"])
def test_who_may_not_see_the_list_gets_nothing_of_it(client: Client, path: str) -> None:
    client.force_login(make.staff(Staff.Role.VIEWER), backend="privacy.roles.RoleBackend")
    ask = client.post if path == "by-hand/" else client.get

    assert ask(f"{PAGE}{path}", {"channel": "email", "address": MAIL}).status_code == 403
    assert not Suppression.objects.exists()


def test_exporting_costs_as_many_queries_for_many_as_for_few() -> None:
    def cost(n: int) -> int:
        for number in range(n):
            make.reader(f"s{n}x{number}")
            suppression.suppress("email", f"s{n}x{number}@example.com", reason="bounced", now=NOW)
        with CaptureQueriesContext(connection) as seen:
            list(suppression.exported(Suppression.objects.all()))
        return len(seen)

    assert cost(3) == cost(60)
