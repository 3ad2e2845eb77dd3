"""The sealed path of events: personal ids and traits leave the messages before they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from django.db import transaction

from privacy.crypto import blind_index
from privacy.fields import SealedField
from privacy.sealed import keys
from profiles import changes
from profiles.bulk import again_if_overtaken
from profiles.events import aliases
from profiles.events.wire import Concern, Message
from profiles.identity import identifiers, registering
from profiles.identity.telling import looks_personal
from profiles.models import Customer

TRAITS: Final = ("email", "phone", "full_name")
CONCERNS: Final = {
    "invalid_email": "The trait email is not an e-mail address; it was not kept.",
    "invalid_full_name": "The trait name is a mask, not a name; it was not kept.",
    "invalid_phone": "The trait phone needs the form +4366012345678; it was not kept.",
    aliases.NOT_JOINED: "The previousId is another customer's already; nothing was joined. If both"
    " are one person, merge the two customers.",
    "email_taken": "Another customer has this e-mail address; it was not kept.",
    "not_confirmed": "A browser or app key does not change the e-mail, phone or name of a known"
    " customer, and is not told who is known; send identify from your server with a secret key.",
    "traits_need_user_id": "E-mail, phone and name are kept only together with a userId.",
}
# What depends on whom the shop knows.
OF_KNOWN: Final = CONCERNS.keys() - {"traits_need_user_id"}


def seal(messages: Sequence[Message], *, is_confirmed: bool, now: datetime) -> None:
    """Replace personal ids by tags, and move personal traits to sealed fields of customers.

    Of an alias of two customers its sender is told.

    What cannot be kept is added to the message's concerns. Without a secret key
    (`is_confirmed`) only customers who are new get their traits.
    """
    _replace_ids(messages)
    _tell_of_aliases(messages)
    telling = [message for message in messages if message.sealed]
    for message in telling:
        if not message.user_id:
            _concern(message, "traits_need_user_id")
    telling = [message for message in telling if message.user_id]
    if not telling:
        return
    for message, code in _take_over(telling, is_confirmed=is_confirmed, now=now):
        _concern(message, code)


def told_to_anybody(message: Message) -> list[Concern]:
    """The concerns in words for whoever holds a publishable key: everybody who opens the shop.

    They are the same whether the shop knows the id or the address or not, else a key of a page
    would tell. What became of the traits is shown to staff.
    """
    told = [concern for concern in message.concerns if concern.code not in OF_KNOWN]
    if message.sealed and message.user_id:
        told.append(Concern("not_confirmed", CONCERNS["not_confirmed"]))
    return told


def opaque(identifier: str) -> str:
    """A keyed tag in the place of an id that is an e-mail address or a phone number."""
    if not looks_personal(identifier):
        return identifier
    tag = blind_index.tag(keys().index_key("other", "event.id"), identifier.casefold())
    return f"tag:{tag.hex()}"


def _replace_ids(messages: Sequence[Message]) -> None:
    """Put the customer's own id, or a tag, in the place of each e-mail address or phone."""
    users = {message.user_id for message in messages}
    others = {message.anonymous_id for message in messages}
    others |= {message.previous_id for message in messages}
    emails = {identifier for identifier in users if "@" in identifier}
    known = _external_ids(emails)
    tags = {one: opaque(one) for one in users | others if looks_personal(one)}
    if not emails and not tags:
        return
    for message in messages:
        tag = _email_tag(message.user_id) if message.user_id in emails else b""
        message.user_id = known.get(tag) or tags.get(message.user_id, message.user_id)
        message.anonymous_id = tags.get(message.anonymous_id, message.anonymous_id)
        message.previous_id = tags.get(message.previous_id, message.previous_id)


def _tell_of_aliases(messages: Sequence[Message]) -> None:
    told = [one for one in messages if one.kind == "alias" and one.user_id and one.previous_id]
    named = {one.user_id for one in messages} if told else set()
    left = aliases.of_another({(one.user_id, one.previous_id) for one in told}, named=named)
    for message in told:
        if (message.user_id, message.previous_id) in left:
            _concern(message, aliases.NOT_JOINED)


@again_if_overtaken
@transaction.atomic
def _take_over(
    telling: Sequence[Message], *, is_confirmed: bool, now: datetime
) -> list[tuple[Message, str]]:
    """Seal the messages' traits in their customers; return what of them was not kept, and why."""
    wanted = {message.user_id for message in telling}
    found = Customer.objects.filter(external_id__in=wanted)
    known = set(found.values_list("external_id", flat=True))
    former = identifiers.owners(wanted - known, *identifiers.SHOP_IDS)
    for message in telling:
        if (customer := former.get(message.user_id)) is not None:
            message.user_id = customer.external_id
            known.add(customer.external_id)
    wanted = {message.user_id for message in telling}
    registering.register(wanted, now=now)
    there = Customer.objects.filter(external_id__in=wanted, subject__erased_at__isnull=True)
    rows = there.select_for_update(of=("self",)).order_by("pk")
    customers = {customer.external_id: customer for customer in rows}
    owners = _owners_of_emails(telling)
    left: list[tuple[Message, str]] = []
    for message in telling:
        if not is_confirmed and message.user_id in known:
            left.append((message, "not_confirmed"))
        elif message.user_id in customers:
            codes = _set(customers[message.user_id], message.sealed, owners)
            left += [(message, code) for code in codes]
    Customer.objects.bulk_update(customers.values(), TRAITS)
    changes.mark_told(customer.pk for customer in customers.values())
    return left


def _set(customer: Customer, traits: Mapping[str, str], owners: dict[bytes, str]) -> Iterator[str]:
    """Set the traits on the row, unsaved; yield a code for each that is not kept."""
    for name, value in traits.items():
        if name == "email":
            tag = _email_tag(value)
            if tag and owners.setdefault(tag, customer.external_id) != customer.external_id:
                yield "email_taken"
                continue
        try:
            setattr(customer, name, value)
        except blind_index.NotAnAddressError:
            yield f"invalid_{name}"


def _owners_of_emails(messages: Sequence[Message]) -> dict[bytes, str]:
    return _external_ids({message.sealed.get("email", "") for message in messages} - {""})


def _external_ids(emails: set[str]) -> dict[bytes, str]:
    """Customers' ids by the tag of their e-mail address."""
    if not emails:
        return {}
    found = Customer.objects.filter(email__in=emails).values_list("email_tag", "external_id")
    written = _email_field().written_tags(emails)
    also = identifiers.owners(emails, identifiers.Kind.EMAIL)
    return {_email_tag(email): customer.external_id for email, customer in also.items()} | {
        written[bytes(tag)]: external_id for tag, external_id in found if tag
    }


def _email_tag(text: str) -> bytes:
    """The tag under which an address is written now; empty for what is none."""
    return next(iter(_email_field().searched_tags(text)), b"")


def _email_field() -> SealedField[Any]:
    return cast("SealedField[Any]", Customer._meta.get_field("email"))


def _concern(message: Message, code: str) -> None:
    message.concerns.append(Concern(code, CONCERNS[code]))
