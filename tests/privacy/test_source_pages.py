"""The identity secret of a source: made in the admin, shown once, two live ones for a week."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from privacy.models import AuditEntry, Staff
from privacy.problems import DomainError
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def act(client: Client, what: str) -> str:
    page = f"/admin/privacy/source/{make.source().pk}/"
    answer = client.post(f"{page}identity-secret/{what}/", follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def secrets_in(page: str) -> list[str]:
    return re.findall(r"<code>([0-9a-f]{64})</code>", page)


def test_a_new_secret_is_shown_once_and_the_old_one_holds_until_it_is_ended(client: Client) -> None:
    source = make.source()
    page = f"/admin/privacy/source/{source.pk}/change/"
    client.force_login(make.staff())
    assert "Make a new secret" in client.get(page).content.decode()

    answer = client.post(page.replace("change", "identity-secret/rotate"))

    source.refresh_from_db()
    assert secrets_in(answer.content.decode()) == [doors.identity_secret(source)]
    assert "no-store" in answer["Cache-Control"]
    shown = client.get(page).content.decode()
    assert secrets_in(shown) == []
    assert "The old one vouches too until" in shown
    assert "Make a new secret" not in shown
    assert source.vouches_by_two(timezone.now())

    assert "The old secret still vouches; end it" in act(client, "rotate")
    assert "The new secret alone vouches" in act(client, "end-old")

    source.refresh_from_db()
    assert not source.vouches_by_two(timezone.now())
    assert source.identity_generation == 2
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == [
        "identity_secret.rotated",
        "identity_secret.old_ended",
    ]


def test_an_old_secret_ends_by_itself_after_a_week() -> None:
    source = make.source()
    doors.rotate_identity_secret(source, actor="staff:1", now=NOW)

    assert source.vouches_by_two(NOW + timedelta(days=6, hours=23))
    assert not source.vouches_by_two(NOW + timedelta(days=7))
    with pytest.raises(DomainError, match="still vouches"):
        doors.rotate_identity_secret(source, actor="staff:1", now=NOW + timedelta(days=6))
    doors.rotate_identity_secret(source, actor="staff:1", now=NOW + timedelta(days=7))


def test_whoever_makes_a_secret_shows_first_who_they_are(client: Client) -> None:
    source = make.source()
    client.force_login(make.staff())
    client.get("/admin/")
    session = client.session
    session["confirmed_at"] -= 3600
    session.save()

    asked = client.post(f"/admin/privacy/source/{source.pk}/identity-secret/rotate/")

    assert "/confirm/" in asked["Location"]
    source.refresh_from_db()
    assert source.identity_generation == 1


@pytest.mark.parametrize("role", [role for role in Staff.Role if role != "administrator"])
def test_nobody_else_makes_or_ends_a_secret(client: Client, role: str) -> None:
    source = make.source()
    client.force_login(make.staff(role))

    for what in ("rotate", "end-old"):
        path = f"/admin/privacy/source/{source.pk}/identity-secret/{what}/"
        assert client.post(path).status_code == 404
        assert client.get(path).status_code == 405
    page = client.get(f"/admin/privacy/source/{source.pk}/change/").content.decode()

    assert "Identity secret" in page
    assert "Make a new secret" not in page
    source.refresh_from_db()
    assert source.identity_generation == 1


@pytest.mark.parametrize(("pk", "what"), [(0, "rotate"), (10**30, "rotate"), (1, "show")])
def test_what_is_not_there_is_not_found(client: Client, pk: int, what: str) -> None:
    make.source()
    client.force_login(make.staff())

    assert client.post(f"/admin/privacy/source/{pk}/identity-secret/{what}/").status_code == 404
