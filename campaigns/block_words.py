"""What blocks, their fields and the starters are called, and how each is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Label, and what the block is for.
BLOCKS: Mapping[str, tuple[StrOrPromise, StrOrPromise]] = {
    "hero": (_("Hero"), _("The beginning: a headline, a picture, a button.")),
    "text": (_("Text"), _("Paragraphs, with or without a heading.")),
    "image": (_("Picture"), _("One picture over the whole width.")),
    "button": (_("Button"), _("One button that leads somewhere.")),
    "products": (_("Product grid"), _("Up to six products of your choice, two in a row.")),
    "recommendations": (
        _("Recommendations"),
        _("The four products that suit the reader best; each reader sees others."),
    ),
    "cart": (_("Cart"), _("What the reader left in the cart; for messages about a cart alone.")),
    "coupon": (_("Coupon"), _("A code of the reader's own, made when the message is sent.")),
    "divider": (_("Divider"), _("A thin line between two blocks.")),
    "footer": (
        _("Footer"),
        _("Why the reader gets this, the link to unsubscribe, the shop's legal lines."),
    ),
}
FIELDS: Mapping[str, tuple[StrOrPromise, StrOrPromise]] = {
    "title": (_("Heading"), ""),
    "text": (_("Text"), _("**bold**, [words](https://…), an empty line between paragraphs.")),
    "image": (_("Picture"), _("Its web address; the library has your own.")),
    "alt": (_("Words in its place"), _("What the picture shows, for readers who do not see it.")),
    "button": (_("Words on the button"), ""),
    "link": (_("Leads to"), _("A web address, or {{ shop.url }}.")),
    "products": (_("Products"), _("One a line: title | price | picture | link")),
    "unsubscribe": (_("Words of the link to unsubscribe"), ""),
}
MERGE_FIELDS: Mapping[str, StrOrPromise] = {
    "{{ customer.first_name }}": _("first name, empty where it is not known"),
    "{{ customer.full_name }}": _("full name"),
    "{{ shop.name }}": _("the shop's name"),
    "{{ shop.url }}": _("the shop's address"),
    "{{ coupon.code }}": _("the reader's coupon"),
    "{{ unsubscribe_url }}": _("the link to unsubscribe"),
}
# Label, and when to take it.
STARTERS: Mapping[str, tuple[StrOrPromise, StrOrPromise]] = {
    "accessory": (_("Accessory"), _("After a purchase: what is known to fit.")),
    "black_friday": (_("Black Friday"), _("The last Friday of November, until Monday.")),
    "care_tips": (_("Care tips"), _("Help with what they own; sells nothing.")),
    "cart_last_call": (_("Cart, last call"), _("A day later, with a coupon.")),
    "cart_left": (_("Cart left"), _("What is still in the cart.")),
    "coupon": (_("Coupon"), _("A code of their own.")),
    "double_eleven": (_("Double 11"), _("The shopping day of 11 November.")),
    "mid_year_618": (_("Mid-year 618"), _("The shopping days around 18 June.")),
    "new_arrival": (_("New arrival"), _("One new product, told well.")),
    "order_confirmation": (_("Order confirmation"), _("Thanks, and what was ordered.")),
    "picked_for_you": (
        _("Products picked for each reader"),
        _("Recommendations with their reasons."),
    ),
    "sale": (_("Sale"), _("Prices down for some days.")),
    "welcome": (_("Welcome"), _("The first message after signing up.")),
    "welcome_picks": (_("Welcome, with picks"), _("The second one: products to begin with.")),
    "win_back": (_("Win back"), _("For those who have not bought for long.")),
}


def block(kind: str) -> StrOrPromise:
    return BLOCKS[kind][0] if kind in BLOCKS else kind


def field(kind: str, name: str) -> tuple[StrOrPromise, StrOrPromise]:
    """Return a field's label and how it is filled in."""
    if (kind, name) == ("footer", "text"):
        return _("Why the reader gets this"), ""
    if (kind, name) == ("recommendations", "button"):
        return FIELDS[name][0], _("One stands beside each product and leads to it.")
    return FIELDS.get(name, (name, ""))


def starter(name: str) -> StrOrPromise:
    return STARTERS[name][0] if name in STARTERS else name.replace("_", " ")
