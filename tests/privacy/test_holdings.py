# ruff: noqa: DJ008 -- models for a moment, never shown
from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from privacy import checks, registry
from privacy.models import Staff, Subject
from profiles.models import Customer


def found(*made: type[models.Model]) -> list[str | None]:
    """The ids of what the check says of these models, among all the others."""
    everything = [*apps.get_models(include_auto_created=True), *made]
    return [message.id for message in checks.undeclared(everything)]


@pytest.fixture
def _own_registry() -> Iterator[None]:
    """What a test declares goes with it."""
    before = set(registry._holdings)  # noqa: SLF001 - nothing else may take a declaration back
    yield
    for model in set(registry._holdings) - before:  # noqa: SLF001
        del registry._holdings[model]  # noqa: SLF001


def test_every_model_of_this_installation_is_declared() -> None:
    assert found() == []


@isolate_apps("profiles")
def test_a_model_with_a_foreign_key_to_a_customer_must_declare_itself() -> None:
    class Note(models.Model):
        customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")

        class Meta:
            app_label = "profiles"

    assert found(Note) == ["privacy.E010"]


@isolate_apps("profiles")
def test_a_model_that_reaches_a_person_over_two_relations_must_declare_itself() -> None:
    class Ticket(models.Model):
        subject = models.OneToOneField(Subject, models.CASCADE, related_name="+")

        class Meta:
            app_label = "profiles"

    class Answer(models.Model):
        tickets = models.ManyToManyField(Ticket, related_name="+")

        class Meta:
            app_label = "profiles"

    through = Answer.tickets.through
    assert found(Ticket, Answer, through) == ["privacy.E010"] * 3


@pytest.mark.usefixtures("_own_registry")
@isolate_apps("profiles")
def test_a_declaration_may_leave_no_link_out_and_name_no_path_that_leads_elsewhere() -> None:
    class Call(models.Model):
        customer = models.ForeignKey(Customer, models.SET_NULL, null=True, related_name="+")
        referrer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
        staff = models.ForeignKey(Staff, models.CASCADE, related_name="+")

        class Meta:
            app_label = "profiles"

    registry.delete(Call, "customer__subject")
    assert found(Call) == ["privacy.E011"]
    registry.nobody(Call, reason="nobody")
    assert found(Call) == ["privacy.E011"]
    registry.delete(Call, "customer__subject", "referrer__subject", "staff")
    assert found(Call) == ["privacy.E012"]
    registry.delete(Call, "customer__subject", "referrer__nothing")
    assert found(Call) == ["privacy.E012"]
    registry.null(Call, "customer__subject", "referrer__subject", clear={"customer": None})
    assert found(Call) == ["privacy.E012"]
    registry.delete(Call, "customer__subject", "referrer__subject")
    assert found(Call) == []


@isolate_apps("profiles")
def test_a_model_that_says_nothing_is_a_warning() -> None:
    class Leaflet(models.Model):
        text = models.TextField()

        class Meta:
            app_label = "profiles"

    assert found(Leaflet) == ["privacy.W013"]
