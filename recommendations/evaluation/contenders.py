"""The engines that are compared, each with where its search begins and along what it goes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from recommendations.engines.blend import Blend
from recommendations.engines.content import Content
from recommendations.engines.ease import MOST_ITEMS, Ease
from recommendations.engines.item_based import ItemBased
from recommendations.engines.local_ridge import LocalRidge
from recommendations.engines.next_item import NextItem
from recommendations.engines.popular import ALL_TIME_DAYS, Popular
from recommendations.engines.user_based import UserBased
from recommendations.evaluation.climbing import Axis

if TYPE_CHECKING:
    from recommendations.engines.base import Engine
    from recommendations.engines.memory import Size

NEIGHBOURS: Final = Axis("n_neighbours", (20, 50, 100, 200, 400))
DEGREE: Final = Axis("degree_power", (0.0, 0.15, 0.25, 0.35, 0.5, 0.7))
HALF_LIFE: Final = Axis("half_life_days", (30, 60, 90, 180, 365, 0))
WEIGHTS: Final = (0.0, 0.1, 0.3, 0.6, 1.0, 1.5)


@dataclass(frozen=True)
class Contender:
    """An engine's default and its axes; `timed` ones only where events have real times."""

    start: Engine
    axes: tuple[Axis, ...] = ()
    timed: tuple[Axis, ...] = ()
    needs_order: bool = False
    needs_time: bool = False
    needs_texts: bool = False


CONTENDERS: Final = {
    "popular": Contender(Popular(as_of=0, window_days=ALL_TIME_DAYS)),
    "popular_28": Contender(Popular(as_of=0, window_days=28), needs_time=True),
    "user_based": Contender(
        UserBased(as_of=0),
        (NEIGHBOURS, Axis("rarity_power", (0.0, 0.15, 0.3, 0.5))),
        (HALF_LIFE,),
    ),
    "item_based": Contender(
        ItemBased(as_of=0, n_neighbours=100),
        (NEIGHBOURS, DEGREE, Axis("target_power", (0.2, 0.3, 0.4, 0.5, 0.6))),
        (HALF_LIFE,),
    ),
    "ease": Contender(
        Ease(as_of=0, degree_power=0.25),
        (Axis("ridge", (1, 2, 5, 10, 20, 40, 80, 160, 320, 640)), DEGREE),
        (HALF_LIFE,),
    ),
    "local_ridge": Contender(
        LocalRidge(as_of=0, degree_power=0.25),
        (Axis("ridge", (1, 2, 5, 10, 20, 40, 80, 160)), DEGREE),
        (HALF_LIFE,),
    ),
    "next_item": Contender(
        NextItem(as_of=0, degree_power=0.25),
        (
            Axis("recency", (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)),
            Axis("source_power", (0.0, 0.3, 0.5, 0.7, 1.0)),
            Axis("target_power", (0.0, 0.15, 0.3, 0.5)),
            Axis("reach", (1, 2, 3, 5, 8, 12)),
            Axis("decay", (0.5, 0.7, 0.85, 1.0)),
            Axis("back", (0.0, 0.3, 0.6, 1.0)),
            DEGREE,
        ),
        needs_order=True,
    ),
    "content": Contender(Content(as_of=0), (NEIGHBOURS,), (HALF_LIFE,), needs_texts=True),
}
BLEND: Final = "blend"
OF_A_PROCESS: Final = ("block_bytes", "budget_bytes", "dense_bytes")
NAMES: Final = (*CONTENDERS, BLEND)


def spec_of(engine: Engine) -> dict[str, Any]:
    """Return what makes an engine, as JSON; how much memory it may take is left out."""
    if isinstance(engine, Blend):
        parts = [{"weight": weight, **spec_of(part)} for part, weight in engine.parts if weight]
        return {"engine": engine.name, "parts": parts}
    facts: Any = engine
    kept = {name: value for name, value in asdict(facts).items() if name not in OF_A_PROCESS}
    return {"engine": engine.name, **kept}


def engine_of(spec: dict[str, Any]) -> Engine:
    """Return the engine that `spec_of` told of; raises KeyError for one that is not known."""
    name = spec["engine"]
    if name == BLEND:
        return Blend(tuple((engine_of(part), part["weight"]) for part in spec["parts"]))
    kind: Any = type(CONTENDERS[name].start)
    known = {one.name for one in fields(kind)}
    return kind(**{key: value for key, value in spec.items() if key in known})  # type: ignore[no-any-return]


def regression_for(size: Size, memory_bytes: int) -> str:
    """Return the regression that a catalogue of this size takes."""
    ease = Ease(as_of=0, budget_bytes=memory_bytes)
    fits = size.n_items <= MOST_ITEMS and ease.need(size).peak <= memory_bytes
    return ease.name if fits else "local_ridge"


def budgeted(engine: Engine, memory_bytes: int) -> Engine:
    """Return the engine, and what it blends, as it keeps to a budget."""
    changed: Any = engine
    if isinstance(engine, Blend):
        parts = tuple((budgeted(part, memory_bytes), weight) for part, weight in engine.parts)
        changed = replace(engine, parts=parts)
    return replace(changed, budget_bytes=memory_bytes)  # type: ignore[no-any-return]


def dated(engine: Engine, at: int) -> Engine:
    """Return the engine as it looks from a moment, in seconds."""
    if isinstance(engine, Blend):
        parts = tuple((dated(part, at), weight) for part, weight in engine.parts)
        return replace(engine, parts=parts)
    changed: Any = engine
    return replace(changed, as_of=at)  # type: ignore[no-any-return]
