"""Reading what clients send: any bytes get a verdict, and nothing personal gets through."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles.events import salvaging, sieve, wire
from profiles.identity import telling
from tests.make import NOW

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EMAILS = st.emails()
NAMES = st.sampled_from(["note", "e-mail", "E_Mail", "customer name", "url", "tags", "sku", "邮箱"])


def read(call: dict[str, Any], **facts: Any) -> wire.Message:
    facts = {"kind": None, "sent_at": None, "received_at": NOW, "ip": ""} | facts
    return wire.read(json.dumps(call).encode(), **facts)


# The first text that is drawn waits for Hypothesis to read its tables of characters.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            ["type", "event", "userId", "anonymousId", "properties", "traits", "context",
             "timestamp", "messageId", "name", "previousId"]
        ),
        VALUES | st.sampled_from(["track", "identify", "2026-03-01T00:00:00Z"]),
    )
)  # fmt: skip
def test_whatever_comes_is_read_or_rejected_with_a_code(call: dict[str, Any]) -> None:
    try:
        message = read(call)
    except wire.RejectedError as error:
        code = error.code
    else:
        code = "read" if message.user_id or message.anonymous_id else ""
        assert message.happened_at <= NOW
    assert code


@given(st.binary(max_size=200), st.sampled_from(["gzip", ""]))
def test_any_bytes_are_a_body_or_unreadable(body: bytes, encoding: str) -> None:
    try:
        wire.open_envelope(wire.inflate(body, encoding), is_batch=True)
    except wire.UnreadableError as error:
        code = error.code
    else:
        code = "read"
    assert code in {"read", "invalid_gzip", "invalid_json", "missing_batch"}


@given(EMAILS, NAMES, st.sampled_from(["{}", "call {} now", "https://a.example/?m={}"]))
def test_no_e_mail_address_gets_through_however_it_is_packed(
    email: str, name: str, form: str
) -> None:
    text = form.format(email)
    packed = {name: text, "in": {name: [text, {name: text}]}, "product_id": "p", text: 1}
    for call in (
        {"type": "track", "event": "Seen", "properties": packed},
        {"type": "identify", "traits": packed | {"email": email, "name": text}},
        {"type": "page", "context": {"page": {"path": text, "title": text}, "traits": packed}},
    ):
        message = read({"userId": "C-1", "context": {"traits": packed}} | call)

        shown = json.dumps([message.properties, message.context, message.name], ensure_ascii=False)
        assert email not in shown
        told = [concern.detail for concern in message.concerns]
        assert email not in "".join(told)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "::"),
        ("no address", ""),
    ],
)
def test_of_an_address_only_its_network_is_kept(address: str, network: str) -> None:
    assert sieve.shorten_ip(address) == network


@pytest.mark.parametrize(
    "identifier", ["ann@shop.example", "+43 660 123 45 67", "+8613800138000", "13800138000"]
)
def test_an_address_or_a_number_is_personal(identifier: str) -> None:
    assert telling.looks_personal(identifier)


@pytest.mark.parametrize(
    "identifier", ["13085", "C-1007", "20231124000017", "7b0f2c1e-9a4d-4a8f-9d6e-0a1b2c3d4e5f"]
)
def test_an_id_of_the_shop_is_not_personal(identifier: str) -> None:
    assert not telling.looks_personal(identifier)


def test_a_personal_trait_of_the_wrong_type_is_told() -> None:
    message = read({"type": "identify", "userId": "C-1", "traits": {"email": ["a"], "name": None}})

    assert (message.properties, message.sealed) == ({}, {})
    assert [concern.code for concern in message.concerns] == ["personal_data_dropped"]


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "happened"),
    [
        (None, None, NOW),
        (NOW - timedelta(days=3), None, NOW - timedelta(days=3)),
        (NOW - timedelta(days=3), NOW - timedelta(seconds=59), NOW - timedelta(days=3)),
        (NOW + timedelta(days=9), NOW + timedelta(days=9, hours=1), NOW - timedelta(hours=1)),
        (NOW + timedelta(hours=5), None, NOW),
    ],
    ids=["none", "past", "clock right", "clock ahead", "soon"],
)
def test_the_time_of_an_event_is_by_our_clock(
    timestamp: datetime | None, sent_at: datetime | None, happened: datetime
) -> None:
    call = {"type": "page", "userId": "C-1"}
    call |= {"timestamp": timestamp.isoformat()} if timestamp else {}

    assert read(call, sent_at=sent_at).happened_at == happened


def test_a_deep_event_is_rejected_not_fatal() -> None:
    deep = '{"type":"page","userId":"1","properties":{"a":' + "[" * 5000 + "]" * 5000 + "}}"

    with pytest.raises(wire.RejectedError) as rejection:
        wire.read(deep.encode(), kind=None, sent_at=None, received_at=NOW, ip="")
    assert rejection.value.code == "too_deep"


def test_a_clock_beyond_the_calendar_is_rejected_not_an_error() -> None:
    far = {"type": "track", "event": "X", "userId": "C-1", "timestamp": "9999-12-31T23:59:59Z"}

    with pytest.raises(wire.RejectedError) as caught:
        read(far, sent_at=datetime(2000, 1, 2, tzinfo=NOW.tzinfo))

    assert caught.value.code == "timestamp_out_of_range"


@pytest.mark.parametrize(
    "sent_at",
    [
        "soon",
        7,
        True,
        [],
        {"a": 1},
        "2026-13-01T00:00:00Z",
        NOW.replace(year=9999),
        "0001-01-01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)
@pytest.mark.parametrize("is_batch", [True, False])
def test_a_hint_that_is_no_time_costs_no_event_and_is_told(*, sent_at: Any, is_batch: bool) -> None:
    told = NOW - timedelta(hours=3)
    event: dict[str, Any] = {"type": "page", "userId": "C-1", "timestamp": told.isoformat()}
    body = {"batch": [event], "sentAt": sent_at} if is_batch else event | {"sentAt": sent_at}

    envelope, [raw] = wire.open_envelope(msgspec.json.encode(body), is_batch=is_batch)
    message = wire.read(raw, kind=None, sent_at=envelope.sent_at, received_at=NOW, ip="")

    assert message.happened_at == told
    assert [concern.code for concern in message.concerns] == ["sent_at_ignored"]


def test_an_event_without_a_time_of_its_own_needs_no_hint() -> None:
    assert read({"type": "page", "userId": "C-1"}, sent_at="soon").concerns == []


@pytest.mark.parametrize(
    "ids",
    [
        {"anonymousId": "a"},
        {"anonymousId": "a", "previousId": "b"},
        {"userId": ""} | {"anonymousId": "a"},
        {"userId": "C-1"},
    ],
)
def test_an_alias_that_names_too_little_is_told_that_nothing_was_joined(
    ids: dict[str, str],
) -> None:
    assert [one.code for one in read({"type": "alias"} | ids).concerns] == ["alias_incomplete"]


@pytest.mark.parametrize("personal", ["ann@shop.example", "+44 7700 900321"])
def test_no_free_text_of_an_event_carries_a_person(personal: str) -> None:
    call = {"type": "group", "userId": "C-1", "messageId": "m", "groupId": personal}
    context = {"locale": personal, "userAgent": personal, "page": {"title": f"For {personal}"}}
    kept = read(call | {"context": context, "traits": {"note": personal, "tags": [personal]}})

    assert (kept.context, kept.properties) == ({"page": {}}, {"tags": []})
    for name, code in (("messageId", "personal_id"), ("event", "personal_name")):
        with pytest.raises(wire.RejectedError) as caught:
            read({"type": "track", "event": "X", "userId": "C-1"} | {name: f"To {personal}"})
        assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    ["打我电话13800138000", "１３８ ００１３ ８０００", "card 4111 1111 1111 1111", "身份证11010519491231002X"],
)  # fmt: skip
def test_what_people_write_is_dropped_if_it_tells_who_they_are(text: str) -> None:
    query = {"query": text, "filters": [text], "nested": {"note": text}, "product_id": "p"}

    message = read({"type": "track", "event": "Searched", "userId": "C-1", "properties": query})

    assert message.properties == {"filters": [], "nested": {}, "product_id": "p"}
    assert [concern.code for concern in message.concerns] == ["personal_data_dropped"]


def test_a_place_that_is_no_place_is_not_kept() -> None:
    traits = {"city": "ask ann@shop.example", "address": {"country": "打电话13800138000"}}

    message = read({"type": "identify", "userId": "C-1", "traits": traits})

    assert message.properties == {}


@pytest.mark.parametrize("personal", ["ann@shop.example", "cart of +44 7700 900321"])
def test_no_id_of_a_thing_carries_a_person(personal: str) -> None:
    things = {"cart_id": personal, "cartId": personal, "order_id": personal, "sku": personal}
    told = things | {"cart": {"id": personal}, "products": [{"product_id": personal}]}

    message = read({"type": "track", "event": "Cart Viewed", "userId": "C-1", "properties": told})

    assert message.properties == {"cart": {}, "products": [{}]}
    assert all(name in message.concerns[0].detail for name in (*things, "cart.id"))


def test_numbers_of_things_are_kept_even_if_they_look_like_a_telephone() -> None:
    things = {"order_id": "13800138000", "sku": "4111111111111111", "coupon": "13900139000",
              "products": [{"product_id": "13700137000", "name": "Cable 2 m"}]}  # fmt: skip

    message = read({"type": "track", "event": "Seen", "userId": "C-1", "properties": things})

    assert message.properties == things


def test_traits_in_the_context_of_an_identify_call_are_its_traits() -> None:
    traits = {"email": "ann@shop.example", "plan": "gold"}
    told = read({"type": "identify", "userId": "C-1", "context": {"traits": traits}})

    assert told.sealed["email"] == "ann@shop.example"
    assert told.properties == {"plan": "gold"}
    elsewhere = read({"type": "page", "userId": "C-1", "context": {"traits": traits}})
    assert "gold" not in str(elsewhere)


ITEM = st.dictionaries(st.text(), VALUES, max_size=3)


@given(st.lists(ITEM, max_size=5), st.dictionaries(st.text(), VALUES, max_size=2))
def test_a_batch_comes_apart_as_a_json_reader_would_take_it(
    items: list[dict[str, Any]], around: dict[str, Any]
) -> None:
    body = json.dumps(around | {"batch": items, "writeKey": "k"}).encode()

    parts = salvaging.apart(body, b"batch")

    assert parts is not None
    assert json.loads(parts[0]) == around | {"batch": [], "writeKey": "k"}
    assert [json.loads(raw) for raw in parts[1]] == items


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}", "event_too_large"),
        (b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
        (b'{"type":"page","userId":"1","properties":{"price":NaN}}', "invalid_event"),
        (b'{"type" "page"}', "invalid_event"),
        (b"", "invalid_event"),
    ],
    ids=["deeper than readers go", "deep", "no number", "no colon", "nothing"],
)
def test_an_event_that_no_reader_takes_costs_no_other_of_its_batch(bad: bytes, code: str) -> None:
    good = b'{"type":"page","userId":"1","name":"[a, {\\"b"}'
    body = b'{"writeKey":"k","batch":[%b, %b ,%b],"sentAt":"2026-03-02T09:00:00Z"}'

    envelope, raws = wire.open_envelope(body % (good, bad, good), is_batch=True)

    assert (envelope.write_key, raws) == ("k", [good, bad, good])
    assert envelope.sent_at == "2026-03-02T09:00:00Z"
    with pytest.raises(wire.RejectedError) as rejection:
        wire.read(raws[1], kind=None, sent_at=None, received_at=NOW, ip="")
    assert rejection.value.code == code


@pytest.mark.parametrize("is_batch", [True, False])
def test_half_a_character_is_replaced_and_the_event_kept(*, is_batch: bool) -> None:
    text = rb"\ud83d\ude00 \ud83d \\ud83d \\\ud83d \ude00"
    event = b'{"type":"page","userId":"1","name":"%b"}' % text

    _envelope, [raw] = wire.open_envelope(
        b'{"batch":[%b]}' % event if is_batch else event, is_batch=is_batch
    )

    message = wire.read(raw, kind=None, sent_at=None, received_at=NOW, ip="")
    assert message.name == "\U0001f600 \ufffd \\ud83d \\\ufffd \ufffd"


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch":[{"a":1},{"b"',
        b'{"batch":[{"a":1}]',
        b'{"batch":[{"a":1}]]}',
        b'{"batch":[{"a":1}],"sentAt":[[}',
        b'{"batch":[NaN',
        b"[" * 100_000,
        b'{"batch":"' + b"[" * 100_000,
        b'{"batch":[' + b"[]," * 60_000 + b"NaN]}",
    ],
)
def test_a_body_that_does_not_end_or_has_too_many_brackets_is_refused_whole(body: bytes) -> None:
    with pytest.raises(wire.UnreadableError) as refusal:
        wire.open_envelope(body, is_batch=True)

    assert refusal.value.code == "invalid_json"


def test_nothing_may_follow_a_packed_body() -> None:
    with pytest.raises(wire.UnreadableError) as refusal:
        wire.inflate(gzip.compress(b"{}") + gzip.compress(b"{}"), "gzip")

    assert refusal.value.code == "invalid_gzip"


def test_a_name_that_is_too_long_is_not_kept_and_told() -> None:
    call = {"type": "identify", "userId": "1", "traits": {"name": "N" * 201, "city": "Rome"}}

    message = read(call)

    assert (message.sealed, message.properties) == ({}, {"city": "Rome"})
    assert [concern.code for concern in message.concerns] == ["invalid_full_name"]


@pytest.mark.parametrize(("birthday", "year"), [("1990-01-01", 1990), ("2099-01-01", None)])
def test_a_birthday_that_is_to_come_is_none(birthday: str, year: int | None) -> None:
    call = {"type": "identify", "userId": "1", "traits": {"birthday": birthday}}

    assert read(call).properties.get("birth_year") == year
