"""API keys in the admin: shown once, rotated, revoked."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from privacy.models import ApiKey, AuditEntry, Staff
from privacy.problems import DomainError
from tests import make

pytestmark = pytest.mark.django_db
KEYS = "/admin/privacy/apikey/"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(make.staff())
    return client


def shown(answer: object) -> list[str]:
    return re.findall(r"[wsa]k_live_[A-Za-z0-9_-]{43}", answer.content.decode())  # type: ignore[attr-defined]


def test_a_new_key_is_in_one_answer_that_nothing_may_keep(boss: Client) -> None:
    form = {"source": make.source().pk, "kind": "wk", "origins": "https://shop.example"}

    answer = boss.post(f"{KEYS}add/", form)

    (plaintext,) = shown(answer)
    assert "no-store" in answer["Cache-Control"]
    assert doors.find(plaintext, now=timezone.now()).origins == ["https://shop.example"]
    assert shown(boss.get(KEYS)) == []
    assert AuditEntry.objects.get().action == "api_key.made"


def test_keys_are_rotated_and_revoked_from_the_list(boss: Client) -> None:
    old = make.secret_key()
    chosen = {"_selected_action": [ApiKey.objects.get().pk]}

    (new,) = shown(boss.post(KEYS, chosen | {"action": "rotate"}))
    assert "Being replaced" in boss.get(KEYS).content.decode()
    boss.post(KEYS, chosen | {"action": "revoke"})

    assert doors.find(new, now=timezone.now()).replaces == ApiKey.objects.earliest("pk")
    with pytest.raises(DomainError):
        doors.find(old, now=timezone.now())
    first, second = ApiKey.objects.order_by("pk").values_list("pk", flat=True)
    told = AuditEntry.objects.order_by("pk").values_list("action", "fields")
    assert list(told) == [
        ("api_key.rotated", [f"api_key.{first}", f"api_key.{second}"]),
        ("api_key.revoked", [f"api_key.{first}"]),
    ]


@pytest.mark.parametrize("role", [role for role in Staff.Role if role != "administrator"])
def test_nobody_else_makes_or_ends_keys(client: Client, role: str) -> None:
    make.secret_key()
    client.force_login(make.staff(role))
    chosen = {"_selected_action": [ApiKey.objects.get().pk]}

    assert client.get(f"{KEYS}add/").status_code == 403
    for action in ("rotate", "revoke"):
        client.post(KEYS, chosen | {"action": action})

    assert ApiKey.objects.filter(revoked_at=None, expires_at=None).count() == 1
