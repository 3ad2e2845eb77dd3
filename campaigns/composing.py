"""Messages for a batch of deliveries: rendered in the reader's language, tracked, sealed shut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings

from campaigns import coupons, gate, occasions, picking, targeting, writing
from campaigns.channels.base import Message
from campaigns.models import Link
from campaigns.rendering import links
from campaigns.rendering.content import Content, Outline, Pick, Reader, Rendered
from campaigns.rendering.faults import TemplateError
from campaigns.rendering.message import AddressError, Envelope, assembled, build, mailable
from campaigns.rendering.skeleton import OTHER_MARK, TOKEN_MARK, Body, is_marked
from privacy.fields import Columns, reveal_columns
from privacy.models import Shop
from privacy.purposes import purpose
from profiles.bulk import Among
from profiles.models import Customer

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign, Delivery
    from recommendations.placing import Placed
    from recommendations.serving import Recommended

# So many readers of one message are worth its skeleton.
MANY = 10
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Composer:
    """Composes one campaign's messages at `now`; what they share is read and compiled once.

    `contents` stand in for what is kept, to look at a draft. Raises TemplateError if a template
    of the campaign cannot be parsed.
    """

    def __init__(
        self,
        campaign: Campaign,
        *,
        now: datetime,
        contents: Mapping[tuple[int, str], Content] | None = None,
    ) -> None:
        self._campaign = campaign
        self._now = now
        self._contents = writing.contents(campaign) if contents is None else contents
        self._frames = {
            locale: writing.frame(campaign, locale, now=now) for _, locale in self._contents
        }
        self._shop = Shop.current()
        self._skeletons: dict[tuple[int, str], Skeleton | None] = {}

    def render(
        self, variant: int, locale: str, reader: Reader, *, unsubscribe_url: str
    ) -> Rendered:
        """Return what `reader` sees, links as written; raises TemplateError."""
        content = self._contents[variant, locale]
        return content.render(self._frames[locale], reader, unsubscribe_url=unsubscribe_url)

    def sample_picks(self, customer: Customer | None, locale: str) -> list[Pick]:
        """Return the products that `customer`, or else anybody, would be shown."""
        placed = picking.sample(customer, locale, self._now)
        return [self._pick(item, locale) for item in placed.items]

    def sample_occasion(self) -> Mapping[str, object]:
        return occasions.sample(self._campaign)

    def compose(self, deliveries: Sequence[Delivery]) -> tuple[list[Message], dict[int, str]]:
        """Return the messages, and by delivery the reason where none could be made.

        Opens the readers' addresses, and their names if a template names its reader, under
        the campaign's purpose, in one audited act.
        """
        people = self._people(deliveries)
        gone = {row.customer_id for row in deliveries} - people.keys() - people.damaged
        barred = gate.barred(self._campaign, gone) if gone else {}
        occasions_of = occasions.of(self._campaign, deliveries, self._now)
        placed = self._placed(deliveries, occasions_of)
        codes = self._coupons(deliveries)
        self._prepare(deliveries)
        rendered: dict[int, tuple[str, Rendered]] = {}
        filled: dict[int, Message] = {}
        failed: dict[int, str] = {}
        for delivery in deliveries:
            known = people.get(delivery.customer_id)
            if known is None:
                failed[delivery.pk] = barred.get(delivery.customer_id, "damaged")
                continue
            occasion = occasions_of.get(delivery.pk, occasions.Occasion())
            if occasion.barred:
                failed[delivery.pk] = occasion.barred
                continue
            shown = placed[delivery.pk].items if delivery.pk in placed else ()
            own = [self._pick(item, delivery.locale) for item in shown]
            name, code = known.get("full_name") or "", codes.get(delivery.pk, "")
            reader = Reader(name, own, code, occasion.facts)
            try:
                address = mailable(known.get("email") or "")
                if (ready := self._filled(delivery, address, reader)) is not None:
                    filled[delivery.pk] = ready
                    continue
                rendered[delivery.pk] = address, self._rendered(delivery, reader)
            except AddressError:
                failed[delivery.pk] = "no_address"
            except TemplateError:
                failed[delivery.pk] = "template_error"
        numbers = self._numbers(
            url
            for _, message in rendered.values()
            for url in links.targets(message.html, message.text)
        )
        picking.note(placed, {pk: message for pk, (_, message) in rendered.items()}, numbers)
        made = filled | {
            delivery.pk: self._message(delivery, *rendered[delivery.pk], numbers=numbers)
            for delivery in deliveries
            if delivery.pk in rendered
        }
        return [made[delivery.pk] for delivery in deliveries if delivery.pk in made], failed

    def envelope(self, recipient: str, *, message_id: str, unsubscribe_url: str) -> Envelope:
        return Envelope(
            sender_name=self._shop.sender_name or self._shop.name,
            sender_email=self._shop.sender_email,
            recipient=recipient,
            message_id=message_id,
            date=self._now,
            unsubscribe_url=unsubscribe_url,
        )

    def _pick(self, item: Recommended, locale: str) -> Pick:
        return Pick(
            product_id=item.product_id,
            title=item.title,
            category=item.category,
            price=writing.price(item.price_minor, item.currency or self._shop.currency, locale),
            image_url=item.image_url,
            link=item.link,
            reason=str(item.reason_text),
        )

    def _rendered(self, delivery: Delivery, reader: Reader) -> Rendered:
        return self.render(
            _variant(delivery),
            delivery.locale,
            reader,
            unsubscribe_url=unsubscribe_url(delivery.token or ""),
        )

    def _people(self, deliveries: Sequence[Delivery]) -> Columns:
        fields = ["email"]
        kinds = {(_variant(delivery), delivery.locale) for delivery in deliveries}
        if any(self._contents[kind].names_the_reader for kind in kinds):
            fields.append("full_name")
        name = self._campaign.purpose
        reachable = targeting.reachable(self._campaign)
        readers = reachable.filter(Among("pk", [row.customer_id for row in deliveries]))
        with purpose(name, actor=f"campaign:{self._campaign.uuid}", now=self._now):
            return reveal_columns(readers, fields, name)

    def _placed(
        self, deliveries: Sequence[Delivery], found: Mapping[int, occasions.Occasion]
    ) -> dict[int, Placed]:
        """Return the products of each message that shows some: the occasion's or the reader's."""
        showing = [
            row for row in deliveries if self._contents[_variant(row), row.locale].recommends
        ]
        brought = {
            row.pk: picks
            for row in showing
            if row.pk in found and (picks := found[row.pk].picks) is not None
        }
        free = [row for row in showing if row.pk not in brought]
        return picking.at_home(brought | picking.choose(free, self._now), showing)

    def _coupons(self, deliveries: Sequence[Delivery]) -> dict[int, str]:
        wanted = [
            row.pk for row in deliveries if self._contents[_variant(row), row.locale].has_coupon
        ]
        return coupons.of(wanted) if wanted else {}

    def _numbers(self, urls: Iterable[str]) -> dict[str, int]:
        """Return a stored number for each of the web addresses; of none that is not tracked."""
        return link_numbers(self._campaign, urls) if self._campaign.is_marketing else {}

    def _message(
        self,
        delivery: Delivery,
        address: str,
        message: Rendered,
        *,
        numbers: Mapping[str, int],
    ) -> Message:
        tracked = message
        if self._campaign.is_marketing:
            html, text = _tracked(message.html, message.text, delivery.token or "", numbers)
            tracked = replace(message, html=html, text=text)
        content = build(
            self._envelope_of(delivery, address),
            subject=tracked.subject,
            html=tracked.html,
            text=tracked.text,
        )
        return Message(str(delivery.pk), self._shop.sender_email, address, content, self._now)

    def _envelope_of(self, delivery: Delivery, address: str) -> Envelope:
        token = delivery.token or ""
        return self.envelope(
            address,
            message_id=message_id(self._campaign, delivery.pk),
            unsubscribe_url=unsubscribe_url(token) if self._campaign.is_marketing else "",
        )

    # What is the same for all --------------------------------------------------------------

    def _prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Make the skeletons of the messages that go to many."""
        if not self._campaign.is_marketing:
            return
        kinds = Counter((_variant(delivery), delivery.locale) for delivery in deliveries)
        for kind, n in kinds.items():
            if n >= MANY and kind not in self._skeletons:
                self._skeletons[kind] = self._skeleton(kind)

    def _skeleton(self, kind: tuple[int, str]) -> Skeleton | None:
        outline, other = (
            self._contents[kind].outline(
                self._frames[kind[1]], unsubscribe_url=unsubscribe_url(token)
            )
            for token in (TOKEN_MARK, OTHER_MARK)
        )
        if outline is None or other is None or not outline.is_like(other):
            return None
        targets = links.targets(outline.html, outline.text)
        if any(is_marked(url) or _bears_token(url) for url in targets):
            return None
        numbers = self._numbers(targets)
        html, text = _tracked(outline.html, outline.text, TOKEN_MARK, numbers)
        return Skeleton(outline, Body.of("html", html), Body.of("plain", text))

    def _filled(self, delivery: Delivery, address: str, reader: Reader) -> Message | None:
        """Return the message out of its skeleton; None where it has to be made as a whole."""
        skeleton = self._skeletons.get((_variant(delivery), delivery.locale))
        if skeleton is None or reader.occasion:
            return None
        token = delivery.token or ""
        found = skeleton.outline.words(
            self._frames[delivery.locale], reader, unsubscribe_url=unsubscribe_url(token)
        )
        if found is None or len(token) != len(TOKEN_MARK):
            return None
        subject, words, of_text = found
        content = assembled(
            self._envelope_of(delivery, address),
            subject,
            skeleton.plain.fill(of_text, token),
            skeleton.html.fill(words, token),
        )
        return Message(str(delivery.pk), self._shop.sender_email, address, content, self._now)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A message of one variant and language, its links tracked, all but its readers' words coded."""

    outline: Outline
    html: Body
    plain: Body


