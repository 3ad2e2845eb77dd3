"""Pages of a list by cursor: what comes in meanwhile shifts nothing, and the last is as quick."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter

from privacy.problems import DomainError

M = TypeVar("M", bound=Model)

LIMIT: Final = 50
MOST: Final = 200
HIGHEST: Final = 2**63 - 1
NUMBER: Final = re.compile(r"[0-9]{1,9}")

PARAMETERS: Final = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST},
        description=f"Rows a page, 1 to {MOST}; {LIMIT} without it.",
    ),
    OpenApiParameter("cursor", str, description="`next` of the page before."),
]


def page(
    rows: QuerySet[M], asked: Mapping[str, Any], show: Callable[[list[M]], Any]
) -> dict[str, Any]:
    """One page of `rows`, the newest first, as the wire has it.

    `asked` are the query's parameters. Raises DomainError `invalid_limit`, `invalid_cursor`.
    """
    limit = _limit(asked.get("limit", str(LIMIT)))
    if cursor := asked.get("cursor", ""):
        rows = rows.filter(pk__lt=_read(cursor))
    found = list(rows.order_by("-pk")[: limit + 1])
    following = _write(found[limit - 1].pk) if len(found) > limit else None
    return {"data": show(found[:limit]), "next": following}


def _limit(text: str) -> int:
    if not (NUMBER.fullmatch(text) and 1 <= int(text) <= MOST):
        detail = _("limit is a number from 1 to %(most)d.") % {"most": MOST}
        raise DomainError("invalid_limit", detail)
    return int(text)


def _write(key: int) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _read(cursor: str) -> int:
    try:
        key = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = -1
    if not 0 <= key <= HIGHEST:
        detail = _("Pass the cursor as `next` of the page before gave it.")
        raise DomainError("invalid_cursor", detail, status=HTTPStatus.BAD_REQUEST)
    return key
