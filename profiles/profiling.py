"""Building personas: load the traits, cluster them, say what each cluster has in common.

Imports pandas and scikit-learn, so only tasks and commands import it, inside their bodies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from django.db.models import F
from django.utils.translation import gettext as _

from jobs.running import JobFailedError
from privacy.models import Shop
from profiles import (
    changes,
    occupation_words,
    persona_identity,
    persona_products,
    protected_traits,
    segmentation,
)
from profiles.clustering import choosing, fitting
from profiles.clustering.choosing import Evidence
from profiles.clustering.model import Model, inertia
from profiles.clustering.scaling import Column, Floats, Scale, applied, scales
from profiles.features import attributes as said
from profiles.features.facts import Fact, titles
from profiles.features.vocabulary import TRAITS
from profiles.models import (
    ClusteringRun,
    Customer,
    CustomerTraits,
    CustomTrait,
    CustomTraitValue,
    Order,
    Persona,
    Segment,
)
from profiles.protected_traits import Allowed
from profiles.traits import featuring

if TYPE_CHECKING:
    from jobs.work import Work

WRITTEN_AT_ONCE = 5_000
MAIN_CATEGORIES = 8
SKEWED = ("recency_days", "n_orders", "revenue_minor", "average_item_minor")
CATEGORY = "category:"
PEOPLE = ("birth_year", "gender", "country", "city", "occupation")
HABITS = ("morning_share", "evening_share", "weekend_share", "discount_share", "refund_share")


@dataclass(frozen=True)
class Clustering:
    """Every customer's cluster, 1 the most worth, and what speaks for their number.

    `chosen` is None where there is one cluster: too few customers, or no number holds;
    `protected` are the protected traits that a use rule let take part.
    """

    labels: fitting.Labels
    scales: tuple[Scale, ...]
    matrix: Floats
    evidence: tuple[Evidence, ...]
    chosen: Evidence | None
    protected: tuple[Allowed, ...] = ()

    @property
    def n_clusters(self) -> int:
        return int(self.labels.max())


def build(work: Work, as_of: datetime, *, everybody: bool = False) -> dict[str, Any]:
    """Make traits, then clusters with their personas, then recount the segments.

    Traits are made anew of whom something happened to, or of `everybody`. Each part commits with the job's cursor, so a killed build goes on behind the last one.
    Raises JobFailedError (`no_orders`) if no customer has an order that counts.
    """
    featuring.build_traits(as_of, work, everybody=everybody)
    if not CustomerTraits.objects.of_buyers().exists():
        raise JobFailedError("no_orders", _no_orders(as_of))
    if "run" not in work.cursor:
        people = load(as_of)
        protected = protected_traits.allowed(len(people), now=work.now)
        clustering = cluster(people, work, protected=protected)
        with work.step() as cursor:
            run = save(people, clustering, as_of, now=work.now)
            cursor["run"] = run.pk
    if "n_segments" not in work.cursor:
        with work.step() as cursor:
            cursor["n_segments"] = _segments(as_of, is_first=ClusteringRun.objects.count() == 1)
    run = ClusteringRun.objects.get(pk=work.cursor["run"])
    return {"run": run.pk, "n_customers": run.n_customers, "n_personas": run.n_clusters}


def load(as_of: datetime) -> pd.DataFrame:
    """Return a row for each customer with orders, by external id in byte order.

    The order decides samples and starting points, and databases sort text in their own ways.
    """
    columns = [trait.name for trait in TRAITS] + ["category_shares"]
    people = {name: F(f"customer__{name}") for name in PEOPLE}
    buyers = CustomerTraits.objects.of_buyers().seen_from(as_of)
    rows = buyers.filter(customer__in=Customer.objects.for_purpose("profile.build")).values_list(
        "customer_id", "customer__external_id", *columns, *people.values()
    )
    frame = pd.DataFrame.from_records(
        list(rows.iterator(chunk_size=WRITTEN_AT_ONCE)),
        columns=["customer_id", "external_id", *columns, *PEOPLE],
    )
    frame["occupation"] = frame["occupation"].map(occupation_words.code_of)
    for trait in CustomTrait.objects.order_by("name"):
        column = "number" if trait.kind == CustomTrait.Kind.NUMBER else "text"
        kept = CustomTraitValue.objects.filter(trait=trait).values_list("customer", column)
        told = frame["customer_id"].map(dict(kept))
        frame[f"{said.OWN}{trait.label}"] = told if column == "number" else told.fillna("")
    key = frame["external_id"].map(str.encode)
    return frame.iloc[np.argsort(key.to_numpy(dtype=object), kind="stable")].reset_index(drop=True)


def cluster(
    people: pd.DataFrame, work: Work | None = None, *, protected: Sequence[Allowed] = ()
) -> Clustering:
    """Return the clusters of all customers; of protected traits only those named take part."""
    columns = _columns(people, protected)
    found = scales(columns)
    matrix = applied(found, columns)
    if len(people) < choosing.ENOUGH or not found:
        labels = np.ones(len(people), dtype=np.intp)
        return Clustering(labels, found, matrix, (), None, tuple(protected))
    evidence = tuple(_weighed(matrix, work))
    chosen = choosing.choose(evidence)
    labels = fitting.cluster(matrix, chosen.n_clusters if chosen else 1)
    worth = people["revenue_minor"].to_numpy(dtype=np.int64)
    numbered = fitting.numbered(labels, worth)
    return Clustering(numbered, found, matrix, evidence, chosen, tuple(protected))


def _weighed(matrix: Floats, work: Work | None) -> Iterator[Evidence]:
    candidates = choosing.CANDIDATES
    for n, one in enumerate(choosing.weigh(matrix, candidates), start=1):
        if work:
            work.progress(n, len(candidates), "clusters")
        yield one


def _columns(people: pd.DataFrame, protected: Sequence[Allowed]) -> list[Column]:
    shares = people["category_shares"].tolist()
    categories = said.main_categories(
        shares, people["revenue_minor"].tolist(), most=MAIN_CATEGORIES
    )
    names = [*SKEWED, *HABITS, *(CATEGORY + name for name in categories)]
    names += [name for one in protected for name in one.columns]
    return named_columns(people, names, protected=protected)


def named_columns(
    people: pd.DataFrame, names: Sequence[str], *, protected: Sequence[Allowed] = ()
) -> list[Column]:
    """Return the columns of these names, such as those of an earlier run.

    Of a protected trait that may not take part now, nothing is known of anybody.
    """
    usable = {name for one in protected for name in one.columns}
    shares = people["category_shares"].tolist()

    def column(name: str) -> Column:
        if name.startswith(CATEGORY):
            category = name.removeprefix(CATEGORY)
            return Column(name, np.array([one.get(category, 0) for one in shares]))
        if name in protected_traits.ALL:
            known = _protected(people, name) if name in usable else np.full(len(people), np.nan)
            return Column(name, known)
        return Column(name, people[name].to_numpy(), is_skewed=name in SKEWED)

    return [column(name) for name in names]


def _protected(people: pd.DataFrame, name: str) -> Floats:
    """A protected trait as numbers; whose gender is not known stands between the known ones."""
    if name == "birth_year":
        return pd.to_numeric(people[name]).to_numpy(dtype=np.float64)
    gender = people["gender"]
    is_one = (gender == name.partition(":")[2]).to_numpy(dtype=np.float64)
    known = (gender != "").to_numpy()
    return np.where(known, is_one, is_one[known].mean() if known.any() else 0.0)


def save(
    people: pd.DataFrame, clustering: Clustering, as_of: datetime, *, now: datetime
) -> ClusteringRun:
    """Store the clustering as the current run, with its personas and their members.

    Call it inside one transaction: personas and members change together.
    """
    chosen, labels = clustering.chosen, clustering.labels
    columns = partial(named_columns, people, protected=clustering.protected)
    before = ClusteringRun.objects.filter(is_current=True).first()
    identity = persona_identity.identify(people["customer_id"].tolist(), labels, columns, before)
    drift = persona_identity.watch(columns, as_of)
    ClusteringRun.objects.filter(is_current=True).update(is_current=False)
    run = ClusteringRun.objects.create(
        as_of=as_of,
        created_at=now,
        currency=featuring.currency_in_use(),
        n_customers=len(people),
        n_clusters=clustering.n_clusters,
        silhouette=chosen.silhouette if chosen else None,
        stability=chosen.stability if chosen else None,
        evidence={
            "columns": [one.name for one in clustering.scales],
            "weighed": [asdict(one) | {"holds": one.holds} for one in clustering.evidence],
            "protected": [one.as_json() for one in clustering.protected],
        },
        inertia=inertia(clustering.matrix, labels) if clustering.scales else None,
        model=_model(clustering, identity.keys),
        next_key=identity.next_key,
        compared=identity.compared,
        drift=drift,
        is_current=True,
    )
    CustomerTraits.objects.filter(persona__isnull=False).update(persona=None)
    personas = _personas(run, people, labels)
    for persona in personas:
        persona.key = identity.keys[persona.number - 1]
    for persona in Persona.objects.bulk_create(personas):
        _enrol(persona, people.loc[labels == persona.number, "customer_id"].tolist())
    for pk, products in persona_products.top_products(run).items():
        run.personas.filter(pk=pk).update(products=products)
    changes.mark_all()
    return run


def _model(clustering: Clustering, keys: Sequence[int]) -> dict[str, Any]:
    """The clustering as numbers; nothing where no column tells customers apart."""
    if not clustering.scales:
        return {}
    return Model.of(clustering.scales, clustering.matrix, clustering.labels, keys).as_json()


def _personas(run: ClusteringRun, people: pd.DataFrame, labels: fitting.Labels) -> list[Persona]:
    attributes = said.attributes(people, year=run.as_of.year)
    groups = [labels == number for number in range(1, run.n_clusters + 1)]
    told = [said.facts(attributes, group) for group in groups]
    return [
        _persona(run, number, people, people[group], facts=facts, title=title)
        for number, (group, facts, title) in enumerate(
            zip(groups, told, titles(told), strict=True), start=1
        )
    ]


def _persona(
    run: ClusteringRun,
    number: int,
    people: pd.DataFrame,
    members: pd.DataFrame,
    *,
    facts: Sequence[Fact],
    title: list[str],
) -> Persona:
    numbers = ["recency_days", "n_orders", "revenue_minor", "average_order_minor"]
    everybody = int(people["revenue_minor"].sum())
    return Persona(
        run=run,
        number=number,
        n_customers=len(members),
        share=len(members) / len(people),
        revenue_share=int(members["revenue_minor"].sum()) / everybody if everybody else 0.0,
        centre={name: float(members[name].median()) for name in numbers},
        title=title,
        facts=[asdict(fact) for fact in facts],
    )


def _enrol(persona: Persona, customer_ids: list[int]) -> None:
    for start in range(0, len(customer_ids), WRITTEN_AT_ONCE):
        some = customer_ids[start : start + WRITTEN_AT_ONCE]
        CustomerTraits.objects.filter(pk__in=some).update(persona=persona)


def _segments(as_of: datetime, *, is_first: bool) -> int:
    """Count every segment anew; the first build of a shop adds the ones to begin with."""
    segments = list(Segment.objects.order_by("pk"))
    for segment in segments:
        segmentation.recount(segment, now=as_of)
    if is_first:
        segments += segmentation.create_starters(language=Shop.current().language, now=as_of)
    return len(segments)


def _no_orders(as_of: datetime) -> str:
    currency = featuring.currency_in_use()
    known = Order.objects.filter(placed_at__lt=as_of, customer__isnull=False)
    others = sorted(set(known.exclude(currency=currency).values_list("currency", flat=True)))
    text = _("No customer has an order in %(currency)s before %(day)s.") % {
        "currency": currency,
        "day": f"{as_of:%Y-%m-%d}",
    }
    if others:
        text += " " + _("There are orders in %(others)s: set the shop's currency.") % {
            "others": ", ".join(others)
        }
    return text
