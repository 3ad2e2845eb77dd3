"""One row of a feed as what is told of a product, or everything that is wrong with it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from recommendations.compatibility.specs import READERS, read
from recommendations.feeds.amounts import Price, price
from recommendations.feeds.faults import Fault, RowError
from recommendations.feeds.names import SPEC
from recommendations.models import Availability, Product
from recommendations.titles import cleaned

Cells = Mapping[str, Sequence[str]]
T = TypeVar("T")

LONGEST: Final = {"id": 100, "title": 200, "description": 20_000, "brand": 100, "mpn": 70,
                  "item_group_id": 100, "category": 100, "tag": 100}  # fmt: skip
LONGEST_LINK: Final = 500
MOST_IMAGES: Final = 20
MOST_TAGS: Final = 100
LABELS: Final = tuple(f"custom_label_{n}" for n in range(5))
MOST_STOCK: Final = 2_147_483_647
GTIN_LENGTHS: Final = {8, 12, 13, 14}
WORDS: Final = {"instock": "in_stock", "outofstock": "out_of_stock", "soldout": "out_of_stock",
                "preorder": "preorder", "backorder": "backorder", "newcondition": "new",
                "usedcondition": "used", "refurbishedcondition": "refurbished"}  # fmt: skip
YES: Final = {"yes", "true", "1", "是"}
NO: Final = {"no", "false", "0", "否"}
DESCRIBED: Final = ("color", "size", "material", "pattern")
TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
# Where a list of addresses, or of section:name:value, is written with commas in one cell.
BETWEEN_LINKS: Final = re.compile(r",(?=\s*https?://)")
BETWEEN_DETAILS: Final = re.compile(r",(?=[^,:]*:[^,:]+:)")


@dataclass(frozen=True)
class Terms:
    """How a feed is read: the shop's currency, the feed's country and language, and the moment."""

    currency: str
    now: datetime
    country: str = ""
    language: str = ""


@dataclass
class Told:
    """What a row tells of a product; `offer` what it costs in the feed's country."""

    product_id: str
    facts: dict[str, Any] = field(default_factory=dict)
    offer: dict[str, Any] = field(default_factory=dict)
    remarks: list[Fault] = field(default_factory=list)


def id_of(cells: Cells) -> str:
    return _first(cells, "id")


def parse(cells: Cells, terms: Terms) -> Told:
    """Read a row; raises RowError with all that is wrong with it."""
    reading = _Reading(cells, terms)
    told = reading.told()
    if reading.faults:
        raise RowError(*reading.faults)
    return told


