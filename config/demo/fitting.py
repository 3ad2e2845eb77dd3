"""What goes with what in the demo shop, and the placements of its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from config.demo.catalogue import BY_KEY
from recommendations.models import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.demo.catalogue import DemoProduct

# By category: the devices it is an accessory for, and the specifications that decide.
ACCESSORY_FOR: Final = {
    "cases": ("phones",),
    "chargers": ("phones", "laptops"),
    "cables": ("phones", "laptops"),
    "powerbanks": ("phones",),
    "earbuds": ("phones",),
    "storage": ("laptops",),
}
FIXED: Final[dict[str, dict[str, Any]]] = {
    "phones": {"sockets": ["usb-c"], "charging": ["usb-pd"], "needs_watts": 5, "bluetooth": "5.3"},
    "laptops": {"sockets": ["usb-c", "usb-a", "hdmi"], "charging": ["usb-pd"], "needs_watts": 45},
    "chargers": {"sockets": ["usb-c"], "charging": ["usb-pd"]},
    "cables": {"plugs": ["usb-c"]},
    "powerbanks": {"sockets": ["usb-c"], "charging": ["usb-pd"]},
    "earbuds": {"needs_bluetooth": "5.0"},
    "storage": {"sockets": ["usb-c"]},
}
WARRANTY_MONTHS: Final = {"laptops": 36, "cameras": 36, "lenses": 60}
USUAL_WARRANTY_MONTHS: Final = 24
GIVES_WATTS: Final = frozenset({"chargers", "cables", "powerbanks"})
PLACEMENTS: Final = (
    ("home", "Home page", Scenario.Kind.FOR_YOU),
    ("bought-together", "Product page", Scenario.Kind.TOGETHER),
    ("accessories", "Accessories", Scenario.Kind.ACCESSORIES),
    ("cart", "Cart", Scenario.Kind.CART),
)


def accessory_for(product: DemoProduct) -> list[str]:
    """The categories of devices, as the catalogue names them."""
    return [BY_KEY[key].name for key in ACCESSORY_FOR.get(product.category.key, ())]


def specs_of(product: DemoProduct, phones: Iterable[DemoProduct]) -> dict[str, Any]:
    """What the catalogue tells, and what decides what it goes with."""
    key = product.category.key
    specs = {**product.specs, **FIXED.get(key, {})}
    if not product.category.repeat_days:
        specs["warranty_months"] = WARRANTY_MONTHS.get(key, USUAL_WARRANTY_MONTHS)
    if key in GIVES_WATTS:
        specs["output_watts"] = product.specs["watts"]
    if key == "phones":
        specs["model"] = product.product_id
    if key == "cases":
        specs["fits_models"] = [one.product_id for one in phones if one.brand == product.brand]
    return specs


def make_placements() -> None:
    Scenario.objects.bulk_create(
        (Scenario(placement=slug, name=name, kind=kind) for slug, name, kind in PLACEMENTS),
        ignore_conflicts=True,
    )
