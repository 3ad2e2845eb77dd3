"""Which run serves: the switch, the way back to an older run, and taking a run out of service."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from privacy import audit
from privacy.problems import DomainError
from recommendations import evenness
from recommendations.models import CustomerListing, TrainingRun

if TYPE_CHECKING:
    from datetime import datetime

TRAINER = "system:training"


@transaction.atomic
def activate(run: TrainingRun, *, now: datetime, actor: str = TRAINER) -> None:
    """Let this run's lists be served from now on; also the way back to an older run.

    Raises DomainError `run_has_no_lists` if they are not (or no longer) there, and
    `run_is_uneven` if the fairness rules speak against it. Who did it stands in the audit
    trail and on the run's card.
    """
    if not may_serve(run):
        detail = _("The lists of this run are not there; only the last few runs keep theirs.")
        raise DomainError("run_has_no_lists", detail, status=HTTPStatus.CONFLICT)
    if found := evenness.beyond(run):
        raise DomainError("run_is_uneven", " ".join(map(str, found)), status=HTTPStatus.CONFLICT)
    TrainingRun.objects.filter(is_active=True).update(is_active=False)
    run.is_active, run.activated_at, run.activated_by = True, now, actor
    run.save(update_fields=["is_active", "activated_at", "activated_by"])
    audit.append("recommendations.activated", actor=actor, at=now, reason=f"run {run.pk}")


@transaction.atomic
def let_popularity_serve(*, now: datetime, actor: str = TRAINER) -> None:
    """Take the active run, if any, out of service: what is popular is shown to everybody."""
    active = TrainingRun.objects.active()
    if active is None:
        return
    active.is_active = False
    active.save(update_fields=["is_active"])
    audit.append("recommendations.stopped", actor=actor, at=now, reason=f"run {active.pk}")


def may_serve(run: TrainingRun) -> bool:
    """Whether the run's lists were written and are kept."""
    return run.finished_at is not None and CustomerListing.objects.filter(run=run).exists()
