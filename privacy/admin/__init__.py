from privacy.admin import (
    erasures,
    keys,
    ledgers,
    purposes,
    requests,
    root_keys,
    shop,
    staff,
    webhooks,
)

__all__ = [
    "erasures",
    "keys",
    "ledgers",
    "purposes",
    "requests",
    "root_keys",
    "shop",
    "staff",
    "webhooks",
]