def _tracked(html: str, text: str, token: str, numbers: Mapping[str, int]) -> tuple[str, str]:
    """Return both parts with their links exchanged, the HTML with an open pixel and a canary."""
    to = {url: click_url(token, number) for url, number in numbers.items()}
    seen = links.with_pixel(links.rewrite(html, to), open_url(token))
    return links.with_canary(seen, canary_url(token)), links.rewrite_text(text, to)


def _bears_token(url: str) -> bool:
    """Say whether an address holds the token and is not the shop's own page of the reader."""
    return TOKEN_MARK in url and not url.startswith(unsubscribe_url(""))


def link_numbers(campaign: Campaign, targets: Iterable[str]) -> dict[str, int]:
    """Return a stored number for each web address that is no ending of a subscription or cart."""
    own = (f"{settings.PUBLIC_URL}/u/", f"{settings.PUBLIC_URL}/r/")
    if not (urls := {url for url in targets if not url.startswith(own)}):
        return {}
    there = Link.objects.filter(campaign=campaign, url__in=urls)
    numbers = dict(there.values_list("url", "pk"))
    if missing := sorted(urls - numbers.keys()):
        Link.objects.bulk_create(
            [Link(campaign=campaign, url=url) for url in missing], ignore_conflicts=True
        )
        numbers |= dict(there.filter(url__in=missing).values_list("url", "pk"))
    return numbers


def message_id(campaign: Campaign, delivery: int | str) -> str:
    """Return the Message-ID of a delivery: the same at every try, and telling nothing."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return f"<{campaign.uuid.hex}.{delivery}@{host}>"


def open_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/o/{token}"


def click_url(token: str, number: int) -> str:
    return f"{settings.PUBLIC_URL}/c/{token}.{_base36(number)}"


def short_url(delivery: int, token: str, number: int) -> str:
    """Return the target of a link in a text message: a click can be counted by it, no more."""
    mark = token[: links.SHORT_MARK]
    return f"{settings.PUBLIC_URL}/c/{_base36(delivery)}.{mark}{_base36(number)}"


def canary_url(token: str) -> str:
    """Return the target of the link that no reader sees."""
    return f"{settings.PUBLIC_URL}/c/{token}.00"


def unsubscribe_url(token: str) -> str:
    return f"{settings.PUBLIC_URL}/u/{token}"


def _base36(number: int) -> str:
    high, low = divmod(number, 36)
    return (_base36(high) if high else "") + DIGITS[low]


def _variant(delivery: Delivery) -> int:
    if delivery.variant_id is None:
        raise ValueError("a held-out customer gets no message")
    return delivery.variant_id