class _Reading:
    def __init__(self, cells: Cells, terms: Terms) -> None:
        self.cells = cells
        self.terms = terms
        self.faults: list[Fault] = []
        self.remarks: list[Fault] = []

    def told(self) -> Told:
        told = Told(self._id(), remarks=self.remarks)
        facts = told.facts
        facts |= self._texts()
        facts |= self._names()
        facts |= self._links()
        facts |= self._relations()
        if specs := self._specs():
            facts["specs"] = specs
        sold = self._prices() | self._stock()
        link = self._try(_link, "link")
        if self.terms.country:
            told.offer = sold | ({"link": link} if link else {})
        else:
            sold.pop("currency", None)
            facts |= sold | ({"link": link} if link else {})
        if cost := self._amount("cost_of_goods_sold"):
            self._require_own(cost, "cost_of_goods_sold")
            facts["cost_minor"] = cost.minor
        facts["from_orders"] = False
        return told

    def _id(self) -> str:
        text = id_of(self.cells)
        if not text:
            self.faults.append(Fault("id_missing", "id"))
        elif len(text) > LONGEST["id"]:
            self.faults.append(Fault("id_too_long", "id", text))
        elif not text.isprintable():
            self.faults.append(Fault("id_invalid", "id", text))
        return text

    def _texts(self) -> dict[str, Any]:
        title = _first(self.cells, "title")
        if not cleaned(title):
            self.faults.append(Fault("title_missing", "title", title))
        elif len(title) > LONGEST["title"]:
            self.faults.append(Fault("title_too_long", "title", title))
        told = {"title": cleaned(title)}
        if description := self._short("description"):
            told["description"] = _plain(description)
        if category := self._category():
            told["category"] = category
        if not self.terms.language:
            return told
        return {"translations": {self.terms.language: told}}

    def _names(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        kinds = (("brand", "brand"), ("mpn", "mpn"), ("item_group_id", "family"))
        for name, column in kinds:
            if value := self._short(name):
                told[column] = value
        if gtin := re.sub(r"[\s-]", "", _first(self.cells, "gtin")):
            if is_gtin(gtin):
                told["gtin"] = gtin
            else:
                self.remarks.append(Fault("gtin_invalid", "gtin", gtin))
        if condition := self._word("condition", Product.Condition.values, "condition_unknown"):
            told["condition"] = condition
        return told

    def _category(self) -> str:
        """The last part of "Electronics > Audio > Headphones"; a number of a taxonomy is none."""
        path = _first(self.cells, "product_type") or _first(self.cells, "google_product_category")
        leaf = html.unescape(path).rpartition(">")[2].strip()
        if leaf.isdecimal():
            return ""
        if len(leaf) > LONGEST["category"]:
            self.faults.append(Fault("value_too_long", "product_type", leaf))
        return leaf

    def _links(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if image := self._try(_link, "image_link"):
            told["image_url"] = image
        if more := self.cells.get("additional_image_link"):
            links = [one for cell in more for one in BETWEEN_LINKS.split(cell)][:MOST_IMAGES]
            try:
                told["images"] = [_link(one, "additional_image_link") for one in links]
            except RowError as error:
                self.faults += error.faults
        return told

    def _relations(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name in ("accessory_for", "fits_products"):
            if cells := self.cells.get(name):
                words = [word.strip() for cell in cells for word in cell.split(",")]
                told[name] = [word for word in words if word]
        if tags := self._tags():
            told["tags"] = tags
        if flag := _first(self.cells, "bought_again").casefold():
            if flag not in YES | NO:
                self.faults.append(Fault("flag_invalid", "bought_again", flag))
            told["is_consumable"] = flag in YES
        return told

    def _tags(self) -> list[str]:
        """Of `tags`, and of Merchant's labels; each once."""
        cells = [cell for name in ("tags", *LABELS) for cell in self.cells.get(name, ())]
        words = (word.strip()[: LONGEST["tag"]] for cell in cells for word in cell.split(","))
        return list(dict.fromkeys(filter(None, words)))[:MOST_TAGS]

    def _specs(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            name: value for name in DESCRIBED if (value := _first(self.cells, name))
        }
        for cell in self.cells.get("product_detail", ()):
            for detail in BETWEEN_DETAILS.split(cell):
                _section, _colon, rest = detail.partition(":")
                name, colon, value = rest.partition(":")
                if not (colon and name.strip() and value.strip()):
                    self.faults.append(Fault("spec_invalid", "product_detail", detail))
                    continue
                told[re.sub(r"[\s-]+", "_", name.strip().lower())] = _typed(value.strip())
        for name, values in self.cells.items():
            if name.startswith(SPEC) and values:
                told[name.removeprefix(SPEC)] = _typed(values[0].strip())
        for name, reason in read({name: told[name] for name in told if name in READERS}).faults:
            self.remarks.append(Fault("spec_unreadable", name, f"{told[name]}: {reason}"))
        return told

    def _prices(self) -> dict[str, Any]:
        regular, sale = self._amount("price"), self._amount("sale_price")
        told: dict[str, Any] = {}
        if regular is None:
            return told
        if not self.terms.country:
            self._require_own(regular, "price")
        told = {"price_minor": regular.minor, "list_price_minor": None}
        if sale is not None and self._is_on_sale():
            if sale.currency != regular.currency or sale.minor > regular.minor:
                value = _first(self.cells, "sale_price")
                self.remarks.append(Fault("sale_price_above_price", "sale_price", value))
            elif sale.minor < regular.minor:
                told = {"price_minor": sale.minor, "list_price_minor": regular.minor}
        return told | {"currency": regular.currency}

    def _is_on_sale(self) -> bool:
        dates = _first(self.cells, "sale_price_effective_date")
        if not dates:
            return True
        try:
            begin, end = (_moment(text) for text in dates.split("/"))
        except ValueError:
            self.remarks.append(Fault("sale_dates_invalid", "sale_price_effective_date", dates))
            return False
        return begin <= self.terms.now <= end

    def _amount(self, name: str) -> Price | None:
        own = "" if self.terms.country else self.terms.currency
        return self._try(lambda text, field: price(text, field, currency=own), name)

    def _require_own(self, amount: Price, name: str) -> None:
        if amount.currency != self.terms.currency:
            self.faults.append(Fault("currency_other", name, _first(self.cells, name)))

    def _stock(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if availability := self._word("availability", Availability.values, "availability_unknown"):
            told["availability"] = availability
            told["stock"] = 0 if availability == Availability.OUT_OF_STOCK else None
        if quantity := _first(self.cells, "quantity"):
            digits = quantity.removesuffix(".0")
            if digits.isdecimal() and int(digits) <= MOST_STOCK:
                told["stock"] = 0 if told.get("stock") == 0 else int(digits)
            else:
                self.faults.append(Fault("quantity_invalid", "quantity", quantity))
        return told

    def _word(self, name: str, known: Sequence[str], code: str) -> str:
        value = _first(self.cells, name)
        word = (
            value.casefold().removeprefix("https://schema.org/").removeprefix("http://schema.org/")
        )
        word = re.sub(r"[\s_-]+", "", word)
        found = WORDS.get(word, word)
        if value and found not in known:
            self.faults.append(Fault(code, name, value))
        return found if value else ""

    def _short(self, name: str) -> str:
        value = _first(self.cells, name)
        if len(value) > LONGEST[name]:
            self.faults.append(Fault("value_too_long", name, value))
        return value

    def _try(self, how: Callable[[str, str], T], name: str) -> T | None:
        if not (value := _first(self.cells, name)):
            return None
        try:
            return how(value, name)
        except RowError as error:
            self.faults += error.faults
            return None


def is_gtin(text: str) -> bool:
    """Whether the last digit checks the others. Source: GS1 General Specifications, 7.9."""
    if len(text) not in GTIN_LENGTHS or not (text.isascii() and text.isdecimal()):
        return False
    digits = [int(sign) for sign in reversed(text)]
    return (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def _first(cells: Cells, name: str) -> str:
    values = cells.get(name)
    return values[0].strip() if values else ""


def _link(text: str, field: str) -> str:
    try:
        parts = urlsplit(text.strip())
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good or len(text.strip()) > LONGEST_LINK or re.search(r"\s", text.strip()):
        raise RowError(Fault("link_invalid", field, text))
    return text.strip()


def _plain(text: str) -> str:
    """Text without the tags and entities of HTML."""
    if "<" in text or "&" in text:
        text = html.unescape(TAG.sub(" ", text))
    return " ".join(text.split())


def _typed(value: str) -> str | bool:
    word = value.casefold()
    return word in YES if word in (YES | NO) - {"0", "1"} else value


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)
