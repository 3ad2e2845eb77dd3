from privacy.admin import (
    access,
    erasures,
    keys,
    ledgers,
    purposes,
    requests,
    root_keys,
    shop,
    sources,
    staff,
    suppressions,
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
    "sources",
    "staff",
    "suppressions",
    "webhooks",
]
