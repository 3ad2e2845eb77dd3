"""Every refusal is one RFC 9457 document, whichever layer it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions, serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from config import fallbacks
from privacy.problems import DomainError

Problem = dict[str, Any]


class LineSerializer(serializers.Serializer[Any]):
    quantity = serializers.IntegerField(min_value=1)


class BasketSerializer(serializers.Serializer[Any]):
    lines = LineSerializer(many=True)


def answer(
    error: Exception | None = None, body: dict[str, Any] | None = None
) -> tuple[Any, Problem]:
    @api_view(["POST"])
    @permission_classes([])
    def view(request: Request) -> Response:
        if error is not None:
            raise error
        BasketSerializer(data=request.data).is_valid(raise_exception=True)
        return Response()

    request = RequestFactory().post("/v1/baskets", json.dumps(body), "application/json")
    response = view(request)
    return response, json.loads(response.content)


def test_a_domain_error_becomes_a_problem_document() -> None:
    response, problem = answer(DomainError("too_late", "It is sent.", status=409, pointer="/at"))

    assert response["Content-Type"] == "application/problem+json"
    assert response.status_code == 409
    assert problem.pop("request_id")
    assert problem == {
        "type": "urn:problem:too_late",
        "title": "Conflict",
        "status": 409,
        "detail": "It is sent.",
        "instance": "/v1/baskets",
        "code": "too_late",
        "message": "It is sent.",
        "errors": [{"code": "too_late", "detail": "It is sent.", "pointer": "/at"}],
    }


def test_validation_errors_point_into_the_body_they_complain_about() -> None:
    body = {"lines": [{"quantity": 1}, {"quantity": 0}, {}]}

    _, problem = answer(body=body)

    assert problem["code"] == "validation_error"
    assert [(fault["pointer"], fault["code"]) for fault in problem["errors"]] == [
        ("/lines/1/quantity", "min_value"),
        ("/lines/2/quantity", "required"),
    ]


def test_a_pointer_escapes_the_two_characters_that_rfc_6901_reserves() -> None:
    _, problem = answer(exceptions.ValidationError({"a/b~c": ["no"]}))

    assert problem["errors"][0]["pointer"] == "/a~1b~0c"


def test_framework_errors_keep_their_status_and_code() -> None:
    cases: list[tuple[Exception, int, str]] = [
        (Http404(), 404, "not_found"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported_media_type"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    ]
    for error, status, code in cases:
        response, problem = answer(error)
        assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    response, _ = answer(exceptions.Throttled(wait=12))

    assert response["Retry-After"] == "12"


@pytest.mark.django_db
def test_an_unknown_machine_address_is_a_problem_and_a_page_for_people_is_not(
    client: Client,
) -> None:
    assert client.get("/v1/nowhere").json()["code"] == "not_found"
    assert client.get("/nowhere")["Content-Type"].startswith("text/html")


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_but_its_id() -> None:
    response = fallbacks.server_error(RequestFactory().get("/v1/orders/1"))
    problem = json.loads(response.content)

    assert (response.status_code, problem["code"]) == (500, "server_error")
    assert problem["request_id"]
    assert problem["errors"] == []


@pytest.mark.django_db
def test_a_request_for_another_host_is_a_problem_too(client: Client) -> None:
    answer = client.get("/v1/orders/1", headers={"Host": "evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.django_db
def test_an_address_in_the_path_is_not_repeated(client: Client) -> None:
    answer = client.get("/v1/baskets/ann@example.com")

    assert answer.json()["instance"] == "/v1/baskets/[email]"
