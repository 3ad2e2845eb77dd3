"""The verdict over all rules that apply to a device and an accessory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from recommendations.compatibility.rules import RULES, Answer

if TYPE_CHECKING:
    from recommendations.compatibility.rules import Finding
    from recommendations.compatibility.specs import Specs


class Verdict(NamedTuple):
    """The answer and the findings that decide it; none decide if nothing is comparable."""

    answer: Answer
    deciding: tuple[Finding, ...]


def judge(device: Specs, accessory: Specs) -> Verdict:
    """Say whether an accessory goes with a device.

    One "no" is enough for no; "yes" needs every rule that applies to say yes. Where a rule
    lacks the device's part, or no rule applies, the answer is unknown, never a guess.
    """
    found = [finding for rule in RULES if (finding := rule(device, accessory)) is not None]
    for answer in (Answer.NO, Answer.UNKNOWN, Answer.YES):
        deciding = tuple(finding for finding in found if finding.answer is answer)
        if deciding:
            return Verdict(answer, deciding)
    return Verdict(Answer.UNKNOWN, ())
