"""From the sums of each arm to what can be concluded: one rule, fixed before the campaign.

Each question has one family of tests, so that a campaign without any effect is called
otherwise in at most 5 %: did the campaign move sales (buyers or net revenue, by Holm), and
is a variant clicked more often than the first (by Holm over the variants). Everybody assigned
counts (intention to treat), whether reached or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import add

from campaigns.experiments import money
from campaigns.experiments.assignment import HOLDOUT, shares
from inference import means, proportions, randomisation
from inference.comparisons import holm, holm_confidences
from inference.counts import chi_square
from inference.estimate import CONFIDENCE, Estimate
from inference.means import Moments
from inference.proportions import Proportion

# Below these an interval says more about the method than about the customers.
MIN_CUSTOMERS = 50
MIN_HAPPENED = 20
# Read often, so strict: at 0.05 a sound split read daily is called broken in 27 % of campaigns.
SPLIT_ALPHA = 0.001
NO_MONEY = Moments(0)


class Metric(StrEnum):
    CLICKS = "clicks"
    BUYERS = "buyers"
    NET = "net_per_customer"


class Code(StrEnum):
    """What can be concluded."""

    NOBODY = "nobody"
    SPLIT_BROKEN = "split_broken"
    TOO_EARLY = "too_early"
    NO_HOLDOUT = "no_holdout"
    NOT_ENOUGH = "not_enough"
    SALES_UP = "sales_up"
    SALES_DOWN = "sales_down"
    MIXED = "mixed"
    NO_EFFECT = "no_effect"


CONCLUSIONS = frozenset({Code.SALES_UP, Code.SALES_DOWN, Code.MIXED, Code.NO_EFFECT})


@dataclass(frozen=True, slots=True)
class ArmSums:
    """What became of the customers of one arm; money per customer in minor units."""

    key: str
    n: int
    n_sent: int = 0
    n_clicked: int = 0
    n_buyers: int = 0
    net: Moments = NO_MONEY
    margin: Moments = NO_MONEY

    def __add__(self, other: ArmSums) -> ArmSums:
        return ArmSums(
            self.key + other.key,
            self.n + other.n,
            self.n_sent + other.n_sent,
            self.n_clicked + other.n_clicked,
            self.n_buyers + other.n_buyers,
            self.net + other.net,
            self.margin + other.margin,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against another. Rates as fractions, money in minor units per customer.

    The interval has the confidence at which Holm tested it, 0.95 or more: it leaves zero
    out exactly where a difference is called. `lift` is for rates: 0.1 is ten percent more.
    """

    metric: Metric
    arm: str
    baseline: str
    difference: Estimate
    confidence: float
    p: float
    lift: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Whether the arms have the sizes they were set to; if not, no comparison can be trusted."""

    chi_square: float
    p: float

    @property
    def broken(self) -> bool:
        return self.p < SPLIT_ALPHA


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion as a code and its numbers; words are made when it is shown.

    `sales` and `clicks` are the comparisons with the smallest p of their question.
    """

    code: Code
    sales: Comparison | None = None
    clicks: Comparison | None = None
    roi: Estimate | None = None
    decide_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All comparisons of a campaign, what it earned, and the verdict.

    `sales` compares all variants together with the holdout; `clicks` and `buyers` each
    later variant with the first. `buyers` is shown, but carries no verdict.
    """

    split: Split
    sales: tuple[Comparison, ...]
    clicks: tuple[Comparison, ...]
    buyers: tuple[Comparison, ...]
    earned: money.Earned
    verdict: Verdict


def conclude(
    arms: Sequence[ArmSums],
    *,
    holdout_ppm: int,
    weights: Mapping[str, int],
    cost_minor: int = 0,
    decide_on: datetime | None = None,
) -> Findings:
    """Compare the arms (the holdout among them, if there is one) and conclude.

    `weights` are those of the variants; `decide_on` is when the attribution window closes,
    None once it has.
    """
    variants = sorted((arm for arm in arms if arm.key != HOLDOUT), key=lambda arm: arm.key)
    held_out = next((arm for arm in arms if arm.key == HOLDOUT and arm.n), None)
    treated = reduce(add, variants) if variants else ArmSums("", 0)
    split = check_split(arms, holdout_ppm=holdout_ppm, weights=weights)
    sales = compare_sales(held_out, treated) if held_out and treated.n else ()
    clicks = compare_clicks(variants)
    earned = _earned(held_out, treated, cost_minor=cost_minor, enough=bool(sales))
    code = _code(held_out, treated, split, sales, decide_on)
    verdict = _verdict(code, sales, clicks, earned, decide_on)
    return Findings(split, sales, clicks, compare_buyers(variants), earned, verdict)


def check_split(arms: Sequence[ArmSums], *, holdout_ppm: int, weights: Mapping[str, int]) -> Split:
    """Test the sizes of the arms against what was set (sample ratio mismatch)."""
    counted = {arm.key: arm.n for arm in arms}
    ends = shares(holdout_ppm, weights)
    starts = [0, *(share.end for share in ends)]
    return Split(
        *chi_square(
            [counted.get(share.arm, 0) for share in ends],
            [share.end - start for share, start in zip(ends, starts, strict=False)],
        )
    )


def compare_sales(held_out: ArmSums, treated: ArmSums) -> tuple[Comparison, ...]:
    """Compare buyers and net revenue per customer with the holdout; empty if too few bought."""
    if not _enough(held_out.n, treated.n, held_out.n_buyers + treated.n_buyers):
        return ()
    rates = Proportion(held_out.n_buyers, held_out.n), Proportion(treated.n_buyers, treated.n)
    money = held_out.net, treated.net
    return _family(
        [
            _rate_test(Metric.BUYERS, treated.key, held_out.key, *rates),
            _Test(
                Metric.NET,
                treated.key,
                held_out.key,
                randomisation.p_value(*money),
                lambda confidence: randomisation.difference(*money, confidence=confidence),
            ),
        ]
    )


def compare_clicks(variants: Sequence[ArmSums]) -> tuple[Comparison, ...]:
    """Compare the clicks per sent message of each variant with the first's, where enough."""
    sent = {arm.key: Proportion(arm.n_clicked, arm.n_sent) for arm in variants if arm.n_sent}
    return _compare_with_first(Metric.CLICKS, sent)


