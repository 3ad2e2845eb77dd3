"""The whole sweep: let canaries live in an empty installation, then look for them everywhere."""

from __future__ import annotations

from datetime import datetime

from config.leaks import canaries, keeping, living, walking
from config.leaks.findings import Sweep


def sweep(n_people: int, *, of_a_kind: int, now: datetime) -> Sweep:
    """Fill the empty installation with `n_people` canaries and return what was seen where.

    Each role looks at `of_a_kind` pages of every route.
    """
    made = Sweep(canaries.flock(n_people))
    with keeping.log_kept() as log:
        keys = living.live(made, now=now)
        walking.walk_admin(made, of_a_kind=of_a_kind)
        walking.walk_api(made, keys)
        living.work_off(now)
    keeping.look_at_all(made, log)
    return made
