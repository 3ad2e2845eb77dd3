"""Which arm a customer falls into: a hash decides, so nobody has to remember.

The SQL twins (PostgreSQL and SQLite) are held to the same vector file as this module:
`tests/campaigns/data/assignment_vectors.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

PARTS = 1_000_000
HOLDOUT = "holdout"


class Share(NamedTuple):
    """The buckets from the end of the share before (0 for the first) up to, not including, `end`."""

    arm: str
    end: int


def bucket(salt: str, unit: str) -> int:
    """Return the bucket of `unit` under `salt`, 0 to 999,999.

    It is the first 8 bytes of SHA-256(salt, NUL, unit), both in UTF-8, as an unsigned
    big-endian integer modulo 10**6. Its bias against uniform is below 1e-13.
    """
    digest = sha256(f"{salt}\0{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PARTS


def shares(holdout_ppm: int, weights: Mapping[str, int]) -> list[Share]:
    """Cut the buckets into the holdout and the variants, in order of the variants' keys.

    The holdout takes the buckets below `holdout_ppm`; the variants share the rest in
    proportion to their weights, each end rounded down to a whole bucket. Raises ValueError
    if the holdout is not within 0 to 10**6, a weight is negative or all weights are zero.
    """
    total = sum(weights.values())
    if not 0 <= holdout_ppm <= PARTS:
        raise ValueError(f"holdout_ppm must be within 0 and {PARTS}, not {holdout_ppm}")
    if total <= 0 or min(weights.values()) < 0:
        raise ValueError("weights must be 0 or more, and one of them above 0")
    cut, passed = [Share(HOLDOUT, holdout_ppm)], 0
    for key, weight in sorted(weights.items()):
        passed += weight
        cut.append(Share(key, holdout_ppm + (PARTS - holdout_ppm) * passed // total))
    return cut


def arm(bucket: int, holdout_ppm: int, weights: Mapping[str, int]) -> str:
    """Return `"holdout"` or the key of the variant that `bucket` (0 to 999,999) falls into.

    Raises ValueError as `shares` does, or if `bucket` is outside its range.
    """
    if not 0 <= bucket < PARTS:
        raise ValueError(f"bucket must be within 0 and {PARTS - 1}, not {bucket}")
    return next(share.arm for share in shares(holdout_ppm, weights) if bucket < share.end)
