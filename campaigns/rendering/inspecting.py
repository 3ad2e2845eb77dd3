"""What can be seen in a finished message that is better put right before it goes out."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Gmail cuts a message off above 102 KiB of HTML and hides the rest behind a link.
CLIPPED_ABOVE = 102 * 1024
LONGEST_SUBJECT = 78

_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(["'])\s*[^"'\s]""", re.IGNORECASE)
_SRC = re.compile(r"""\bsrc\s*=\s*(["'])(.*?)\1""", re.IGNORECASE | re.DOTALL)
_SHOUTED = re.compile(r"\b[A-Z]{4,}\b")
_MARKS = re.compile(r"[!！]{2,}|[?？]{3,}|\${2,}")
_SPAM_EN = (
    *("100% free", "act now", "buy now!", "cash bonus", "click here", "congratulations!"),
    *("double your", "earn money", "free gift", "free money", "guaranteed", "lowest price ever"),
    *("make money", "no obligation", "once in a lifetime", "order now", "risk-free", "risk free"),
    *("this is not spam", "urgent", "winner", "you have been selected", "you won"),
)
_SPAM_ZH = (
    *("百分百中奖", "恭喜您中奖", "恭喜中奖", "点击领取", "免费领取", "免费赠送", "稳赚不赔"),
    *("最低价", "全网最低", "国家级", "最高级", "第一品牌", "绝对有效", "立即致富", "日赚"),
    *("代开发票", "无效退款", "限时秒杀", "机不可失", "全球首发", "史上最低"),
)


def images_without_words(html: str) -> list[str]:
    """Return the addresses of the pictures that say nothing where they are not shown."""
    found = []
    for image in _IMAGE.findall(html):
        source = _SRC.search(image)
        if source and source[2].strip() and not _ALT.search(image):
            found.append(source[2].strip())
    return found


def n_bytes(html: str) -> int:
    return len(html.encode())


def spam_words(text: str) -> list[str]:
    """Return the words in `text` that filters weigh, or that advertising law forbids.

    English ones as whole words whatever their case; Chinese ones wherever they stand.
    """
    small = text.lower()
    found = [word for word in _SPAM_EN if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", small)]
    return [*found, *(word for word in _SPAM_ZH if word in text)]


def is_shouted(subject: str) -> bool:
    """Say whether a subject line shouts: capitals alone, or marks in a row."""
    words = [word for word in re.findall(r"[A-Za-z]+", subject) if len(word) > 1]
    capitals = sum(map(len, _SHOUTED.findall(subject)))
    return bool(_MARKS.search(subject)) or (len(words) > 1 and capitals * 2 > sum(map(len, words)))


def are_the_same(texts: Sequence[str]) -> bool:
    """Say whether texts of several languages are one and the same, so that none is a translation."""
    told = {re.sub(r"\s+", " ", text).strip() for text in texts}
    return len(texts) > 1 and len(told) == 1 and told != {""}
