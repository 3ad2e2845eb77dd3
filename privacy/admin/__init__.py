from privacy.admin import (
    access,
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
    "access",
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
