"""What the attributes of a product are called in feeds: as Merchant names them, and otherwise."""

from __future__ import annotations

import re
from typing import Final

SPEC: Final = "spec:"
ALIASES: Final = {
    "id": ("product id", "sku", "item id", "商品编号", "商品编码", "货号"),
    "title": ("name", "product name", "商品名称", "商品标题"),
    "description": ("summary", "content", "商品描述", "描述"),
    "link": ("url", "product url", "商品链接", "链接"),
    "image_link": ("image", "image url", "图片链接", "图片"),
    "additional_image_link": ("additional image links", "more images"),
    "price": ("价格", "售价"),
    "sale_price": ("促销价",),
    "sale_price_effective_date": (),
    "cost_of_goods_sold": ("cost", "成本"),
    "availability": ("stock status", "库存状态"),
    "quantity": ("stock", "sell on google quantity", "inventory", "库存", "库存数量"),
    "brand": ("品牌",),
    "gtin": ("ean", "upc", "barcode", "条码"),
    "mpn": ("manufacturer part number",),
    "condition": ("成色",),
    "product_type": ("category", "类别", "分类"),
    "google_product_category": (),
    "item_group_id": ("family", "model family", "型号系列"),
    "product_detail": (),
    "accessory_for": (),
    "fits_products": (),
    "tags": ("labels", "标签"),
    "bought_again": ("is consumable",),
    "color": ("colour", "颜色"),
    "size": ("尺寸",),
    "material": (),
    "pattern": (),
}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name.strip()).casefold()


_KNOWN: Final = {
    _plain(alias): name for name, aliases in ALIASES.items() for alias in (name, *aliases)
}


def attribute(column: str) -> str:
    """Return the attribute a column or element holds: "g:Image Link" and "image_link" are one.

    `spec:output_watts` is a specification; what is not known keeps its name.
    """
    plain = _plain(column).removeprefix("g:")
    if plain.startswith("spec:"):
        return SPEC + plain.removeprefix("spec:").strip().replace(" ", "_")
    return _KNOWN.get(plain, plain.replace(" ", "_"))
