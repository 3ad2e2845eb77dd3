"""Reading tracking calls: bytes to clean messages, each with a verdict of its own.

Pure: knows msgspec and the tracking specification, neither Django nor the database. Nothing
that leaves this module holds personal data except `Message.sealed` and the two ids, which
the caller turns into sealed fields and tags before anything is stored.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import uuid4

import msgspec

from privacy import finder
from profiles.events import name_mapping, salvaging, sieve
from profiles.events.sieve import text_of
from profiles.identity.telling import tells_personal

MAX_BODY_BYTES: Final = 512 * 1024
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_EVENTS: Final = 500
MAX_ID: Final = 100
MAX_NAME: Final = 200
CLOCK_TRUSTED_WITHIN: Final = timedelta(minutes=1)
FUTURE_ALLOWED: Final = timedelta(hours=24)
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
NO_CLOCK: Final = datetime(9000, 1, 1, tzinfo=UTC)

KINDS: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})

FIRST_NAMES: Final = ("firstName", "first_name")
LAST_NAMES: Final = ("lastName", "last_name")
FULL_NAMES: Final = ("name", "fullName", "full_name")
BIRTHDAYS: Final = ("birthday", "birthDate", "birth_date", "dateOfBirth")
SEALED_TRAITS: Final = frozenset(
    ("email", "phone", "address", *FIRST_NAMES, *LAST_NAMES, *FULL_NAMES, *BIRTHDAYS)
)


class UnreadableError(Exception):
    """A whole body that cannot be read; `status` is the HTTP status that says so best."""

    def __init__(self, code: str, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status


class RejectedError(Exception):
    """One event that cannot be taken in."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


