"""`GET /v1/recommendations` as a page of the shop asks it, without what other requests need.

It answers what it is sure of and leaves everything else, errors among it, to the view.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from privacy import prepared, problems
from privacy.api.authentication import expect, key_in_header, require_scope
from privacy.api.browsers import BrowserReachable, require_visitor
from privacy.doors import Recalled
from privacy.problems import DomainError
from privacy.throttling import TooManyError
from recommendations import placing, reading
from recommendations.api import answers

PATH: Final = "/v1/recommendations"
PLACEMENT: Final = "default"
MOST: Final = 50
MOST_CHARACTERS: Final = 2_000
MOST_FACTS: Final = 20
SCOPE: Final = "recommendations:read"
LONGEST: Final = {
    "userId": 100, "userHash": 64, "anonymousId": 200, "placement": 64, "productId": 100,
}  # fmt: skip
NUMBER: Final = re.compile(r"[1-9][0-9]{0,11}")
COUNTRY: Final = re.compile(r"([A-Z]{2})?")
LANGUAGES: Final = frozenset(code for code, _name in settings.LANGUAGES)


class QuickLists:
    """Stands before what only people's pages need: sessions, forms, accounts, the URLs of all else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == PATH and request.method == "GET" and prepared.is_possible():
            request.get_host()  # raises DisallowedHost
            language = translation.get_language_from_request(request)
            with translation.override(language):
                found = answer(request, language)
            if found is not None:
                return _finished(request, found, language)
            vars(request).pop("limit", None)  # it is not known yet whether the key opens
        return self.get_response(request)


def answer(request: HttpRequest, active: str) -> HttpResponse | None:
    """Return the list that is asked for, or None where the view has to look closer."""
    plaintext, asked = key_in_header(request), _asked(request.META.get("QUERY_STRING", ""))
    if not plaintext or asked is None or not _takes_json(request):
        return None
    now = timezone.now()
    try:
        if (known := expect(request, plaintext, now=now)) is None:
            return None
        require_scope(known.key, SCOPE)
        require_visitor(known.key, asked, now=now)
    except TooManyError as error:
        refusal = problems.from_domain(request, error)
        BrowserReachable.to_browser(request, refusal)
        return refusal
    except DomainError:  # of the key as it was
        return None
    language = asked["language"] or active
    with translation.override(language) if language != active else nullcontext():
        found = read(asked, language=language, now=now, key=known, is_noted=not known.key.is_test)
    if found is not None:
        BrowserReachable.to_browser(request, found, named_by=known.key)
    return found


def _finished(request: HttpRequest, found: HttpResponse, language: str) -> HttpResponse:
    """The answer with what the middleware that it did not pass adds."""
    request.resolver_match = _match()
    patch_vary_headers(found, ("Accept-Language",))
    found["Content-Language"] = language
    found["Content-Length"] = str(len(found.content))
    found["X-Frame-Options"] = settings.X_FRAME_OPTIONS
    return found


@lru_cache(maxsize=1)
def _match() -> ResolverMatch:
    return resolve(PATH)


def _takes_json(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept", "*/*")
    return "*/*" in accepted or accepted == "application/json"


def read(
    asked: Mapping[str, Any],
    *,
    language: str,
    now: datetime,
    is_noted: bool,
    key: Recalled | None = None,
) -> HttpResponse | None:
    """Return the list for facts of the form of `AskSerializer`, as `reading.of_visitor` says.

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
        key=key,
        is_noted=is_noted,
    )
    if found is None:
        return None
    return answers.answer(
        found.items,
        found.run,
        placement=placement,
        filled_with=(placing.POPULAR,) if found.fallback else (),
        currency=found.currency,
        recommendation_id=found.recommendation_id,
    )


def _asked(query: str) -> dict[str, Any] | None:
    """Return the facts if each has the form that needs no second look."""
    asked: dict[str, Any] = {"n": 10, "country": "", "language": ""}
    if len(query) > MOST_CHARACTERS or query.count("&") > MOST_FACTS or not query.isascii():
        return None
    for name, value in parse_qsl(query, keep_blank_values=True):
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
