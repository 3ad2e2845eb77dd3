"""Reading tracking calls: bytes to clean messages, each with a verdict of its own.

Pure: knows msgspec and the tracking specification, neither Django nor the database. Nothing
that leaves this module holds personal data except `Message.sealed` and the two ids, which
the caller turns into sealed fields and tags before anything is stored.
"""

from __future__ import annotations

import ipaddress
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final
from uuid import uuid4

import msgspec

from privacy import finder
from profiles.events import name_mapping
from profiles.identity.telling import EMAIL, tells_personal

MAX_BODY_BYTES: Final = 512 * 1024
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_EVENTS: Final = 500
MAX_ID: Final = 100
MAX_NAME: Final = 200
CLOCK_TRUSTED_WITHIN: Final = timedelta(minutes=1)
FUTURE_ALLOWED: Final = timedelta(hours=24)
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

KINDS: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})

# Names are compared in lower case without separators: `first_name`, `firstName`, `First name`.
PERSONAL: Final = """
    email emailaddress mail usermail useremail phone phonenumber telephone tel mobile
    mobilenumber cellphone firstname lastname fullname surname familyname givenname middlename
    username nickname recipient customername address addressline1 addressline2 streetaddress
    street shippingaddress billingaddress postalcode postcode zip zipcode birthday birthdate
    dateofbirth dob ssn nationalid idcard idnumber passport passportnumber taxid password
    creditcard cardnumber cvv iban bankaccount ip ipaddress
    邮箱 电子邮件 电话 手机 手机号 姓名 身份证 身份证号 地址 收货地址 生日
"""
PERSONAL_NAMES: Final = frozenset(PERSONAL.split())
ADDRESSES: Final = frozenset({"url", "referrer", "referer", "referring", "href", "pageurl"})
# Members whose numbers are those of things: no digits of theirs count as a telephone or a card.
THING: Final = re.compile(
    r".*(?:id|ids|sku|ean|gtin|upc|isbn|barcode|code|coupon|number|token|hash)"
)
SEPARATORS: Final = re.compile(r"[\s_.\-]+")
FIRST_NAMES: Final = ("firstName", "first_name")
LAST_NAMES: Final = ("lastName", "last_name")
FULL_NAMES: Final = ("name", "fullName", "full_name")
BIRTHDAYS: Final = ("birthday", "birthDate", "birth_date", "dateOfBirth")
SEALED_TRAITS: Final = frozenset(
    ("email", "phone", "address", *FIRST_NAMES, *LAST_NAMES, *FULL_NAMES, *BIRTHDAYS)
)
CONTEXT_KEPT: Final = ("locale", "timezone", "userAgent")
CONTEXT_PARTS: Final = {
    "page": ("path", "title", "referrer"),
    "campaign": ("name", "source", "medium", "term", "content"),
    "library": ("name", "version"),
    "device": ("type", "manufacturer", "model"),
    "os": ("name", "version"),
}


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
    sent_at: datetime | None = None


class Call(msgspec.Struct, rename="camel"):
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


@dataclass(slots=True)
class Message:
    """One clean event. `sealed` holds personal traits (email, phone, full_name) in the clear."""

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
    sealed: dict[str, str] = field(default_factory=dict)
    concerns: list[Concern] = field(default_factory=list)
    index: int = 0


_envelopes = msgspec.json.Decoder(Envelope)
_calls = msgspec.json.Decoder(Call)


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
    return plain


def open_envelope(body: bytes, *, is_batch: bool) -> tuple[Envelope, list[bytes]]:
    """The envelope and its events as unread bytes; a single call is its own only event."""
    try:
        envelope = _envelopes.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableError("invalid_json", f"The body is not readable JSON: {error}.") from None
    if not is_batch:
        return envelope, [body]
    if envelope.batch is None:
        raise UnreadableError("missing_batch", 'The body needs a list of events named "batch".')
    if len(envelope.batch) > MAX_EVENTS:
        detail = f"A batch may hold {MAX_EVENTS} events; this one holds {len(envelope.batch)}."
        raise UnreadableError("too_many_events", detail, 413)
    return envelope, [bytes(raw) for raw in envelope.batch]


