"""The tracking endpoints in the OpenAPI document: lean views, described by their msgspec types."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from privacy.api.schema import SCHEMES
from profiles.api.events import Receipt
from profiles.api.urls import CALLS
from profiles.events import wire

SUMMARIES: Final = {
    "track": "Something a customer did",
    "identify": "Who a customer is",
    "page": "A page was seen",
    "screen": "A screen of an app was seen",
    "group": "A customer belongs to a group",
    "alias": "Two ids are one visitor",
}
MOMENT: Final = {"messageId": "7b0f…", "timestamp": "2026-03-02T09:00:00Z"}
VIEWED: Final = {"product_id": "tv-55", "price": 499.0, "currency": "EUR"}
BOTH_IDS: Final = {"anonymousId": "v-19", "userId": "C-1007"}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "track": MOMENT | BOTH_IDS | {"event": "Product Viewed", "properties": VIEWED},
    "identify": MOMENT | BOTH_IDS | {"traits": {"email": "ann@example.com", "locale": "en"}},
    "page": MOMENT | {"anonymousId": "v-19", "name": "Home", "properties": {"path": "/"}},
    "screen": MOMENT | {"userId": "C-1007", "name": "Home"},
    "group": MOMENT | {"userId": "C-1007", "groupId": "club", "traits": {"tier": "gold"}},
    "alias": MOMENT | {"userId": "C-1007", "previousId": "v-18"},
}
IDENTIFIER: Final = {"type": ["string", "integer"], "minLength": 1, "maxLength": wire.MAX_ID}
SENT_AT: Final = (
    "When the client sent it, by its own clock. What is no time costs no event: the warning"
    " sent_at_ignored tells of it."
)
EVENT: Final = {"type": "string", "minLength": 1, "maxLength": wire.MAX_NAME}
CALL: Final = {"$ref": "#/components/schemas/Call"}
# What a call that comes alone must say; those of a batch have a verdict each.
SINGLE: Final[dict[str, Any]] = {
    "SingleCall": {
        "description": "A call with a userId or an anonymousId.",
        "allOf": [CALL],
        "anyOf": [
            {"required": [name], "properties": {name: IDENTIFIER}}
            for name in ("userId", "anonymousId")
        ],
    },
    "Track": {
        "description": "A call with the name of what was done.",
        "allOf": [{"$ref": "#/components/schemas/SingleCall"}],
        "required": ["event"],
        "properties": {"event": EVENT},
    },
}


class Batch(msgspec.Struct, rename="camel", kw_only=True):
    """Up to 500 events; the key may stand here where no header can be set."""

    batch: Annotated[list[wire.Call], msgspec.Meta(max_length=wire.MAX_EVENTS)]
    sent_at: Annotated[Any, msgspec.Meta(description=SENT_AT)] = None
    write_key: str | None = None


class Destination(msgspec.Struct):
    apiKey: str
    apiHost: str
    protocol: str


class Settings(msgspec.Struct):
    """What Segment's browser client asks for before it starts."""

    integrations: dict[str, Destination]


def add_tracking(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the paths that REST framework does not know of."""
    _refs, components = msgspec.json.schema_components(
        [wire.Call, Batch, Receipt, Settings], ref_template="#/components/schemas/{name}"
    )
    result["components"]["schemas"] |= components | SINGLE
    batch = {"batch": [EXAMPLES["track"] | {"type": "track"}]}
    paths = {"/v1/batch": _taking("batch", "Up to 500 events", "Batch", batch)}
    for kind, short in CALLS.items():
        example = EXAMPLES[kind]
        body = "Track" if kind == "track" else "SingleCall"
        paths[f"/v1/{kind}"] = _taking(kind, SUMMARIES[kind], body, example)
        paths[f"/v1/{short}"] = _taking(short, f"Short for /v1/{kind}", body, example)
    paths["/v1/projects/{write_key}/settings"] = _settings()
    result["paths"] = dict(sorted({**result["paths"], **paths}.items()))
    return result


def _taking(name: str, summary: str, body: str, example: dict[str, Any]) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{body}"}, "example": example}
    operation = {
        "operationId": f"take_{name}",
        "summary": summary,
        "description": "Scope: `events:write`. The body may be packed by gzip.",
        "tags": ["events"],
        "security": [{scheme: []} for scheme in SCHEMES],
        "requestBody": {
            "required": True,
            "content": {"application/json": content, "text/plain": content},
        },
        "responses": {"202": _answer("Receipt", "What became of each event")},
    }
    return {"post": operation}


def _settings() -> dict[str, Any]:
    key = {"name": "write_key", "in": "path", "required": True, "schema": {"type": "string"}}
    operation = {
        "operationId": "project_settings",
        "summary": "Settings of browser clients",
        "tags": ["events"],
        "security": [{}],
        "parameters": [key],
        "responses": {"200": _answer("Settings", "Where to send events")},
    }
    return {"get": operation}


def _answer(schema: str, description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}
