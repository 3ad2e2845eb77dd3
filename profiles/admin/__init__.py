from profiles.admin import (
    carts,
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
