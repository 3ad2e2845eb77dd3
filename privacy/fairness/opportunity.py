"""Who is chosen of those who deserve it."""

from __future__ import annotations

from inference import proportions
from inference.estimate import CONFIDENCE, Estimate
from inference.proportions import Proportion


def opportunity_difference(
    reference: Proportion, group: Proportion, *, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the group's true positive rate minus the reference's, as fractions.

    Each proportion counts who was chosen (`hits`) of those whose outcome was good (`n`).
    Zero is equal opportunity. Interval: Newcombe's.

    Source: M. Hardt, E. Price, N. Srebro, Equality of Opportunity in Supervised Learning,
    NIPS 2016, definition 2.2.
    """
    return proportions.difference(reference, group, confidence=confidence)
