"""Whatever the OpenAPI document allows or forbids is answered as it says, to whoever asks.

Schemathesis goes through the document three times: with no key, a browser key, a secret key.
SCHEMATHESIS_EXAMPLES=100 draws as many requests of each operation at random, beside the fixed
ones that cover all that the document says, and asks the twins of an operation too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.db import connections
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

from jobs.models import Job
from privacy import doors
from tests import make
from tests.make import NOW

DOCUMENT = Path(__file__).parent / "snapshots" / "openapi.yaml"  # held by test_openapi.py
JOB = "0f1e2d3c-4b5a-4968-8776-655443322110"
ASKED = os.environ.get("SCHEMATHESIS_EXAMPLES")
# These have the view and the body of `/v1/identify` or `/v1/track`.
TWINS = r"/v1/([a-z]|page|screen|group|alias)$"
# All checks run, as they come. 413 is how an array of too many items is refused.
CONFIG = f"""
[generation]
deterministic = true
max-examples = {ASKED or 5}

[[operations]]
include-path = "/v1/jobs/{{uuid}}"
parameters = {{ uuid = "{JOB}" }}

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
"""
# Why a request that fits the document may still be refused: rules that no JSON schema can state.
BEYOND_SCHEMAS = {
    "birth_date_invalid": "a schema has no clock",
    "blank": "white space alone says nothing",
    "discount_absurd": "what a discount is taken off stands beside it",
    "does_not_exist": "which segments there are is data",
    "empty_file": "bytes have no least length in a schema",
    "idempotency_key_reused": "what a name was used for is data",
    "in_future": "a schema has no clock",
    "invalid_cursor": "only what `next` gave is a cursor",
    "invalid_email": "an address is more than a pattern",
    "invalid_endpoint": "an address of a push service is more than a pattern",
    "invalid_feed_url": "an address that may be fetched is more than a pattern",
    "invalid_full_name": "a mask in place of a name",
    "invalid_gtin": "a schema computes no check digit",
    "invalid_id": "which characters can be printed changes with Unicode",
    "invalid_phone": "a telephone number is known by the numbering plan of its country",
    "invalid_push_keys": "a point of a curve is more than a pattern",
    "long_past": "a schema has no first day",
    "invalid_rule": "which fields there are, and what each takes, is data",
    "invalid_webhook_url": "an address that may be posted to is more than a pattern",
    "invalid_trait": "what a property must be depends on the aggregate; names taken are data",
    "latest_start_too_early": "a schema does not compare two members",
    "list_empty": "white space alone is no id",
    "list_price_below_price": "a schema does not compare two members",
    "max_value": "an amount is text, and text has no maximum",
    "missing_id": "white space alone is no id",
    "missing_event_name": "events of a batch are judged one by one, a single one is enough",
    "not_a_staff_address": "whose addresses the staff's are is data",
    "nul_character": "PostgreSQL keeps no U+0000",
    "null_characters_not_allowed": "PostgreSQL keeps no U+0000",
    "one_of": "that one of two members stands, and not both, is told in words",
    "personal_id": "an e-mail address or phone number that stands where an id belongs",
    "personal_name": "an e-mail address or phone number that stands where a name belongs",
    "repeated_id": "a schema does not compare the members of an array by one of theirs",
    "start_needed": "whether a campaign has a start is data",
    "starts_in_the_past": "a schema has no clock",
    "total_absurd": "a schema does not add up",
    "timestamp_in_future": "a schema has no clock",
    "timestamp_out_of_range": "a schema does not compare two members",
    "timestamp_too_old": "a schema has no clock",
    "unique": "which names are taken is data",
    "unknown_channel": "which channels a purpose uses is data",
    "unknown_event_type": "which events there are is told by the document's webhooks",
    "unknown_purpose": "which purposes there are is data",
    "unknown_type": "events of a batch are judged one by one, a single one is enough",
    "visitor_needed": "what must be said depends on the kind of key",
}
BEYOND_FORMATS = {
    "got `float`": "JSON schema counts 3.0 as an integer; as an id it would be another text than 3",
    "Datetime has wrong format": "a format binds nobody in JSON schema",
    "Enter a valid URL": "a host name is more than a pattern",
}
KEYS: dict[str, Callable[[], str]] = {
    "no key": str,
    "browser key": make.write_key,
    "secret key": lambda: make.secret_key(doors.SCOPES),
}


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext,
    failure: Any,
    _case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Keep every finding but a refusal for reasons that the document cannot state."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = json.loads(response.content)
    faults = problem["errors"] or [problem]
    return not all(
        fault["code"] in BEYOND_SCHEMAS or any(words in fault["detail"] for words in BEYOND_FORMATS)
        for fault in faults
    )


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    """Requests are counted in the cache; without one, no limit answers for all else."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KEYS)
def test_every_answer_is_one_that_the_document_allows(kind: str) -> None:
    key = KEYS[kind]()
    Job.objects.create(uuid=JOB, kind="profiles.merge", not_before=NOW, created_at=NOW)
    make.product("tv-55")  # the customer and the order of the examples are put there on the way
    config = schemathesis.Config.from_str(CONFIG)
    document = schemathesis.openapi.from_path(DOCUMENT, config=config)
    document.app = giving_back(get_wsgi_application())
    if key:
        document.config.update(headers={"Authorization": f"Bearer {key}"})
        # The run without a key sends the same requests, with none and with made-up ones.
        document.config.checks.ignored_auth.enabled = False

    n_asked, found = 0, []
    for event in from_schema(document if ASKED else document.exclude(path_regex=TWINS)).execute():
        assert not isinstance(event, events.FatalError | events.NonFatalError), event
        if isinstance(event, events.ScenarioFinished):
            n_asked += len(event.recorder.interactions)
            found += list(findings(event))

    assert not found, "\n\n".join(found)
    assert n_asked > 1_000


def giving_back(app: Callable[..., Any]) -> Callable[..., list[bytes]]:
    """Let each request give its connections back: Schemathesis asks from threads of its own."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        try:
            with closing(app(environ, start_response)) as response:
                return [b"".join(response)]
        finally:
            connections.close_all()

    return answer


def findings(event: events.ScenarioFinished) -> Iterator[str]:
    """What failed, and the request that shows it."""
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info
                yield f"{check.name}: {failure.failure}\n{failure.code_sample[:2_000]}\n{getattr(failure.failure, 'message', '')}"
