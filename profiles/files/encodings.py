"""The encodings a file of rows may be said to have: those whose line end is one byte."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

DEFAULT: Final = "utf-8"
USUAL: Final[dict[str, str | Promise]] = {
    DEFAULT: "UTF-8",
    "gb18030": _("GB18030 (Chinese, also GBK)"),
    "big5": _("Big5 (Traditional Chinese)"),
    "cp1252": _("Windows-1252 (Western Europe)"),
}
OTHERS: Final = (
    "big5hkscs", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp437", "cp850", "cp852", "cp866", "cp874", "cp932", "cp949", "cp950", "euc_jp", "euc_kr",
    "gbk", "iso8859_1", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "iso8859_15", "koi8_r",
    "koi8_u", "mac_roman", "shift_jis",
)  # fmt: skip
