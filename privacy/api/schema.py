"""What every operation of the OpenAPI document shares: keys, and one problem document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from privacy import event_types
from privacy.problems import MEDIA_TYPE

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details; the codes stand in the reference of errors.",
    "required": ["type", "title", "status", "detail", "instance", "request_id", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri", "example": "urn:problem:validation_error"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "code": {"type": "string", "example": "validation_error"},
        "message": {"type": "string", "description": "The same as detail."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail", "pointer"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "RFC 6901, into the body."},
                },
            },
        },
    },
}
REFUSAL = {
    "description": "The request was refused.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SCHEMES = {
    "bearerKey": {"type": "http", "scheme": "bearer"},
    "basicKey": {"type": "http", "scheme": "basic", "description": "The key is the user name."},
}


class ProblemSchema(AutoSchema):
    """Names the scope that an operation asks of its key, and how long a list may be."""

    def get_description(self) -> str:  # type: ignore[override]
        scope = getattr(self.view, "required_scope", "")
        if scope and ":" not in scope:
            scope += ":read" if self.method == "GET" else ":write"
        text = super().get_description()
        return f"{text}\n\nScope: `{scope}`.".strip() if scope else text

    def _map_serializer_field(
        self,
        field: Any,
        direction: Any,
        bypass_extensions: bool = False,  # noqa: FBT001, FBT002 -- the base's
    ) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        if isinstance(field, serializers.ListSerializer) and direction == "request":
            most = vars(field)["max_length"]
            bounds = {"minItems": 0 if field.allow_empty else 1, "maxItems": most}
            schema |= {name: bound for name, bound in bounds.items() if bound}
        return schema


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "privacy.api.authentication.ApiKeyAuthentication"
    name = list(SCHEMES)

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        del auto_schema
        return list(SCHEMES.values())

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        del auto_schema
        return [{name: []} for name in SCHEMES]


def keep_v1(endpoints: list[Any]) -> list[Any]:
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/v1/")]


def add_problem(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation may be refused, always in the one form."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = REFUSAL
    return result


def add_webhooks(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe what is posted to webhooks: each type of event with the members of its data."""
    result["webhooks"] = {one.name: {"post": _told_of(one)} for one in event_types.all_types()}
    return result


def _told_of(one: event_types.EventType) -> dict[str, Any]:
    data = {
        "type": "object",
        "required": [member.name for member in one.members],
        "properties": {member.name: member.schema for member in one.members},
    }
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": one.name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
    }
    return {
        "operationId": f"webhook_{one.name.replace('.', '_')}",
        "summary": one.name,
        "description": one.about,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "Taken; anything else is tried again."}},
    }
