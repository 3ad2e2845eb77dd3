"""Which candidates a scenario keeps, and in what order: its rules, and the reason of each "no"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from recommendations.compatibility.judging import judge
from recommendations.compatibility.rules import Answer
from recommendations.compatibility.specs import read
from recommendations.offers import is_out
from recommendations.product_rules import Ruling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from recommendations.compatibility.specs import Specs
    from recommendations.models import Product, Scenario

SAME_CATEGORY: Final = 0.6
SAME_BRAND: Final = 0.2


class LeftOut(models.TextChoices):
    """Why a candidate is not shown."""

    OFF_SALE = "off_sale", _("Not on sale")
    OUT_OF_STOCK = "out_of_stock", _("Out of stock")
    NEVER_SHOWN = "never_shown", _("On the list of what is never shown")
    ON_PAGE = "on_page", _("On the page or in the cart already")
    PRICE = "price", _("Outside the price band")
    OWNED = "owned", _("Owned, and not bought again")
    RETURNED = "returned", _("Given back before")
    INCOMPATIBLE = "incompatible", _("Does not fit what is owned or shown")
    RULE = "rule", _("Taken away by a rule of the placement")
    FAMILY = "same_family", _("Another of the same model family is shown")


@dataclass(frozen=True)
class Around:
    """What is known of whom the products are for: what they have, gave back, and look at.

    `devices` are the products that an accessory must fit, what is on the page first.
    """

    owned: Collection[str] = ()
    returned: Collection[str] = ()
    on_page: Collection[str] = ()
    devices: Sequence[Product] = ()


@dataclass
class Fitting:
    """One list in the making: candidates come in best first, each with a verdict.

    `specs` are the specifications read so far, and `ruling` the placement's rules, which lists
    made at once may share. `ruled_out` says which rule, counted from 0, took a product away.
    """

    scenario: Scenario
    around: Around
    ruling: Ruling
    left_out: dict[str, str] = field(default_factory=dict)
    specs: dict[str, Specs] = field(default_factory=dict)
    ruled_out: dict[str, int] = field(default_factory=dict)

    def refusal(self, product: Product) -> LeftOut | None:
        """The first rule that speaks against a product, the family rule apart."""
        rules, around, id_ = self.scenario, self.around, product.product_id
        checks = (
            (LeftOut.OFF_SALE, not product.is_active),
            (LeftOut.OUT_OF_STOCK, rules.in_stock_only and is_out(product)),
            (LeftOut.NEVER_SHOWN, id_ in rules.never_shown),
            (LeftOut.ON_PAGE, id_ in around.on_page),
            (LeftOut.PRICE, not self._is_in_band(product.price_minor)),
            (LeftOut.OWNED, self._is_owned(product)),
            (LeftOut.RETURNED, rules.hides_returned and id_ in around.returned),
        )
        found = next((reason for reason, applies in checks if applies), None)
        if found is None and self.answer(product)[0] is Answer.NO:
            return LeftOut.INCOMPATIBLE
        if found is None and (rule := self.ruling.takes_away(product)) is not None:
            self.ruled_out[id_] = rule
            return LeftOut.RULE
        return found

    def answer(self, product: Product) -> tuple[Answer | None, Product | None]:
        """Whether an accessory fits one of the devices it is for, and which.

        None for what is no accessory, or for no device that is here. A device that fits is
        enough: a charger for the laptop may be too much for nothing else.
        """
        known = product.fits_products
        for device in self.around.devices:
            if device.product_id in known:
                return Answer.YES, device
        devices = [one for one in self.around.devices if one.category in product.accessory_for]
        if not devices:
            return None, None
        answers = [judge(self._read(one), self._read(product)).answer for one in devices]
        for answer in (Answer.YES, Answer.UNKNOWN):
            if answer in answers:
                return answer, devices[answers.index(answer)]
        return Answer.NO, devices[0]

    def keep(
        self, products: Iterable[Product], taken: Sequence[Product], most: int | None = None
    ) -> list[Product]:
        """The first `most` that no rule speaks against; of a family the first alone."""
        families = {one.family for one in taken if one.family}
        kept: list[Product] = []
        for product in products:
            if len(kept) == most:
                break
            refusal = self.refusal(product)
            if refusal is None and self.scenario.one_per_family and product.family:
                refusal = LeftOut.FAMILY if product.family in families else None
                families.add(product.family)
            if refusal is None:
                kept.append(product)
            else:
                self.left_out.setdefault(product.product_id, refusal.value)
        return kept

    def _is_in_band(self, price: int | None) -> bool:
        low, high = self.scenario.price_from_minor, self.scenario.price_to_minor
        if low is None and high is None:
            return True
        if price is None:
            return False
        return (low is None or price >= low) and (high is None or price <= high)

    def _is_owned(self, product: Product) -> bool:
        is_owned = product.product_id in self.around.owned
        return self.scenario.hides_owned and is_owned and not product.is_consumable

    def _read(self, product: Product) -> Specs:
        if product.product_id not in self.specs:
            told = product.specs if isinstance(product.specs, dict) else {}
            self.specs[product.product_id] = read(told).specs
        return self.specs[product.product_id]


def diverse(products: Sequence[Product], n: int, diversity: float) -> list[Product]:
    """The `n` best by maximal marginal relevance, relevance falling with the place.

    Each place goes to whatever has most of (1 - diversity) * relevance - diversity * its
    likeness to the most alike product taken; ties by place. Products are alike by category
    and brand.

    Source: J. Carbonell and J. Goldstein, SIGIR 1998, 335-336.
    """
    left = list(range(len(products)))
    alike = [0.0] * len(products)
    taken: list[Product] = []

    def worth(place: int) -> float:
        relevance = 1 - place / len(products)
        return (1 - diversity) * relevance - diversity * alike[place]

    while left and len(taken) < n:
        best = max(left, key=lambda place: (worth(place), -place))
        left.remove(best)
        taken.append(products[best])
        for place in left:
            alike[place] = max(alike[place], _likeness(products[place], products[best]))
    return taken


def _likeness(one: Product, other: Product) -> float:
    is_same_category = one.category != "" and one.category == other.category
    is_same_brand = one.brand != "" and one.brand == other.brand
    return SAME_CATEGORY * is_same_category + SAME_BRAND * is_same_brand