# What the OpenAPI document says of them; the limits themselves are checked below, event by event.
ShortText = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_ID})]
Name = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_NAME})]
Moment = Annotated[datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Envelope(msgspec.Struct, rename="camel"):
    """What surrounds the events of one request; the events stay unread bytes."""

    batch: list[msgspec.Raw] | None = None
    write_key: str | None = None
    sent_at: Any = None  # a hint; what is no time costs no event


class Call(msgspec.Struct, rename="camel", gc=False):
    """One tracking call as clients send it."""

    type: str | None = None
    message_id: ShortText | None = None
    user_id: ShortText | int | None = None
    anonymous_id: ShortText | int | None = None
    previous_id: ShortText | int | None = None
    group_id: ShortText | int | None = None
    event: Name | None = None
    name: Name | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: Moment | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """What the sender of an accepted event should know."""

    code: str
    detail: str


class Message(msgspec.Struct, gc=False):
    """One clean event. `sealed` holds personal traits (email, phone, full_name) in the clear.

    Events of one request share what they share: a context is replaced, never written to.
    """

    kind: str
    message_id: str
    name: str
    user_id: str
    anonymous_id: str
    previous_id: str
    product_id: str
    properties: dict[str, Any]
    context: dict[str, Any]
    happened_at: datetime
    sealed: dict[str, str] = {}
    concerns: list[Concern] = []
    index: int = 0


class _Call(Call):
    """The same with its context unread, as most contexts of a request are alike."""

    context: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


class _Around(msgspec.Struct):
    context: dict[str, Any] | None = None


SENT_AT_IGNORED: Final = Concern(
    "sent_at_ignored",
    "sentAt is no time that fits the timestamp; the timestamp was taken as it is.",
)
ALIAS_INCOMPLETE: Final = Concern(
    "alias_incomplete",
    "An alias needs a userId and a previousId or anonymousId; nothing was joined.",
)
UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_envelopes = msgspec.json.Decoder(Envelope)
_calls = msgspec.json.Decoder(_Call)
_contexts = msgspec.json.Decoder(_Around)


def inflate(body: bytes, encoding: str) -> bytes:
    """The plain body, at most `MAX_BODY_BYTES` long however small its packed form is."""
    if encoding in {"", "identity"}:
        plain, is_whole = body, True
    elif encoding == "gzip":
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            plain = unpacker.decompress(body, MAX_BODY_BYTES + 1)
        except zlib.error:
            raise UnreadableError("invalid_gzip", "The body is not valid gzip.") from None
        is_whole = unpacker.eof
    else:
        detail = "Send the body plain or with Content-Encoding: gzip."
        raise UnreadableError("unsupported_encoding", detail, 415)
    if len(plain) > MAX_BODY_BYTES:
        detail = f"The body may have {MAX_BODY_BYTES} bytes; split it into smaller batches."
        raise UnreadableError("body_too_large", detail, 413)
    if not is_whole:
        raise UnreadableError("invalid_gzip", "The gzip body ends too early.")
    if encoding == "gzip" and unpacker.unused_data:
        raise UnreadableError("invalid_gzip", "Something follows the end of the gzip body.")
    return plain


def open_envelope(body: bytes, *, is_batch: bool) -> tuple[Envelope, list[bytes]]:
    """The envelope and its events as unread bytes; a single call is its own only event.

    An event that is no JSON, or nested too deeply, stays among the others for its own verdict.
    """
    try:
        envelope = _envelopes.decode(body)
    except UNREADABLE:
        return _salvaged(salvaging.without_halves(body), is_batch=is_batch)
    return _checked(envelope, [body], is_batch=is_batch)


def _salvaged(body: bytes, *, is_batch: bool) -> tuple[Envelope, list[bytes]]:
    try:
        return _checked(_envelopes.decode(body), [body], is_batch=is_batch)
    except UNREADABLE as error:
        parts = salvaging.apart(body, b"batch") if is_batch else None
        if parts is None:
            raise _no_json(error) from None
    around, raws = parts
    try:
        envelope = _envelopes.decode(around)
    except UNREADABLE as error:
        raise _no_json(error) from None
    envelope.batch = [msgspec.Raw(raw) for raw in raws]
    return _checked(envelope, [], is_batch=True)


def _no_json(error: Exception) -> UnreadableError:
    if isinstance(error, RecursionError):
        return UnreadableError("invalid_json", "The body is nested too deeply.")
    return UnreadableError("invalid_json", f"The body is not readable JSON: {error}.")


def _checked(
    envelope: Envelope, single: list[bytes], *, is_batch: bool
) -> tuple[Envelope, list[bytes]]:
    if not is_batch:
        return envelope, single
    if envelope.batch is None:
        raise UnreadableError("missing_batch", 'The body needs a list of events named "batch".')
    if len(envelope.batch) > MAX_EVENTS:
        detail = f"A batch may hold {MAX_EVENTS} events; this one holds {len(envelope.batch)}."
        raise UnreadableError("too_many_events", detail, 413)
    return envelope, [bytes(raw) for raw in envelope.batch]


class Reader:
    """Reads the events of one request, and what they have in common once."""

    def __init__(self, *, kind: str | None, sent_at: Any, received_at: datetime, ip: str) -> None:
        """`sent_at` is by the client's clock, as it was told; `self.sent_at` is None for no time."""
        self._kind = kind
        self._received_at = received_at
        self._ip = ip
        self.sent_at = _told_time(sent_at)
        self._is_sent_at_lost = sent_at is not None and self.sent_at is None
        # The client's clock, where it differs from ours by more than a request's way.
        self._clock: datetime | None = None
        if self.sent_at and abs(received_at - self.sent_at) > CLOCK_TRUSTED_WITHIN:
            self._clock = self.sent_at
        self._is_clock_right = self._clock is None and not self._is_sent_at_lost
        self._latest = received_at + FUTURE_ALLOWED
        self._sieve = sieve.Sieve()
        self._known_contexts: dict[bytes, dict[str, Any]] = {}

    def read(self, raw: bytes) -> Message:
        """One clean message; raises RejectedError with the reason where that is not possible."""
        if len(raw) > MAX_EVENT_BYTES:
            detail = f"An event may have {MAX_EVENT_BYTES} bytes; this one has {len(raw)}."
            raise RejectedError("event_too_large", detail)
        if b"\\u0000" in raw and b"\\u0000" in raw.replace(b"\\\\", b""):
            raise RejectedError("nul_character", "Text may not contain the character U+0000.")
        try:
            call = _calls.decode(raw)
            return self._clean(call, self._kind or call.type or "")
        except RecursionError:
            raise RejectedError("too_deep", "The event is nested too deeply.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # msgspec names types and places, never values.
            raise RejectedError("invalid_event", f"{error}.") from None

    def _clean(self, call: _Call, kind: str) -> Message:
        if kind not in KINDS:
            detail = f"The type must be one of {', '.join(sorted(KINDS))}."
            raise RejectedError("unknown_type", detail)
        dropped: list[str] = []
        sealed: dict[str, str] = {}
        if kind == "identify":
            properties, sealed = self._traits(call, dropped)
        else:
            told = call.traits if kind == "group" else call.properties
            properties = self._sieve.members(told, dropped) if told else {}
        concerns = _left_out(call, kind, sealed) if kind in {"identify", "alias"} else []
        happened_at = self._moment(call.timestamp, concerns)
        name, context = self._name(call, kind), self._context(call.context)
        if kind == "track":
            said, (name, properties) = name, name_mapping.known(name, properties)
            if said != name:
                context = {**context, "mapped_from": said}
        elif kind == "group":
            group_id = _identifier(call.group_id, "groupId")
            if tells_personal(group_id):
                dropped.append("groupId")
            else:
                properties["groupId"] = group_id
        return Message(
            kind=kind,
            message_id=_message_id(call) or f"auto-{uuid4()}",
            name=name,
            user_id=_identifier(call.user_id, "userId"),
            anonymous_id=_known(call),
            previous_id=_identifier(call.previous_id, "previousId"),
            product_id=_product(properties),
            properties=properties,
            context=context,
            happened_at=happened_at,
            sealed=sealed,
            concerns=[*concerns, _dropped(dropped)] if dropped else concerns,
        )

    def _traits(self, call: _Call, dropped: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The open traits of an identify call, and those that are sealed."""
        traits = call.traits or _traits_beside(_around(call.context))
        open_traits = {name: traits[name] for name in traits if name not in SEALED_TRAITS}
        properties = self._sieve.members(open_traits, dropped)
        properties |= _coarse(traits, self._received_at.year)
        dropped += [name for name in SEALED_TRAITS & traits.keys() if not _is_usable(traits[name])]
        return properties, _sealed(traits)

    def _context(self, raw: msgspec.Raw) -> dict[str, Any]:
        said = bytes(raw)
        if (known := self._known_contexts.get(said)) is None:
            known = self._sieve.context(_around(raw), self._ip)
            self._known_contexts[said] = known
        return known

    def _name(self, call: _Call, kind: str) -> str:
        name = (call.event if kind == "track" else call.name) or ""
        if kind == "track" and not name:
            raise RejectedError("missing_event_name", 'A track call needs its name in "event".')
        if len(name) > MAX_NAME:
            raise RejectedError("name_too_long", f"A name may have {MAX_NAME} characters.")
        if self._sieve.finds(name):
            detail = "The name of an event holds an e-mail address or a phone number."
            raise RejectedError("personal_name", detail)
        return name

    def _moment(self, timestamp: datetime | None, concerns: list[Concern]) -> datetime:
        """When it happened by our clock: a client's clock error shows in when it says it sent.

        Where that leads nowhere the timestamp counts as it is, with a concern.
        """
        if timestamp is None:
            return self._received_at
        told = _aware(timestamp)
        if self._is_clock_right and OLDEST <= told <= self._received_at:
            return told  # as most are
        moment = self._by_our_clock(told)
        if self._is_sent_at_lost or (not self._can_be(moment) and self._can_be(told)):
            concerns.append(SENT_AT_IGNORED)
            moment = told
        if moment is None:
            detail = "timestamp and sentAt lie too far apart."
            raise RejectedError("timestamp_out_of_range", detail)
        if moment > self._latest:
            raise RejectedError("timestamp_in_future", "The timestamp is more than a day ahead.")
        if moment < OLDEST:
            raise RejectedError("timestamp_too_old", f"The timestamp is before {OLDEST:%Y}.")
        return min(moment, self._received_at)

    def _by_our_clock(self, told: datetime) -> datetime | None:
        if self._clock is None:
            return told
        try:
            return self._received_at - (self._clock - told)
        except OverflowError:
            return None

    def _can_be(self, moment: datetime | None) -> bool:
        return moment is not None and OLDEST <= moment <= self._latest


def read(raw: bytes, *, kind: str | None, sent_at: Any, received_at: datetime, ip: str) -> Message:
    """A message of its own; raises RejectedError with the reason where that is not possible."""
    return Reader(kind=kind, sent_at=sent_at, received_at=received_at, ip=ip).read(raw)


def _around(context: msgspec.Raw) -> dict[str, Any]:
    """The context of a call; faults in it are named by their place in the call."""
    said = bytes(context)
    return (_contexts.decode(b'{"context":%b}' % said).context or {}) if said else {}


def _dropped(names: list[str]) -> Concern:
    listed = ", ".join(sorted(set(names)))
    detail = f"Left out as personal data: {listed}. Send such traits with identify."
    return Concern("personal_data_dropped", detail)


def _left_out(call: _Call, kind: str, sealed: dict[str, str]) -> list[Concern]:
    """What of the call leads to nothing; a name that is too long leaves `sealed`."""
    found = []
    if len(sealed.get("full_name", "")) > MAX_NAME:
        del sealed["full_name"]
        detail = f"The trait name may have {MAX_NAME} characters; it was not kept."
        found.append(Concern("invalid_full_name", detail))
    if kind == "alias" and {None, ""} & {call.user_id, call.previous_id or call.anonymous_id}:
        found.append(ALIAS_INCOMPLETE)
    return found


def _known(call: _Call) -> str:
    anonymous_id = _identifier(call.anonymous_id, "anonymousId")
    if not anonymous_id and call.user_id in {None, ""}:
        raise RejectedError("missing_id", "An event needs a userId or an anonymousId.")
    return anonymous_id


def _message_id(call: _Call) -> str:
    found = _identifier(call.message_id, "messageId")
    if tells_personal(found):
        detail = "The messageId holds an e-mail address or a phone number; make it random."
        raise RejectedError("personal_id", detail)
    return found


def _identifier(value: str | int | None, name: str) -> str:
    if value is None:
        return ""
    text = str(value).strip()
    if len(text) > MAX_ID:
        raise RejectedError("id_too_long", f"{name} may have {MAX_ID} characters.")
    return text


def _product(properties: dict[str, Any]) -> str:
    value = properties.get("product_id") or properties.get("productId") or ""
    text = str(value) if isinstance(value, (str, int)) else ""
    return text if len(text) <= MAX_ID else ""


def _told_time(told: Any) -> datetime | None:
    """The moment in UTC; None for what is none, or lies where no clock of a client can be."""
    try:
        moment = _aware(msgspec.convert(told, datetime)).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None
    return moment if OLDEST <= moment < NO_CLOCK else None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _sealed(traits: dict[str, Any]) -> dict[str, str]:
    first, last = text_of(traits, *FIRST_NAMES), text_of(traits, *LAST_NAMES)
    found = {
        "email": text_of(traits, "email"),
        "phone": text_of(traits, "phone"),
        "full_name": text_of(traits, *FULL_NAMES) or f"{first} {last}".strip(),
    }
    return {name: value for name, value in found.items() if value}


def _traits_beside(context: dict[str, Any]) -> dict[str, Any]:
    """Where RudderStack's client for Python puts the traits of an identify call."""
    traits = context.get("traits")
    return traits if isinstance(traits, dict) else {}


def _coarse(traits: dict[str, Any], this_year: int) -> dict[str, Any]:
    """What may be known in the clear of traits that are personal in full."""
    address = traits.get("address")
    place = address if isinstance(address, dict) else {}
    birthday = text_of(traits, *BIRTHDAYS)
    year = birthday[:4] if re.match(r"(19|20)\d\d(-|$)", birthday) else ""
    found = {
        "city": text_of(traits, "city") or text_of(place, "city"),
        "country": text_of(traits, "country") or text_of(place, "country"),
        "birth_year": int(year) if year and int(year) <= this_year else None,
    }
    return {
        name: value
        for name, value in found.items()
        if value and not (isinstance(value, str) and finder.holds(value))
    }


def _is_usable(trait: Any) -> bool:
    return trait is None or isinstance(trait, str | dict)


class _Named(msgspec.Struct, rename="camel"):
    message_id: Any = None


def message_id(raw: bytes) -> str:
    """The message id of an event that could not be read, so that its sender can find it."""
    try:
        found = msgspec.json.decode(raw, type=_Named).message_id
    except UNREADABLE:
        return ""
    return found[:MAX_ID] if isinstance(found, str) and not tells_personal(found) else ""
