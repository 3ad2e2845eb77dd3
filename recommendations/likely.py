"""The other way round: which customers are likely to want a product or a category, as a list."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from inference import proportions
from inference.proportions import Proportion
from jobs.running import JobFailedError
from profiles import listing
from profiles.models import Customer, Segment, StaticList
from recommendations import interactions
from recommendations.engines.base import DAY, hide_owned
from recommendations.engines.blend import BlendModel
from recommendations.engines.popular import PopularModel
from recommendations.evaluation.contenders import budgeted, dated, engine_of
from recommendations.models import Product, TrainingRun

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from inference.estimate import Estimate
    from jobs.work import Work
    from recommendations.engines.base import Engine, Integers, Interactions, Model
    from recommendations.interactions import Reading

    Scores = npt.NDArray[np.float64]

BLOCK: Final = 2_000
WINDOW_DAYS: Final = 28
LEAST_BUYERS: Final = 5


@dataclass(frozen=True)
class Checked:
    """What the same list would have been worth in the last 28 days, had it been made before them.

    Of `n_listed` on it `n_bought` bought what is asked for; of the `n_others` not on it
    `n_others_bought` did. `times` is how many times likelier those listed were.
    """

    n_listed: int
    n_bought: int
    n_others: int
    n_others_bought: int
    times: Estimate | None


def find(work: Work) -> dict[str, Any]:
    """List the likeliest customers and return the list, its segment and what it is worth.

    Who refuses profiling is not in the matrix, so on no list. The list is written in one
    step: a job that is killed lists everybody anew.
    """
    asked = work.payload
    run = TrainingRun.objects.filter(pk=asked["run"]).first()
    if run is None:
        raise JobFailedError("run_gone", "The model is not kept any more; ask anew.")
    work.progress(0, 0, "reading orders")
    reading = interactions.read(work.now)
    targets = _targets(reading, asked)
    if not len(targets):
        raise JobFailedError("nothing_to_want", "No product of this kind is known to the model.")
    scores = _scores(engine_of(run.parameters), reading, targets, at=reading.end, work=work)
    chosen = _likeliest(scores, asked["n"], asked["least"])
    if not len(chosen):
        raise JobFailedError("nobody_likely", "Nobody is as likely as asked for; ask for less.")
    checked = _check(run, reading, targets, share=len(chosen) / len(scores), work=work)
    with work.step():
        made = _list(reading, chosen, asked, now=work.now)
    return {
        **made,
        "n_customers": len(reading.customers),
        "lowest": round(float(scores[chosen[-1]]), 4),
        "checked": checked and asdict(checked),
    }


def _targets(reading: Reading, asked: dict[str, Any]) -> Integers:
    """Return the numbers of the products that are asked for."""
    number_of = {id_: number for number, id_ in enumerate(reading.items.ids)}
    ids = [asked["product"]]
    if asked["category"]:
        found = Product.objects.filter(category=asked["category"], is_active=True)
        ids = list(found.values_list("product_id", flat=True))
    return np.array(sorted(number_of[id_] for id_ in ids if id_ in number_of), dtype=np.int64)


def _scores(engine: Engine, reading: Reading, targets: Integers, *, at: int, work: Work) -> Scores:
    """Fit on what was taken before a moment and score each person, 1 the likeliest.

    Of what a person has nothing counts, save what is bought again. The personal parts of a
    blend are scaled to the best of all people, not to each person's own: somebody with much
    that goes with a product is likelier than somebody whose little all goes with it.
    """
    before = reading.interactions.between(int(reading.interactions.at.min(initial=0)), at)
    memory_bytes = settings.RECOMMENDATIONS_MEMORY_MB * 2**20
    model = budgeted(dated(engine, at), memory_bytes).fit(before, reading.items, work.renew)
    total = np.zeros(before.n_people)
    for part, weight in _personal(model):
        found = _of_part(part, before, reading, targets, work)
        if best := found.max(initial=0):
            total += weight * found / best
    best = total.max(initial=0)
    scores: Scores = total / best if best else total
    return scores


def _personal(model: Model) -> list[tuple[Model, float]]:
    """Return the parts that tell people apart, with their weights; of popularity none does."""
    parts = model.parts if isinstance(model, BlendModel) else ((model, 1.0),)
    return [(part, weight) for part, weight in parts if not isinstance(part, PopularModel)]


def _of_part(
    model: Model, before: Interactions, reading: Reading, targets: Integers, work: Work
) -> Scores:
    owned = before.of_people().matrix()[: before.n_people]
    found = np.zeros(before.n_people)
    for start in range(0, before.n_people, BLOCK):
        people = np.arange(start, min(start + BLOCK, before.n_people))
        block = hide_owned(model.scores(people), owned[people], reading.items)
        found[people] = np.maximum(block[:, targets], 0).sum(axis=1)
        work.renew()
    return found


def _likeliest(scores: Scores, n: int, least: float) -> Integers:
    """Return at most `n` people with a score of at least `least`, the likeliest first."""
    order = np.argsort(-scores, kind="stable")[:n]
    kept: Integers = order[scores[order] >= max(least, np.finfo(np.float64).tiny)]
    return kept


def _check(
    run: TrainingRun, reading: Reading, targets: Integers, *, share: float, work: Work
) -> Checked | None:
    """Make the list as it would have been 28 days ago, and count who bought since; None if few did."""
    at = reading.end - WINDOW_DAYS * DAY
    scores = _scores(engine_of(run.parameters), reading, targets, at=at, work=work)
    known = np.unique(reading.interactions.between(0, at).of_people().users)
    later = reading.interactions.between(at, reading.end).of_people()
    has_bought = np.zeros(len(scores), dtype=np.bool_)
    has_bought[later.users[np.isin(later.items, targets)]] = True
    if not len(known) or has_bought[known].sum() < LEAST_BUYERS:
        return None
    listed = np.zeros(len(scores), dtype=np.bool_)
    listed[_likeliest(scores, max(1, round(share * len(known))), 0.0)] = True
    on, off = known[listed[known]], known[~listed[known]]
    if not len(on) or not len(off):
        return None
    parts = [Proportion(int(has_bought[who].sum()), len(who)) for who in (off, on)]
    return Checked(
        len(on), parts[1].hits, len(off), parts[0].hits, proportions.ratio(parts[0], parts[1])
    )


def _list(
    reading: Reading, chosen: Integers, asked: dict[str, Any], *, now: datetime
) -> dict[str, Any]:
    """Put the people on a list of their own, or on the one that is made anew; campaigns aim at its segment."""
    keys = [reading.customers[row] for row in chosen]
    there = _list_of(asked.get("segment"))
    with translation.override(asked["language"]):
        name = (
            there.name
            if there
            else _free_name(_("Likely to want %(what)s") % {"what": asked["title"]})
        )
    ids: list[str] = []
    for start in range(0, len(keys), listing.ASKED_AT_ONCE):
        some = Customer.objects.filter(pk__in=keys[start : start + listing.ASKED_AT_ONCE])
        ids += some.values_list("external_id", flat=True)
    for start in range(0, len(ids), listing.MAX_IDS):
        some_ids = ids[start : start + listing.MAX_IDS]
        listed = listing.add(name, some_ids, now=now, actor="system:likely")
    if there:
        listing.keep_only(there, keys, now=now)
    return {
        "segment": listed.segment.pk,
        "name": listed.segment.name,
        "n_listed": listed.static_list.members.count(),
    }


def _list_of(segment: int | None) -> StaticList | None:
    """The list to be made anew; None if its segment is gone or means something else by now."""
    found = Segment.objects.filter(pk=segment).first() if segment else None
    return listing.meant_by(found) if found else None


def _free_name(wanted: str) -> str:
    """Return a name that no list has, so that a second asking makes a second list."""
    longest = StaticList._meta.get_field("name").max_length or len(wanted)
    taken = set(StaticList.objects.values_list("name", flat=True))
    names = (wanted[: longest - 6] + (f" {n}" if n > 1 else "") for n in range(1, len(taken) + 3))
    return next(name for name in names if name not in taken)
