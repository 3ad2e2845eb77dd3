"""A card as a document of its own: what a page or a notification makes of what it is told."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from campaigns.rendering.content import Rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLE: Final = """
body { margin: 0; padding: 24px; background: #f2f4f8; color: #0f1b33; font: 16px/1.5 sans-serif }
article { max-width: 400px; overflow: hidden; border-radius: 14px; background: #fff }
img { display: block; width: 100% }
div { padding: 18px 20px }
h1 { margin: 0; font-size: 17px }
p { margin: 6px 0 0; overflow-wrap: anywhere }
a { display: inline-block; margin-top: 14px; color: #1f5eff; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { background: #0b1220; color: #e8edf7 }
  article { background: #131c2e }
  a { color: #7fa6ff }
}
"""


def sample(told: Mapping[str, str], locale: str) -> Rendered:
    """Return how `title`, `text`, `button`, `image` and `url` look; empty members are left out.

    Without a button the whole of it is followed, as a notification is.
    """
    inner = f"<h1>{escape(told['title'])}</h1>"
    if told["text"]:
        inner += f"<p>{escape(told['text'])}</p>"
    if told.get("button"):
        target = escape(told["url"])
        inner += f'<a href="{target}" target="_blank" rel="noreferrer">{escape(told["button"])}</a>'
    image = f'<img src="{escape(told["image"])}" alt="">' if told["image"] else ""
    html = (
        f'<!doctype html><html lang="{escape(locale)}"><meta charset="utf-8">'
        f"<style>{_STYLE}</style><article>{image}<div>{inner}</div></article></html>"
    )
    lines = (told["title"], told["text"], told.get("button", ""), told["url"])
    return Rendered(locale, told["title"], html, "\n".join(line for line in lines if line))
