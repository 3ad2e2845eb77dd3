"""Which language a reader gets: the exact one, its base, the shop's, English."""

from __future__ import annotations

import re
from collections.abc import Collection

_CHINESE = {
    "zh": "zh-hans",
    "zh-cn": "zh-hans",
    "zh-sg": "zh-hans",
    "zh-my": "zh-hans",
    "zh-tw": "zh-hant",
    "zh-hk": "zh-hant",
    "zh-mo": "zh-hant",
}


def normalize(locale: str) -> str:
    """Return a locale in one spelling: `en_GB.UTF-8` is `en-gb`, `zh-CN` is `zh-hans`."""
    plain = re.split(r"[.@]", locale, maxsplit=1)[0].strip().replace("_", "-").lower()
    if plain.startswith(("zh-hans", "zh-hant")):
        return plain[:7]
    return _CHINESE.get(plain, plain)


def choose(wanted: str, available: Collection[str], *, shop_language: str) -> str:
    """Return the member of `available` that suits a reader of `wanted` best.

    Order: the exact locale, its base language, any regional form of that language, the
    shop's language, English, the first by name. Raises ValueError if nothing is available.
    """
    by_name = {normalize(locale): locale for locale in sorted(available, reverse=True)}
    if not by_name:
        raise ValueError("no language to choose from")
    exact = normalize(wanted)
    base = exact.split("-")[0]
    kin = sorted(name for name in by_name if base and name.split("-")[0] == base)
    for name in (exact, base, *kin, normalize(shop_language), "en"):
        if name in by_name:
            return by_name[name]
    return by_name[min(by_name)]
