"""Which column of a file holds which field: by its usual names in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from profiles.files.reading import UnreadableFileError, refuse_twice

Names = Mapping[str, Sequence[str]]

CUSTOMER_NAMES: Names = {
    "external_id": ("customer id", "id", "customer", "external id", "user id", "客户编号", "会员编号", "顾客编号", "客户id", "会员id"),
    "full_name": ("name", "full name", "customer name", "姓名", "名字", "客户姓名"),
    "email": ("e-mail", "e-mail address", "mail", "邮箱", "电子邮件", "电子邮箱", "邮箱地址"),
    "phone": ("phone", "phone number", "mobile", "telephone", "tel", "手机", "手机号", "手机号码", "电话"),
    "locale": ("locale", "language", "lang", "语言"),
    "country": ("country", "country code", "国家", "国家代码"),
    "time_zone": ("time zone", "tz", "时区"),
    "city": ("city", "town", "城市"),
    "birth_date": ("birth date", "birthday", "date of birth", "dob", "生日", "出生日期"),
    "gender": ("gender", "sex", "性别"),
    "occupation": ("occupation", "profession", "job", "职业"),
}  # fmt: skip
ORDER_NAMES: Names = {
    "order": ("order id", "order number", "order no", "invoice", "invoice no", "订单号", "订单编号", "订单", "发票号"),
    "customer": (*CUSTOMER_NAMES["external_id"][:1], *CUSTOMER_NAMES["external_id"][2:]),
    "customer_email": ("e-mail", "customer e-mail", "buyer e-mail", "邮箱", "电子邮件"),
    "product": ("product id", "sku", "stock code", "item", "item id", "article", "商品编号", "商品编码", "货号", "商品"),
    "title": ("product name", "item name", "title", "description", "商品名称", "商品标题", "品名"),
    "category": ("product category", "product type", "类别", "分类", "品类"),
    "quantity": ("qty", "units", "count", "数量", "件数"),
    "price": ("unit price", "item price", "单价", "价格"),
    "discount": ("line discount", "discount amount", "折扣", "优惠金额"),
    "placed_at": ("order date", "invoice date", "date", "ordered at", "created at", "time", "下单时间", "订单时间", "日期", "时间"),
    "currency": ("currency code", "币种", "货币"),
    "country": ("country code", "ship country", "国家"),
    "status": ("order status", "状态", "订单状态"),
}  # fmt: skip
CONSENT_NAMES: Names = {
    "external_id": CUSTOMER_NAMES["external_id"],
    "source": ("source", "来源"),
    "happened_at": ("date", "happened at", "time", "timestamp", "日期", "时间", "同意时间"),
    "purpose": ("purpose", "目的", "用途"),
    "channel": ("channel", "渠道"),
    "wording": ("wording", "text", "consent text", "文本", "同意文本", "措辞"),
    "state": ("state", "status", "consent", "状态"),
    "locale": ("locale", "language", "lang", "语言"),
}
CONSENT_REQUIRED = tuple(name for name in CONSENT_NAMES if name != "locale")
SUPPRESSION_NAMES: Names = {
    "address": ("e-mail", "e-mail address", "mail", "phone", "mobile", "邮箱", "电子邮件", "手机号", "地址"),
    "channel": ("channel", "渠道"),
    "reason": ("reason", "why", "原因"),
}  # fmt: skip

EVENT_NAMES: Names = {
    "event": ("event name", "action", "metric", "事件", "事件名称"),
    "happened_at": ("timestamp", "time", "date", "occurred at", "event time", "created at", "日期", "时间"),
    "external_id": ("user id", "customer id", "customer", "客户编号", "会员编号", "客户id", "会员id"),
    "anonymous_id": ("anonymous", "visitor id", "device id", "session id"),
    "type": ("kind", "call", "类型"),
    "message_id": ("event id", "事件编号"),
    "previous_id": (),
    "product_id": ("sku", "item id", "商品编号", "货号"),
    "properties": ("data", "event properties", "属性"),
    "traits": (),
    "context": (),
}  # fmt: skip
EVENT_REQUIRED = ("happened_at",)


def plain(name: str) -> str:
    """`E-Mail_Address` and `email address` are one name."""
    return re.sub(r"[\s_\-./]+", "", name).casefold()


def guess(columns: Sequence[str], names: Names) -> dict[str, str]:
    """Return field to column for the columns that have one of a field's usual names."""
    by_name = {plain(column): column for column in reversed(columns)}
    found = {}
    for field, usual in names.items():
        hits = (by_name[plain(name)] for name in (field, *usual) if plain(name) in by_name)
        if (column := next(hits, None)) is not None:
            found[field] = column
    return found


def find(
    columns: Sequence[str], names: Names, *, required: Sequence[str], given: Mapping[str, str]
) -> dict[str, int]:
    """Return the place of each field that the file has; `given` (field: column) goes first.

    Raises UnreadableFileError naming the unknown field, the missing column and what there is, or
    the column that stands twice.
    """
    if unknown := sorted(set(given) - set(names)):
        raise UnreadableFileError(
            "unknown_field",
            _("There is no field %(field)s; the fields are: %(known)s.")
            % {"field": unknown[0], "known": ", ".join(names)},
        )
    places = {plain(column): at for at, column in reversed(list(enumerate(columns)))}
    found = {}
    for field, usual in names.items():
        wanted = [given[field]] if field in given else [field, *usual]
        at = next((places[plain(name)] for name in wanted if plain(name) in places), None)
        if at is not None:
            found[field] = at
    missing = [name for name in names if name not in found and (name in required or name in given)]
    if missing:
        raise UnreadableFileError(
            "columns_missing",
            _("The file has no column for: %(missing)s. It has: %(found)s. Name it by --map.")
            % {
                "missing": ", ".join(given.get(name, names[name][0]) for name in missing),
                "found": ", ".join(columns),
            },
        )
    refuse_twice(columns, [columns[at] for at in found.values()])
    return found
