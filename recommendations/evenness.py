"""What of a run's fairness figures goes beyond the shop's rules, and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from inference.estimate import Estimate
from privacy.fairness.findings import Verdict, judged
from privacy.fairness.groups import OTHERS
from recommendations.models import FairnessRules

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from recommendations.models import TrainingRun

KINDS: Final[dict[str, StrOrPromise]] = {
    "age_band": pgettext_lazy("of people", "Age"),
    "gender": gettext_lazy("Gender"),
    "country": gettext_lazy("Country"),
    "city": gettext_lazy("City"),
    "brand": gettext_lazy("Brand"),
    "price_band": gettext_lazy("Price band"),
    "seller_size": gettext_lazy("Size of the seller"),
}
GROUPS: Final[dict[str, dict[str, StrOrPromise]]] = {
    "gender": {
        "female": gettext_lazy("Female"),
        "male": gettext_lazy("Male"),
        "other": gettext_lazy("Other"),
    },
    "price_band": {
        "1": gettext_lazy("Cheapest fifth"),
        "2": gettext_lazy("Second fifth"),
        "3": gettext_lazy("Third fifth"),
        "4": gettext_lazy("Fourth fifth"),
        "5": gettext_lazy("Dearest fifth"),
    },
    "seller_size": {
        "large": gettext_lazy("Large: half of all sales"),
        "middle": gettext_lazy("Middle: the next three tenths"),
        "small": gettext_lazy("Small: the last fifth"),
    },
}
# A brand alone is too few products for a rule; what it gets is shown.
RULED_EXPOSURE: Final = ("price_band", "seller_size")


@dataclass(frozen=True)
class Unevenness:
    """A group that gets less than the rules allow: its ratio lies wholly below `limit`."""

    of: str
    kind: str
    group: str
    ratio: Estimate
    limit: float

    def __str__(self) -> str:
        """Say it in the active language."""
        facts = {
            "kind": KINDS[self.kind],
            "group": group_words(self.kind, self.group),
            "ratio": in_words(self.ratio),
            "limit": f"{self.limit:.2f}",
        }
        if self.of == "quality":
            text = _(
                "%(kind)s, %(group)s: the lists are %(ratio)s times as good as everybody "
                "else's; at least %(limit)s is asked for."
            )
        else:
            text = _(
                "%(kind)s, %(group)s: shown %(ratio)s times as much as it sells; at least "
                "%(limit)s is asked for."
            )
        return text % facts


def beyond(run: TrainingRun, rules: FairnessRules | None = None) -> list[Unevenness]:
    """Return what keeps a run from serving by the rules as they are now."""
    return list(_beyond(run.fairness, rules or FairnessRules.current()))


def _beyond(told: dict[str, Any], rules: FairnessRules) -> Iterator[Unevenness]:
    asked = []
    if rules.shortfall_percent is not None:
        kinds = told.get("quality", {})
        asked += [
            ("quality", kind, kinds[kind], 1 - rules.shortfall_percent / 100) for kind in kinds
        ]
    if rules.exposure_percent is not None:
        kinds = {kind: told.get("exposure", {}).get(kind, []) for kind in RULED_EXPOSURE}
        asked += [("exposure", kind, kinds[kind], rules.exposure_percent / 100) for kind in kinds]
    for of, kind, rows, limit in asked:
        for row in rows:
            if row["group"] in {"", OTHERS} or row["ratio"] is None:
                continue
            ratio = Estimate(**row["ratio"])
            if judged(ratio, limit=limit, both_ways=False) is Verdict.UNEVEN:
                yield Unevenness(of, kind, row["group"], ratio, limit)


def group_words(kind: str, group: str) -> str:
    if group == OTHERS:
        return _("Others")
    return str(GROUPS.get(kind, {}).get(group, group)) or _("Not known")


def in_words(ratio: Estimate) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f} – {ratio.high:.2f})"
