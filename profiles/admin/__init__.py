from profiles.admin import (
    carts,
    custom_traits,
    customers,
    event_names,
    merges,
    personas,
    quality,
    rates,
    scores,
    segments,
    uploads,
)

__all__ = [
    "carts",
    "custom_traits",
    "customers",
    "event_names",
    "merges",
    "personas",
    "quality",
    "rates",
    "scores",
    "segments",
    "uploads",
]