def read(
    raw: bytes, *, kind: str | None, sent_at: datetime | None, received_at: datetime, ip: str
) -> Message:
    """One clean message; raises RejectedError with the reason where that is not possible."""
    if len(raw) > MAX_EVENT_BYTES:
        detail = f"An event may have {MAX_EVENT_BYTES} bytes; this one has {len(raw)}."
        raise RejectedError("event_too_large", detail)
    if b"\\u0000" in raw and b"\\u0000" in raw.replace(b"\\\\", b""):
        raise RejectedError("nul_character", "Text may not contain the character U+0000.")
    try:
        call = _calls.decode(raw)
        return _clean(call, kind or call.type or "", sent_at, received_at, ip)
    except RecursionError:
        raise RejectedError("too_deep", "The event is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec names types and places, never values.
        raise RejectedError("invalid_event", f"{error}.") from None


def _clean(
    call: Call, kind: str, sent_at: datetime | None, received_at: datetime, ip: str
) -> Message:
    if kind not in KINDS:
        detail = f"The type must be one of {', '.join(sorted(KINDS))}."
        raise RejectedError("unknown_type", detail)
    dropped: list[str] = []
    traits = call.traits or {}
    if kind == "identify":
        traits = traits or _traits_beside(call.context or {})
        open_traits = {name: traits[name] for name in traits if name not in SEALED_TRAITS}
        properties = _strip(open_traits, dropped, "") | _coarse(traits)
        dropped += [name for name in SEALED_TRAITS & traits.keys() if not _is_usable(traits[name])]
    else:
        properties = _strip((traits if kind == "group" else call.properties) or {}, dropped, "")
    name, context = _name(call, kind), _context(call.context or {}, ip)
    if kind == "track":
        told, (name, properties) = name, name_mapping.known(name, properties)
        if told != name:
            context["mapped_from"] = told
    if kind == "group":
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
        happened_at=_moment(call.timestamp, sent_at, received_at),
        sealed=_sealed(traits) if kind == "identify" else {},
        concerns=[_dropped(dropped)] if dropped else [],
    )


def _dropped(names: list[str]) -> Concern:
    listed = ", ".join(sorted(set(names)))
    detail = f"Left out as personal data: {listed}. Send such traits with identify."
    return Concern("personal_data_dropped", detail)


def _known(call: Call) -> str:
    anonymous_id = _identifier(call.anonymous_id, "anonymousId")
    if not anonymous_id and call.user_id in {None, ""}:
        raise RejectedError("missing_id", "An event needs a userId or an anonymousId.")
    return anonymous_id


def _message_id(call: Call) -> str:
    found = _identifier(call.message_id, "messageId")
    if tells_personal(found):
        detail = "The messageId holds an e-mail address or a phone number; make it random."
        raise RejectedError("personal_id", detail)
    return found


def _identifier(value: str | int | None, name: str) -> str:
    text = "" if value is None else str(value).strip()
    if len(text) > MAX_ID:
        raise RejectedError("id_too_long", f"{name} may have {MAX_ID} characters.")
    return text


def _name(call: Call, kind: str) -> str:
    name = (call.event if kind == "track" else call.name) or ""
    if kind == "track" and not name:
        raise RejectedError("missing_event_name", 'A track call needs its name in "event".')
    if len(name) > MAX_NAME:
        raise RejectedError("name_too_long", f"A name may have {MAX_NAME} characters.")
    if finder.holds(name):
        detail = "The name of an event holds an e-mail address or a phone number."
        raise RejectedError("personal_name", detail)
    return name


def _product(properties: dict[str, Any]) -> str:
    value = properties.get("product_id") or properties.get("productId") or ""
    return str(value) if isinstance(value, str | int) and len(str(value)) <= MAX_ID else ""


def _moment(
    timestamp: datetime | None, sent_at: datetime | None, received_at: datetime
) -> datetime:
    """When it happened by our clock: a client's clock error shows in when it says it sent."""
    if timestamp is None:
        return received_at
    moment = _aware(timestamp)
    if sent_at is not None and abs(received_at - _aware(sent_at)) > CLOCK_TRUSTED_WITHIN:
        try:
            moment = received_at - (_aware(sent_at) - moment)
        except OverflowError:
            detail = "timestamp and sentAt lie too far apart."
            raise RejectedError("timestamp_out_of_range", detail) from None
    if moment > received_at + FUTURE_ALLOWED:
        raise RejectedError("timestamp_in_future", "The timestamp is more than a day ahead.")
    if moment < OLDEST:
        raise RejectedError("timestamp_too_old", f"The timestamp is before {OLDEST:%Y}.")
    return min(moment, received_at)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)
def _said_by(name: str) -> str:
    """What a member's name says of its value: `person`, `address` (of a page), `thing` or nothing."""
    if EMAIL.search(name):
        return "person"
    plain = SEPARATORS.sub("", name).lower()
    if plain in PERSONAL_NAMES:
        return "person"
    if plain in ADDRESSES:
        return "address"
    return "thing" if THING.fullmatch(plain) else ""


