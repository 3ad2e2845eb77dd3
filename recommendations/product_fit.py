"""Which devices an accessory fits, which accessories a device takes, and what keeps it unknown."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.compatibility.judging import judge
from recommendations.compatibility.rules import Answer, Attribute
from recommendations.compatibility.specs import Fault, read
from recommendations.models import Product

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 300
SHOWN: Final = 8
LABELS: Final[dict[Attribute, str | Promise]] = {
    Attribute.MODEL: gettext_lazy("model"),
    Attribute.CONNECTOR: gettext_lazy("connector"),
    Attribute.PROTOCOL: gettext_lazy("wireless protocol"),
    Attribute.CHARGING: gettext_lazy("charging protocol"),
    Attribute.WATTS: gettext_lazy("wattage"),
    Attribute.QI: gettext_lazy("wireless charging"),
    Attribute.MAGNETS: gettext_lazy("magnets"),
    Attribute.BLUETOOTH: gettext_lazy("Bluetooth version"),
    Attribute.STORAGE: gettext_lazy("storage slot"),
    Attribute.STORAGE_SIZE: gettext_lazy("largest storage"),
    Attribute.DISPLAY: gettext_lazy("HDMI or DisplayPort version"),
    Attribute.VESA: gettext_lazy("VESA hole distances"),
    Attribute.WEIGHT: gettext_lazy("weight"),
    Attribute.SCREEN: gettext_lazy("screen size"),
}


class Pair(NamedTuple):
    """Another product, whether the two go together, and what decides that."""

    product: Product
    answer: Answer
    why: str


@dataclass
class Fit:
    """What is known of a product and those it is to go with.

    `faults` are its specifications that cannot be read, `doubts` say in words what is missing.
    """

    faults: tuple[Fault, ...] = ()
    pairs: list[Pair] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def n(self, answer: Answer) -> int:
        return sum(pair.answer is answer for pair in self.pairs)

    @property
    def n_fitting(self) -> int:
        return self.n(Answer.YES)

    @property
    def n_unknown(self) -> int:
        return self.n(Answer.UNKNOWN)

    @property
    def n_not(self) -> int:
        return self.n(Answer.NO)

    @property
    def shown(self) -> list[Pair]:
        """Some of each answer, what is unknown first: there something can be done."""
        order = (Answer.UNKNOWN, Answer.YES, Answer.NO)
        return [
            pair
            for answer in order
            for pair in [one for one in self.pairs if one.answer is answer][:SHOWN]
        ]


def of(product: Product) -> Fit:
    """Judge a product against the devices it is for, or the accessories for its category."""
    reading = read(product.specs if isinstance(product.specs, dict) else {})
    fit = Fit(reading.faults)
    missing: Counter[Attribute | None] = Counter()
    examples: dict[Attribute | None, list[str]] = defaultdict(list)
    is_accessory = bool(product.accessory_for or product.fits_products)
    for other in _others(product, is_accessory=is_accessory):
        device, accessory = (other, product) if is_accessory else (product, other)
        if device.product_id in accessory.fits_products:
            fit.pairs.append(Pair(other, Answer.YES, _("told by the catalogue")))
            continue
        theirs = read(other.specs if isinstance(other.specs, dict) else {}).specs
        told = (theirs, reading.specs) if is_accessory else (reading.specs, theirs)
        verdict = judge(*told)
        fit.pairs.append(
            Pair(other, verdict.answer, _words(one.attribute for one in verdict.deciding))
        )
        if verdict.answer is Answer.UNKNOWN:
            attributes: set[Attribute | None] = {one.attribute for one in verdict.deciding}
            for attribute in attributes or {None}:
                missing[attribute] += 1
                examples[attribute].append(other.title)
    fit.doubts = [
        _doubt(attribute, n, examples[attribute][0], is_accessory=is_accessory)
        for attribute, n in missing.most_common()
    ]
    return fit


def _others(product: Product, *, is_accessory: bool) -> list[Product]:
    sold = Product.objects.filter(is_active=True).exclude(pk=product.pk).order_by("pk")
    if is_accessory:
        of_categories = sold.filter(category__in=product.accessory_for)
        named = sold.filter(product_id__in=product.fits_products)
        return [*named[:MOST], *of_categories.exclude(product_id__in=product.fits_products)[:MOST]]
    if not product.category:
        return []
    # Lists of categories cannot be asked for alike in both databases.
    accessories = sold.exclude(accessory_for=[]).exclude(category=product.category)[: MOST * 4]
    return [one for one in accessories if product.category in one.accessory_for][:MOST]


def _words(attributes: Iterable[Attribute]) -> str:
    return ", ".join(sorted({str(LABELS[one]) for one in attributes}))


def _doubt(attribute: Attribute | None, n: int, example: str, *, is_accessory: bool) -> str:
    told = {"n": n, "example": example, "what": "" if attribute is None else LABELS[attribute]}
    if attribute is None:
        text = _("No specification of both can be compared: %(example)s (%(n)d in all).")
    elif is_accessory:
        text = _(
            "%(what)s of the device is missing, so it cannot be told whether it fits: "
            "%(example)s (%(n)d in all)."
        )
    else:
        text = _("%(what)s is missing: cannot tell whether it fits: %(example)s (%(n)d in all).")
    sentence = text % told
    return sentence[:1].upper() + sentence[1:]
