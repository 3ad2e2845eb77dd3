"""A message's content for one reader: facts in, subject, HTML and plain text out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from campaigns.rendering import links
from campaigns.rendering.message import one_line

_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Pick:
    """A recommended product as a template sees it: every value is text, ready to show."""

    product_id: str
    title: str
    category: str
    price: str
    image_url: str
    link: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reader:
    """What a message may know of its reader; empty where unknown or not to be told.

    `occasion` are facts of what the message is about, such as a cart, by their first name.
    """

    full_name: str = ""
    picks: Sequence[Pick] = ()
    coupon: str = ""
    occasion: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all messages of one campaign and language share; `today` as YYYY-MM-DD."""

    shop_name: str
    shop_url: str
    legal_footer: str
    campaign_name: str
    language: str
    today: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message as its reader sees it."""

    locale: str
    subject: str
    html: str
    text: str

    def tracked(self, replacements: Mapping[str, str], pixel_url: str) -> Rendered:
        """Return the message with its links exchanged and an open pixel."""
        html = links.with_pixel(links.rewrite(self.html, replacements), pixel_url)
        return replace(self, html=html, text=links.rewrite_text(self.text, replacements))


@dataclass(frozen=True, slots=True)
class Source:
    """The Liquid of one message in one language; without `text` it follows from the HTML."""

    locale: str
    subject: str
    html: str
    text: str = ""


class Content:
    """The compiled message of one variant in one language. Raises TemplateError on a fault."""

    def __init__(self, source: Source) -> None:
        # Liquid loads with the first message, not with every process.
        from campaigns.rendering.sandbox import compile_template  # noqa: PLC0415

        self.locale = source.locale
        self._subject = compile_template(source.subject, html=False, field="subject")
        self._html = compile_template(source.html, html=True, field="body_html")
        self._text = None
        if source.text.strip():
            self._text = compile_template(source.text, html=False, field="body_text")
        parts = [part for part in (self._subject, self._html, self._text) if part]
        self.uses = frozenset[str]().union(*(part.uses for part in parts))

    @property
    def names_the_reader(self) -> bool:
        return any(path.split(".")[0] == "customer" for path in self.uses)

    @property
    def recommends(self) -> bool:
        return any(path.startswith("recommendations") for path in self.uses)

    @property
    def has_coupon(self) -> bool:
        return any(path.startswith("coupon") for path in self.uses)

    def render(self, frame: Frame, reader: Reader, *, unsubscribe_url: str) -> Rendered:
        """Return the message for `reader`, links as written; raises TemplateError."""
        facts = _facts(frame, reader, unsubscribe_url)
        html = self._html.render(facts)
        text = self._text.render(facts) if self._text else links.to_text(html)
        return Rendered(self.locale, one_line(self._subject.render(facts)), html, text)


@lru_cache(maxsize=64)
def compiled(source: Source) -> Content:
    """Return the content of `source`, parsed once; raises TemplateError."""
    return Content(source)


def first_name(full_name: str) -> str:
    """Return what to greet a person by: the first word, a Chinese name whole."""
    name = full_name.strip()
    return name if _CJK.search(name) else name.partition(" ")[0]


def _facts(frame: Frame, reader: Reader, unsubscribe_url: str) -> Mapping[str, object]:
    return {
        "shop": {
            "name": frame.shop_name,
            "url": frame.shop_url,
            "legal_footer": frame.legal_footer,
        },
        "campaign": {"name": frame.campaign_name},
        "language": frame.language,
        "today": frame.today,
        "customer": {
            "full_name": reader.full_name,
            "first_name": first_name(reader.full_name),
        },
        "recommendations": [
            {
                "product_id": pick.product_id,
                "title": pick.title,
                "category": pick.category,
                "price": pick.price,
                "image_url": pick.image_url,
                "link": pick.link,
                "reason": pick.reason,
            }
            for pick in reader.picks
        ],
        "coupon": {"code": reader.coupon},
        "unsubscribe_url": unsubscribe_url,
        **reader.occasion,
    }
