"""Cleaning product titles as shops' tills and spreadsheets write them."""

from __future__ import annotations

import re
import unicodedata

# Short forms that stay in capitals when a shouted title is calmed down.
SHORT_FORMS = (
    "AC AMD AMOLED ANC AV CD CPU DC DSLR DVD EU FHD FM GPS GPU HD HDD HDMI HDR HP IP IPS JBL LCD"
    " LED LG LTE MSI NAS NFC NVME OLED PC PD PS QHD QLED RAM RC RGB SD SIM SSD TV UHD UK UPS US USB"
    " UV VESA VGA VR XL XS XXL"
)
KEEP = frozenset(SHORT_FORMS.split())
MAX_LENGTH = 200


def cleaned(title: str) -> str:
    """Return the title on one line, without control characters, and not shouted.

    A title in capitals alone gets a capital for each word, save known short forms and words
    with digits; any other title keeps its case. At most 200 characters.
    """
    text = unicodedata.normalize("NFC", title)
    text = "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in text)
    text = " ".join(text.split()).strip(" ,;.*").strip()
    if text.isupper() and " " in text:
        text = re.sub(r"[^\W\d_][\w']*|\d\w*", _calmed, text)
    return text[:MAX_LENGTH]


def _calmed(word: re.Match[str]) -> str:
    text = word[0]
    return text if text in KEEP or any(sign.isdigit() for sign in text) else text.capitalize()
