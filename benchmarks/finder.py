"""The finder of personal data on hostile text: its time may grow with the length, no faster."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.frame import Result

LENGTH = 1_000_000
HOSTILE = {
    "one digit": "1",
    "digits in pairs": "1 ",
    "almost cards": "4111 ",
    "at signs": "@",
    "almost addresses": "a@",
    "long local parts": "a" * 64 + "@",
    "almost domains": "@a-",
    "numbers of no plan": "+1 000 000 0000 ",
    "invisible signs": "\u200b1",
    "telephones": "13800138000 ",
}


def run() -> Result:
    from privacy import finder

    def seconds(act: Callable[[str], object], text: str) -> float:
        started = time.perf_counter()
        act(text)
        return time.perf_counter() - started

    figures: dict[str, float] = {}
    budgets: dict[str, float] = {}
    for name, part in HOSTILE.items():
        whole = (part * (LENGTH // len(part) + 1))[:LENGTH]
        quarter = whole[: LENGTH // 4]
        finder.find(quarter)
        floor = min(seconds(_floor, whole) for _ in range(3))
        short = min(seconds(finder.find, quarter) for _ in range(3))
        long = min(seconds(finder.find, whole) for _ in range(3))
        figures[f"{name}: 1 MB / a loop over its characters"] = long / floor
        figures[f"{name}: 1 MB / a quarter of it"] = long / short
        budgets[f"{name}: 1 MB / a loop over its characters"] = 120
        budgets[f"{name}: 1 MB / a quarter of it"] = 8
    return Result(name="finder: hostile text of 1 MB", figures=figures, budgets=budgets)


def _floor(text: str) -> int:
    return sum(1 for sign in text if sign == "x")
