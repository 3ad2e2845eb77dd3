"""A message's content for one reader: facts in, subject, HTML and plain text out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from html import escape, unescape
from itertools import chain, count
from typing import TYPE_CHECKING

from campaigns.rendering import links, skeleton
from campaigns.rendering.faults import TemplateError
from campaigns.rendering.message import one_line

if TYPE_CHECKING:
    from campaigns.rendering.sandbox import Compiled, Piece

SHARED = frozenset({"shop", "campaign", "language", "today", "unsubscribe_url"})
BYTES_OF_A_SIGN = 4  # at most, in UTF-8
_HALF_ENTITY = re.compile(r"&[#\w]*$")
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

    def outline(self, frame: Frame, *, unsubscribe_url: str) -> Outline | None:
        """Return what is the same for all readers but for marks where their own words stand.

        None where it cannot be told beforehand, such as for lists of products, or has a fault.
        """
        from campaigns.rendering.sandbox import MAX_OUTPUT  # noqa: PLC0415 -- as above

        if self.recommends:
            return None
        facts = _facts(frame, Reader(), unsubscribe_url)
        try:
            subject, html = _begun(self._subject, facts), _begun(self._html, facts)
            text = _begun(self._text, facts) if self._text else None
        except TemplateError:
            return None
        if subject is None or html is None or (self._text and text is None):
            return None
        marked = _marked(html)
        plain = _marked(text) if text else links.to_text(marked)
        of_all = "".join(one for one in subject if isinstance(one, str))
        room = MAX_OUTPUT - max(len(part.encode()) for part in (marked, plain, of_all))
        return Outline(marked, plain, subject, _own(html), _own(text or ()), room)


def _begun(template: Compiled, facts: Mapping[str, object]) -> list[str | Piece] | None:
    """Return a template rendered as far as it is nobody's own; None if it cannot be taken apart."""
    from campaigns.rendering.sandbox import taken_apart  # noqa: PLC0415 -- as above

    pieces = taken_apart(template, SHARED)
    if pieces is None:
        return None
    made = [piece if piece.is_own else piece.render(facts) for piece in pieces]
    after_half = any(isinstance(one, str) and _HALF_ENTITY.search(one) for one in made)
    return None if after_half else made


def _marked(begun: Sequence[str | Piece]) -> str:
    numbers = count()
    return "".join(one if isinstance(one, str) else skeleton.mark(next(numbers)) for one in begun)


def _own(begun: Sequence[str | Piece]) -> list[Piece]:
    return [one for one in begun if not isinstance(one, str)]


@dataclass(frozen=True, slots=True)
class Outline:
    """A message with marks for the words of `own`, in the text for those of `own_of_text`.

    Without these the text follows from the HTML, its words from the HTML's. `room` is how many
    bytes the words may have before a part could outgrow what a template may put out.
    """

    html: str
    text: str
    subject: Sequence[str | Piece]
    own: Sequence[Piece]
    own_of_text: Sequence[Piece]
    room: int

    def is_like(self, other: Outline) -> bool:
        """Say whether this, made for one token, is the other one but for that token as it stands.

        A template may shorten or code an address that holds it; no other token can then be put in.
        """
        alike = [
            part.replace(skeleton.OTHER_MARK, skeleton.TOKEN_MARK)
            for part in (other.html, other.text)
        ]
        said = [piece for piece in self.subject if isinstance(piece, str)]
        of_other = [piece for piece in other.subject if isinstance(piece, str)]
        return alike == [self.html, self.text] and said == of_other

    def words(
        self, frame: Frame, reader: Reader, *, unsubscribe_url: str
    ) -> tuple[str, Sequence[str], Sequence[str]] | None:
        """Return the reader's subject, and words for the HTML and the text.

        None if they are such that the message has to be made as a whole; raises TemplateError.
        """
        facts = _facts(frame, reader, unsubscribe_url)
        words = [piece.render(facts) for piece in self.own]
        of_text = [piece.render(facts) for piece in self.own_of_text]
        if not all(map(skeleton.are_words, chain(words, map(escape, of_text)))):
            return None
        plain = of_text if self.own_of_text else [unescape(one) for one in words]
        subject = "".join(
            piece if isinstance(piece, str) else piece.render(facts) for piece in self.subject
        )
        n_signs = sum(map(len, chain(words, of_text))) + len(subject)
        if n_signs * BYTES_OF_A_SIGN > self.room:
            return None
        return one_line(subject), words, plain


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
