"""The versions of a placement: its settings are kept with each change and can be put back."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from recommendations.models import Scenario, ScenarioVersion

if TYPE_CHECKING:
    from datetime import datetime

SETTINGS: Final = tuple(
    one.name for one in Scenario._meta.concrete_fields if one.name not in {"id", "version"}
)


@transaction.atomic
def save(scenario: Scenario, *, now: datetime, actor: str) -> None:
    """Save a placement; what differs from its last version is kept as the next one."""
    before = Scenario.objects.select_for_update().filter(pk=scenario.pk).first()
    if before is not None and before.version == 0:  # made without a history of its own
        _keep(before, now=now, actor="")
    scenario.version = before.version if before is not None else 0
    scenario.save()
    if before is None or settings_of(before) != settings_of(scenario):
        _keep(scenario, now=now, actor=actor)


def restore(scenario: Scenario, number: int, *, now: datetime, actor: str) -> None:
    """Make the settings of an earlier version the next one. Raises DomainError."""
    kept = ScenarioVersion.objects.get(scenario=scenario, number=number)
    for name, value in kept.settings.items():
        if name in SETTINGS:
            setattr(scenario, name, value)
    try:
        scenario.full_clean()
    except ValidationError as error:
        detail = _("These settings cannot be used any more: %(why)s")
        raise DomainError(
            "version_unusable",
            detail % {"why": " ".join(error.messages)},
            status=HTTPStatus.CONFLICT,
        ) from error
    save(scenario, now=now, actor=actor)


def settings_of(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in SETTINGS}


def _keep(scenario: Scenario, *, now: datetime, actor: str) -> None:
    scenario.version += 1
    scenario.save(update_fields=["version"])
    ScenarioVersion.objects.create(
        scenario=scenario,
        number=scenario.version,
        settings=settings_of(scenario),
        made_by=actor,
        made_at=now,
    )
