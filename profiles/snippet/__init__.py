"""The script with which a shop's pages speak to this installation, and the tag that loads it.

`candor.js` is the source; what browsers get is made of it by `npm run snippet` (tests/clients)
and stands in the static files under its version. A version that was released never changes,
since pages name its hash: a change of the source is a new version.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

VERSION: Final = "1.0.0"
SOURCE: Final = Path(__file__).parent / "candor.js"
STATIC: Final = f"profiles/snippet/{VERSION}/candor.js"
BUILT: Final = Path(__file__).parents[1] / "static" / STATIC


def path() -> str:
    """Where it is served: under its version and not, as other files, under a hash."""
    return f"{settings.STATIC_URL}{STATIC}"


@lru_cache
def integrity() -> str:
    """The hash by which a browser knows that nobody changed the file."""
    return f"sha384-{base64.b64encode(hashlib.sha384(BUILT.read_bytes()).digest()).decode()}"


def tag(key: str) -> SafeString:
    """What a shop puts into the head of its pages."""
    return format_html(
        '<script async src="{}{}"\n'
        '  integrity="{}" crossorigin="anonymous"\n'
        '  data-key="{}" data-consent="required"></script>',
        settings.PUBLIC_URL,
        path(),
        integrity(),
        key,
    )
