"""How long another side asks to be left alone: the Retry-After of its answer."""

from __future__ import annotations

import re
from typing import Final

UNTOLD: Final = 60.0


def seconds(retry_after: str) -> float:
    """Return the seconds a Retry-After asks for; a minute where it gives a date or nothing."""
    told = retry_after.strip()
    return max(1.0, float(told)) if re.fullmatch(r"[0-9]{1,6}", told) else UNTOLD
