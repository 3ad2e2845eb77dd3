"""`GET /v1/recommendations` as a page of the shop asks it, without what other requests need.

It answers what it is sure of and leaves everything else, errors of form among it, to the view.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from privacy import prepared, problems
from privacy.api.authentication import admit, key_in_header, require_scope
from privacy.api.browsers import require_visitor
from privacy.problems import DomainError
from recommendations import placing, reading
from recommendations.api import answers

PLACEMENT: Final = "default"
MOST: Final = 50
SCOPE: Final = "recommendations:read"
LONGEST: Final = {
    "userId": 100, "userHash": 64, "anonymousId": 200, "placement": 64, "productId": 100,
}  # fmt: skip
NUMBER: Final = re.compile(r"[1-9][0-9]{0,11}")
COUNTRY: Final = re.compile(r"([A-Z]{2})?")
LANGUAGES: Final = frozenset(code for code, _name in settings.LANGUAGES)


def answer(request: HttpRequest) -> HttpResponse | None:
    """Return the list that is asked for, or None where the view has to look closer."""
    plaintext, asked = key_in_header(request), _asked(request.GET)
    if not plaintext or asked is None or not prepared.is_possible() or not _takes_json(request):
        return None
    now = timezone.now()
    try:
        key = admit(request, plaintext)
        require_scope(key, SCOPE)
        require_visitor(key, asked, now=now)
    except DomainError as error:
        return problems.from_domain(request, error)
    active = translation.get_language() or settings.LANGUAGE_CODE
    language = asked["language"] or active
    if language == active:
        return read(asked, language=language, now=now)
    with translation.override(language):
        return read(asked, language=language, now=now)


def _takes_json(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept", "*/*")
    return "*/*" in accepted or accepted == "application/json"


def read(asked: Mapping[str, Any], *, language: str, now: datetime) -> HttpResponse | None:
    """Return the list for facts of the form of `AskSerializer`; None where a placement has rules.

    Reasons are said in the active language.
    """
    placement = asked.get("placement") or PLACEMENT
    found = reading.of_visitor(
        user_id=asked.get("userId", ""),
        anonymous_id=asked.get("anonymousId", ""),
        beside=asked.get("productId", ""),
        placement=placement,
        n=asked["n"],
        language=language,
        country=asked["country"],
        now=now,
    )
    if found is None:
        return None
    return answers.answer(
        found.items,
        found.run,
        placement=placement,
        filled_with=(placing.POPULAR,) if found.fallback else (),
        currency=found.currency,
    )


def _asked(given: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the facts if each has the form that needs no second look."""
    asked: dict[str, Any] = {"n": 10, "country": "", "language": ""}
    for name, value in given.items():
        if name in LONGEST:
            is_plain = (
                len(value) <= LONGEST[name] and value.isprintable() and value == value.strip()
            )
        elif name in {"n", "userHashExpires"}:
            is_plain = NUMBER.fullmatch(value) is not None
        elif name == "language":
            is_plain = not value or value in LANGUAGES
        elif name == "country":
            is_plain = COUNTRY.fullmatch(value) is not None
        else:
            return None
        if not is_plain:
            return None
        asked[name] = int(value) if name in {"n", "userHashExpires"} else value
    return asked if asked["n"] <= MOST else None