def compare_buyers(variants: Sequence[ArmSums]) -> tuple[Comparison, ...]:
    """Compare the buyers among all assigned to each variant with the first's, where enough."""
    bought = {arm.key: Proportion(arm.n_buyers, arm.n) for arm in variants if arm.n}
    return _compare_with_first(Metric.BUYERS, bought)


@dataclass(frozen=True, slots=True)
class _Test:
    metric: Metric
    arm: str
    baseline: str
    p: float
    interval: Callable[[float], Estimate]
    lift: Estimate | None = None


def _rate_test(
    metric: Metric, arm: str, baseline: str, control: Proportion, treated: Proportion
) -> _Test:
    return _Test(
        metric,
        arm,
        baseline,
        proportions.p_value(control, treated),
        lambda confidence: proportions.difference(control, treated, confidence=confidence),
        means.lift(*(Moments(p.n, p.hits, p.hits, p.hits) for p in (control, treated))),
    )


def _family(tests: Sequence[_Test]) -> tuple[Comparison, ...]:
    values = [test.p for test in tests]
    return tuple(
        Comparison(
            test.metric,
            test.arm,
            test.baseline,
            test.interval(confidence),
            confidence,
            p,
            test.lift,
        )
        for test, confidence, p in zip(
            tests, holm_confidences(values, confidence=CONFIDENCE), holm(values), strict=True
        )
    )


def _compare_with_first(metric: Metric, rates: Mapping[str, Proportion]) -> tuple[Comparison, ...]:
    if not rates:
        return ()
    (first, control), *others = rates.items()
    return _family(
        [
            _rate_test(metric, key, first, control, rate)
            for key, rate in others
            if _enough(control.n, rate.n, control.hits + rate.hits)
        ]
    )


def _enough(n: int, other: int, happened: int) -> bool:
    return min(n, other) >= MIN_CUSTOMERS and happened >= MIN_HAPPENED


def _earned(
    held_out: ArmSums | None, treated: ArmSums, *, cost_minor: int, enough: bool
) -> money.Earned:
    if held_out is None:
        return money.Earned(cost_minor, missing=money.Missing.NO_HOLDOUT)
    if not enough:
        return money.Earned(cost_minor, missing=money.Missing.TOO_FEW)
    return money.earned(
        net=(held_out.net, treated.net),
        margin=(held_out.margin, treated.margin),
        cost_minor=cost_minor,
    )


def _code(
    held_out: ArmSums | None,
    treated: ArmSums,
    split: Split,
    sales: Sequence[Comparison],
    decide_on: datetime | None,
) -> Code:
    reasons_not_to_conclude = {
        Code.NOBODY: treated.n == 0,
        Code.SPLIT_BROKEN: split.broken,
        Code.TOO_EARLY: decide_on is not None,
        Code.NO_HOLDOUT: held_out is None,
        Code.NOT_ENOUGH: not sales,
    }
    for code, holds in reasons_not_to_conclude.items():
        if holds:
            return code
    moves = {comparison.difference.direction for comparison in sales}
    if {1, -1} <= moves:
        return Code.MIXED
    return Code.SALES_UP if 1 in moves else Code.SALES_DOWN if -1 in moves else Code.NO_EFFECT


def _verdict(
    code: Code,
    sales: Sequence[Comparison],
    clicks: Sequence[Comparison],
    earned: money.Earned,
    decide_on: datetime | None,
) -> Verdict:
    """Attach the numbers that carry the code: the clearest comparison of each question."""
    split_holds = code not in {Code.NOBODY, Code.SPLIT_BROKEN}
    return Verdict(
        code,
        sales=min(sales, key=lambda one: one.p, default=None) if code in CONCLUSIONS else None,
        clicks=min(clicks, key=lambda one: one.p, default=None) if split_holds else None,
        roi=earned.roi if code in CONCLUSIONS else None,
        decide_on=decide_on,
    )
