"""Letting a score be used though something in its fairness report is uneven: a person's decision."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from privacy import audit
from profiles import asking
from profiles.models import ScoreRun


@transaction.atomic
def accept(run: ScoreRun, *, actor: str, now: datetime) -> None:
    """Let pass what is uneven in the run, in this and later ones, and train anew to use it.

    What becomes uneven later, or elsewhere, keeps a score from use until it is accepted too.
    """
    run.accepted = sorted(set(run.accepted) | set(run.uneven))
    run.save(update_fields=["accepted"])
    audit.append(
        "scores.accept",
        actor=actor,
        at=now,
        purpose="profile.score",
        fields=[run.score],
        reason=f"run {run.pk}: {', '.join(run.uneven)}",
    )
    asking.ask_for_scores(now)
