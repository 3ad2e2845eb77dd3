"""Marks of web analytics (utm_source and the like) on links, in the way their writers left them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from campaigns.rendering.links import MAX_URL

_BETWEEN: Final = re.compile(r"[\W_]+")


def marked(url: str, values: Mapping[str, str], hosts: Collection[str]) -> str:
    """Return `url` with those of `values` that it lacks, if it leads to one of `hosts`.

    A subdomain counts as its host. What the writer set stays, and nothing else of the address
    changes; one that would get too long stays as it is.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        return url
    if not any(host == one or host.endswith(f".{one}") for one in hosts):
        return url
    there = {name.lower() for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    added = urlencode(
        {name: value for name, value in values.items() if value and name not in there}
    )
    query = "&".join(part for part in (parts.query, added) if part)
    longer = urlunsplit(parts._replace(query=query))
    return longer if added and len(longer) <= MAX_URL else url


def word(name: str) -> str:
    """Return a name as one value of a mark: small letters and digits of any script, hyphens between."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _BETWEEN.sub("-", plain).strip("-")[:100]
