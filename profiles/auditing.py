"""Groups of customers for the fairness audits, and the audits of segments and personas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, Count, Expression, F, Max, Q, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from privacy import fairness_audits
from privacy.fairness.findings import Finding
from privacy.fairness.selection import Chosen, selection_rates
from privacy.fairness_audits import Audit, Audited
from profiles import segmentation
from profiles.bulk import planned_for_many
from profiles.features.vocabulary import AGE_BANDS
from profiles.models import Customer, Persona, ScoreRun, Segment
from profiles.scores import groups
from profiles.scores.groups import Counts

if TYPE_CHECKING:
    from django.db.models import QuerySet


def group_of(attribute: str, as_of: datetime, *, prefix: str = "") -> Expression | F:
    """Return the group of a customer in SQL, empty where it is not known.

    `prefix` leads from the row to the customer (`customer__`).
    """
    if attribute != "age_band":
        return F(f"{prefix}{attribute}")
    born = f"{prefix}birth_year__range"
    return Case(
        *(
            When(**{born: (as_of.year - high, as_of.year - low)}, then=Value(band))
            for band, (low, high) in AGE_BANDS.items()
        ),
        default=Value(""),
        output_field=CharField(),
    )


def counted(
    rows: QuerySet[Any], attribute: str, as_of: datetime, *, hits: Q | None = None, prefix: str = ""
) -> dict[str, Chosen]:
    """Return how many rows each group has, and how many of them are `hits`, in one query."""
    found = (
        rows.order_by()
        .values(audited=group_of(attribute, as_of, prefix=prefix))
        .annotate(n_all=Count("pk"), n_hits=Count("pk", filter=hits) if hits else Value(0))
    )
    return {row["audited"]: Chosen(row["n_hits"], row["n_all"]) for row in found}


def of_segments(attribute: str, as_of: datetime) -> list[Audited]:
    everybody = counted(Customer.objects.for_purpose("profile.build"), attribute, as_of)
    return [
        Audited(segment.name, selection_rates(_chosen(everybody, segment, attribute, as_of)))
        for segment in Segment.objects.order_by("name")
        if segmentation.unreadable(segment) is None
    ]


@planned_for_many()
def _chosen(
    everybody: Mapping[str, Chosen], segment: Segment, attribute: str, as_of: datetime
) -> dict[str, Chosen]:
    members = counted(segmentation.members(segment.rule, as_of), attribute, as_of)
    none = Chosen(0, 0)
    return {
        name: Chosen(min(members.get(name, none).n, one.n), one.n)
        for name, one in everybody.items()
    }


def of_personas(attribute: str, as_of: datetime) -> list[Audited]:
    described = Customer.objects.filter(traits__persona__run__is_current=True)
    return [
        Audited(
            _("Persona %(number)s") % {"number": persona.shown_number},
            selection_rates(counted(described, attribute, as_of, hits=Q(traits__persona=persona))),
        )
        for persona in Persona.objects.filter(run__is_current=True).order_by("number")
    ]


def of_scores(attribute: str, _as_of: datetime) -> list[Audited]:
    """Whom the newest run of each score would choose."""
    return _of_runs(attribute, groups.selection)


def of_those_found(attribute: str, _as_of: datetime) -> list[Audited]:
    """Whom the newest run of each score found, of those who left or spent most."""
    return _of_runs(attribute, groups.opportunity)


def _of_runs(
    attribute: str, compared: Callable[[Mapping[str, Counts]], list[Finding]]
) -> list[Audited]:
    newest = ScoreRun.objects.order_by().values("score").annotate(newest=Max("pk"))
    return [
        Audited(
            run.get_score_display(),
            compared({key: Counts.from_json(one) for key, one in run.fairness[attribute].items()}),
        )
        for run in ScoreRun.objects.filter(pk__in=newest.values("newest")).order_by("score")
        if attribute in run.fairness
    ]


def declare() -> None:
    fairness_audits.enter(
        Audit(
            "profiles.segments",
            gettext_lazy("Segments"),
            gettext_lazy("Is every group as likely to be in a segment?"),
            of_segments,
        )
    )
    fairness_audits.enter(
        Audit(
            "profiles.personas",
            gettext_lazy("Personas"),
            gettext_lazy("Is every group as likely to be counted to a persona?"),
            of_personas,
        )
    )
    fairness_audits.enter(
        Audit(
            "profiles.scores",
            gettext_lazy("Churn and value scores"),
            gettext_lazy("Is every group as likely to be among the fifth with the highest scores?"),
            of_scores,
        )
    )
    fairness_audits.enter(
        Audit(
            "profiles.scores_found",
            gettext_lazy("Whom the scores find"),
            gettext_lazy("Of those who left or spent most, is every group as likely to be found?"),
            of_those_found,
        )
    )