def _strip(node: dict[str, Any], dropped: list[str], path: str) -> dict[str, Any]:
    """`node` without personal members; their paths are added to `dropped`."""
    kept: dict[str, Any] = {}
    for name, value in node.items():
        said = _said_by(name)
        if said == "person":
            dropped.append(f"{path}{EMAIL.sub('…', name)}")
        elif isinstance(value, str):
            text = without_query(value) if said == "address" else value
            if tells_personal(text) if said == "thing" else finder.holds(text):
                dropped.append(f"{path}{name}")
            elif name != "search":  # the query string that analytics.js adds to each page call
                kept[name] = text
        elif isinstance(value, dict):
            kept[name] = _strip(value, dropped, f"{path}{name}.")
        elif isinstance(value, list):
            is_free = said != "thing"
            kept[name] = list(_strip_list(value, dropped, f"{path}{name}.", is_free=is_free))
        else:
            kept[name] = value
    return kept


def _strip_list(
    values: list[Any], dropped: list[str], path: str, *, is_free: bool
) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict):
            yield _strip(value, dropped, path)
        elif isinstance(value, list):
            yield list(_strip_list(value, dropped, path, is_free=is_free))
        elif isinstance(value, str) and (finder.holds(value) if is_free else tells_personal(value)):
            dropped.append(path.rstrip("."))
        else:
            yield value


def _sealed(traits: dict[str, Any]) -> dict[str, str]:
    first, last = _text(traits, *FIRST_NAMES), _text(traits, *LAST_NAMES)
    found = {
        "email": _text(traits, "email"),
        "phone": _text(traits, "phone"),
        "full_name": _text(traits, *FULL_NAMES) or f"{first} {last}".strip(),
    }
    return {name: value for name, value in found.items() if value}


def _traits_beside(context: dict[str, Any]) -> dict[str, Any]:
    """Where RudderStack's client for Python puts the traits of an identify call."""
    traits = context.get("traits")
    return traits if isinstance(traits, dict) else {}


def _coarse(traits: dict[str, Any]) -> dict[str, Any]:
    """What may be known in the clear of traits that are personal in full."""
    address = traits.get("address")
    place = address if isinstance(address, dict) else {}
    birthday = _text(traits, *BIRTHDAYS)
    year = birthday[:4] if re.match(r"(19|20)\d\d(-|$)", birthday) else ""
    found = {
        "city": _text(traits, "city") or _text(place, "city"),
        "country": _text(traits, "country") or _text(place, "country"),
        "birth_year": int(year) if year else None,
    }
    return {
        name: value
        for name, value in found.items()
        if value and not (isinstance(value, str) and finder.holds(value))
    }


def _is_usable(trait: Any) -> bool:
    return trait is None or isinstance(trait, str | dict)


def _text(node: dict[str, Any], *names: str) -> str:
    for name in names:
        value = node.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()[:300]
    return ""


def _context(context: dict[str, Any], ip: str) -> dict[str, Any]:
    """The few parts of the context that are of use and say nothing of who it was."""
    kept: dict[str, Any] = {}
    for name in CONTEXT_KEPT:
        text = _text(context, name)
        if text and not finder.holds(text):
            kept[name] = text
    for part, names in CONTEXT_PARTS.items():
        node = context.get(part)
        if isinstance(node, dict):
            texts = {name: without_query(_text(node, name)) for name in names if name in node}
            kept[part] = {
                name: text for name, text in texts.items() if text and not finder.holds(text)
            }
    if network := shorten_ip(_text(context, "ip") or ip):
        kept["ip"] = network
    return kept


def without_query(address: str) -> str:
    """An address without its query and fragment, where shops and mails put tokens and names."""
    return address.partition("?")[0].partition("#")[0]


@lru_cache(maxsize=1024)
def shorten_ip(text: str) -> str:
    """The network of an address: the first 24 bits of IPv4, 48 of IPv6; empty if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    bits = 24 if address.version == 4 else 48  # noqa: PLR2004
    return str(ipaddress.ip_network((address, bits), strict=False).network_address)


class _Named(msgspec.Struct, rename="camel"):
    message_id: Any = None


def message_id(raw: bytes) -> str:
    """The message id of an event that could not be read, so that its sender can find it."""
    try:
        found = msgspec.json.decode(raw, type=_Named).message_id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return found[:MAX_ID] if isinstance(found, str) and not tells_personal(found) else ""
