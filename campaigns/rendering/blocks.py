"""A message as a list of blocks: which there are, what each takes, and their MJML source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from campaigns.rendering.faults import TemplateError

MAX_BLOCKS = 40
MAX_TEXT = 5_000
N_PRODUCTS = 6

_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LINK = re.compile(r"\[([^\]\n]{1,200})\]\(([^()\s]{1,500})\)")
_BOLD = re.compile(r"\*\*([^*\n]{1,500})\*\*")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LINES = re.compile(r"\n{2,}")

Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Brand:
    """How the shop's messages look; colours as #rrggbb."""

    logo_url: str = ""
    accent: str = "#1f5eff"
    on_accent: str = "#ffffff"
    ink: str = "#0f1b33"
    soft: str = "#4a5871"
    page: str = "#f2f4f8"
    card: str = "#ffffff"


@dataclass(frozen=True, slots=True)
class Field:
    """What a block takes: `kind` is line, text, link, image or number."""

    name: str
    kind: str = "line"
    is_required: bool = False


FIELDS: Mapping[str, tuple[Field, ...]] = {
    "hero": (
        Field("title", is_required=True),
        Field("text", "text"),
        Field("image", "image"),
        Field("alt"),
        Field("button"),
        Field("link", "link"),
    ),
    "text": (Field("title"), Field("text", "text", is_required=True)),
    "image": (Field("image", "image", is_required=True), Field("alt"), Field("link", "link")),
    "button": (Field("button", is_required=True), Field("link", "link", is_required=True)),
    "products": (Field("title"), Field("products", "text", is_required=True), Field("button")),
    "recommendations": (Field("title"), Field("button", is_required=True)),
    "cart": (Field("title"), Field("button", is_required=True)),
    "coupon": (
        Field("title"),
        Field("text", "text"),
        Field("button"),
        Field("link", "link"),
    ),
    "divider": (),
    "footer": (Field("text", "text"), Field("unsubscribe")),
}


def compiled(blocks: Sequence[Block], brand: Brand, *, language: str) -> str:
    """Return the MJML of a message, merge fields still in it.

    Raises TemplateError `unknown_block`, `empty_block`, `too_many_blocks`, `wrong_link`,
    naming the block by its place (1 = first).
    """
    if len(blocks) > MAX_BLOCKS:
        raise TemplateError("too_many_blocks", str(MAX_BLOCKS), field="blocks")
    body = "\n".join(
        _WRITERS[_checked(block, place)](block, brand)
        for place, block in enumerate(blocks, start=1)
    )
    logo = ""
    if brand.logo_url:
        logo = _section(
            f'<mj-image src="{_attribute(brand.logo_url)}" alt="{{{{ shop.name }}}}" width="140px" '
            'align="left" padding="8px 0" href="{{ shop.url }}" />'
        )
    else:
        logo = _section(
            '<mj-text css-class="ink" font-weight="700" font-size="15px">{{ shop.name }}</mj-text>'
        )
    return _FRAME.format(
        language=_attribute(language),
        head=_head(brand),
        page=_colour(brand.page),
        body=f"{logo}\n{body}",
    )


def _checked(block: Block, place: int) -> str:
    kind = str(block.get("type", ""))
    if kind not in FIELDS:
        raise TemplateError("unknown_block", kind[:40], place, field="blocks")
    for field in FIELDS[kind]:
        value = block.get(field.name, "")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise TemplateError("wrong_block", field.name, place, field="blocks")
        if field.is_required and not value.strip():
            raise TemplateError("empty_block", field.name, place, field="blocks")
        if field.kind in {"link", "image"} and not _is_address(value):
            raise TemplateError("wrong_link", field.name, place, field="blocks")
    return kind


def _is_address(value: str) -> bool:
    told = value.strip()
    return not told or told.startswith(("https://", "http://", "mailto:", "{{"))


# Each block ---------------------------------------------------------------------------------


def _hero(block: Block, brand: Brand) -> str:
    return _section(
        _picture(block), _title(block, "30px", tag="h1"), _prose(block), _button(block, brand)
    )


def _text(block: Block, brand: Brand) -> str:
    del brand
    return _section(_title(block, "20px"), _prose(block))


def _image(block: Block, brand: Brand) -> str:
    del brand
    return _section(_picture(block))


def _only_button(block: Block, brand: Brand) -> str:
    return _section(_button(block, brand))


def _products(block: Block, brand: Brand) -> str:
    """Lines of `title | price | picture | link`, two beside each other."""
    rows = [line for line in str(block["products"]).splitlines() if line.strip()][:N_PRODUCTS]
    cells = []
    for row in rows:
        title, price, image, link = [*(part.strip() for part in row.split("|")), "", "", ""][:4]
        if not (_is_address(image) and _is_address(link)):
            raise TemplateError("wrong_link", "products", field="blocks")
        facts = {"image": image, "alt": title, "link": link, "button": block.get("button", "")}
        cells.append(
            f"<mj-column>{_picture(facts)}"
            f'<mj-text css-class="ink" font-weight="600">{_words(title)}</mj-text>'
            f'<mj-text css-class="ink" font-weight="700">{_words(price)}</mj-text>'
            f"{_button(facts, brand)}</mj-column>"
        )
    pairs = [cells[at : at + 2] for at in range(0, len(cells), 2)]
    return "\n".join(
        [
            _section(_title(block, "20px")) if block.get("title") else "",
            *(_columns(p) for p in pairs),
        ]
    )


def _recommendations(block: Block, brand: Brand) -> str:
    """Each product with its picture beside it, or its words alone where the shop has none."""
    seen = {"image": "{{ item.image_url }}", "alt": "{{ item.title }}"}
    leading = _picture(seen | {"link": "{{ item.link }}"})
    picture = f'<mj-column width="30%" padding="0 16px 0 0">{_if("item.link", leading, _picture(seen))}</mj-column>'
    button = _button({"button": block["button"], "link": "{{ item.link }}"}, brand)
    words = (
        '<mj-text css-class="ink" font-weight="600">{{ item.title }}</mj-text>'
        '<mj-text css-class="soft" mj-class="soft" font-size="13px">{{ item.reason }}</mj-text>'
        '<mj-text css-class="ink" font-weight="700">{{ item.price }}</mj-text>'
        f"{_if('item.link', button)}"
    )
    beside = f'{picture}<mj-column width="70%">{words}</mj-column>'
    alone = f"<mj-column>{words}</mj-column>"
    item = _if("item.image_url", _row(beside), _row(alone))
    title = _section(_title(block, "20px")) if block.get("title") else ""
    return _loop(title, "recommendations", item)


def _cart(block: Block, brand: Brand) -> str:
    what = (
        '<mj-column width="70%"><mj-text css-class="ink" font-weight="600">'
        "{{ line.quantity }} × {{ line.title }}</mj-text></mj-column>"
    )
    price = (
        '<mj-column width="30%"><mj-text css-class="ink" align="right">{{ line.price }}</mj-text>'
        "</mj-column>"
    )
    line = _columns([what, price])
    title = _section(_title(block, "20px")) if block.get("title") else ""
    total = _section(
        '<mj-text css-class="ink" font-weight="700" font-size="18px">{{ cart.total }}</mj-text>',
        _button({"button": block["button"], "link": "{{ cart.url }}"}, brand),
    )
    looped = _loop(title, "cart.lines", line, name="line")
    return f"{looped}\n{total}"


def _coupon(block: Block, brand: Brand) -> str:
    code = (
        '<mj-text css-class="code" font-size="24px" font-weight="700" '
        f'letter-spacing="3px" color="{_colour(brand.accent)}">{{{{ coupon.code }}}}</mj-text>'
    )
    return _section(_title(block, "20px"), _prose(block), code, _button(block, brand))


def _divider(block: Block, brand: Brand) -> str:
    del block, brand
    return _section('<mj-divider border-width="1px" border-color="#c9d2e0" padding="8px 0" />')


def _footer(block: Block, brand: Brand) -> str:
    label = str(block.get("unsubscribe", "")).strip()
    stop = f'<a href="{{{{ unsubscribe_url }}}}" class="soft">{_words(label)}</a>' if label else ""
    told = _prose(block, size="12px", line="19px")
    legal = (
        '<mj-text css-class="soft" mj-class="soft" font-size="12px" line-height="19px">'
        "{{ shop.legal_footer | newline_to_br }}</mj-text>"
    )
    link = (
        f'<mj-text css-class="soft" mj-class="soft" font-size="12px">{stop}</mj-text>'
        if stop
        else ""
    )
    return _section(told, link, legal, css="foot", background=brand.page)


_WRITERS: Mapping[str, Callable[[Block, Brand], str]] = {
    "hero": _hero,
    "text": _text,
    "image": _image,
    "button": _only_button,
    "products": _products,
    "recommendations": _recommendations,
    "cart": _cart,
    "coupon": _coupon,
    "divider": _divider,
    "footer": _footer,
}


# Their parts --------------------------------------------------------------------------------


def _section(*parts: str, css: str = "card", background: str = "") -> str:
    told = "".join(part for part in parts if part)
    if not told:
        return ""
    colour = f' background-color="{_colour(background)}"' if background else ""
    return f'<mj-section css-class="{css}"{colour}><mj-column>{told}</mj-column></mj-section>'


def _columns(cells: Sequence[str]) -> str:
    return f'<mj-section css-class="card">{"".join(cells)}</mj-section>'


def _row(cells: str) -> str:
    """One of several below each other, a line above it."""
    return (
        '<mj-section css-class="card row" border-top="1px solid #e3e8f0" padding="14px 32px">'
        f"{cells}</mj-section>"
    )


def _loop(before: str, things: str, item: str, *, name: str = "item") -> str:
    return f"{before}<mj-raw>{{% for {name} in {things} %}}</mj-raw>{item}<mj-raw>{{% endfor %}}</mj-raw>"


def _if(value: str, told: str, otherwise: str = "") -> str:
    """Write `told` for readers to whom `value` says something, else `otherwise`."""
    other = f"<mj-raw>{{% else %}}</mj-raw>{otherwise}" if otherwise else ""
    return f'<mj-raw>{{% if {value} != "" %}}</mj-raw>{told}{other}<mj-raw>{{% endif %}}</mj-raw>'


def _title(block: Block, size: str, *, tag: str = "h2") -> str:
    title = str(block.get("title", "")).strip()
    if not title:
        return ""
    return (
        f'<mj-text css-class="ink" font-size="{size}" line-height="130%" font-weight="700">'
        f'<{tag} style="margin:0;font:inherit">{_words(title)}</{tag}></mj-text>'
    )


def _prose(block: Block, *, size: str = "16px", line: str = "26px") -> str:
    text = str(block.get("text", "")).strip()
    if not text:
        return ""
    parts = "".join(
        f'<p style="margin:0 0 12px">{_marked(part)}</p>' for part in _LINES.split(text)
    )
    return f'<mj-text css-class="soft" mj-class="soft" font-size="{size}" line-height="{line}">{parts}</mj-text>'


def _picture(block: Block) -> str:
    image = str(block.get("image", "")).strip()
    if not image:
        return ""
    link = str(block.get("link", "")).strip()
    href = f' href="{_attribute(link)}"' if link else ""
    alt = _attribute(str(block.get("alt", "")))
    return f'<mj-image src="{_attribute(image)}" alt="{alt}"{href} border-radius="12px" padding="8px 0" />'


def _button(block: Block, brand: Brand) -> str:
    label, link = str(block.get("button", "")).strip(), str(block.get("link", "")).strip()
    if not label or not link:
        return ""
    return (
        f'<mj-button href="{_attribute(link)}" background-color="{_colour(brand.accent)}" '
        f'color="{_colour(brand.on_accent)}">{_words(label)}</mj-button>'
    )


def _words(text: str) -> str:
    """Escape what is no merge field, which escapes itself."""
    return _around_liquid(text, lambda plain: escape(plain, quote=False))


def _marked(text: str) -> str:
    """Words with **bold**, [links](https://…) and line ends."""

    def marked(plain: str) -> str:
        return _BOLD.sub(r"<b>\1</b>", escape(plain, quote=False)).replace("\n", "<br />")

    found, at = [], 0
    for match in _LINK.finditer(text):
        if not _is_address(match[2]):
            continue
        found += [
            _around_liquid(text[at : match.start()], marked),
            f'<a href="{_attribute(match[2])}">{_words(match[1])}</a>',
        ]
        at = match.end()
    return "".join([*found, _around_liquid(text[at:], marked)])


def _attribute(text: str) -> str:
    told = _LIQUID.sub(lambda match: match[0].replace('"', "'"), text)
    return _around_liquid(told, lambda plain: escape(plain, quote=True))


def _around_liquid(text: str, change: Callable[[str], str]) -> str:
    found, at = [], 0
    for match in _LIQUID.finditer(text):
        found += [change(text[at : match.start()]), match[0]]
        at = match.end()
    return "".join([*found, change(text[at:])])


def _colour(text: str) -> str:
    return text if _COLOUR.fullmatch(text) else "#1f5eff"


def _head(brand: Brand) -> str:
    font = "-apple-system, BlinkMacSystemFont, Segoe UI, Helvetica, Arial, sans-serif"
    return f"""<mj-head>
<mj-title>{{{{ shop.name }}}}</mj-title>
<mj-attributes>
<mj-all font-family="{font}" />
<mj-text font-size="16px" line-height="24px" padding="4px 0" color="{_colour(brand.ink)}" />
<mj-image align="left" />
<mj-class name="soft" color="{_colour(brand.soft)}" />
<mj-section background-color="{_colour(brand.card)}" padding="8px 32px" />
<mj-button align="left" border-radius="8px" font-weight="600" inner-padding="12px 22px" padding="12px 0" />
</mj-attributes>
<mj-style>
.soft a {{ color: inherit; }}
@media (prefers-color-scheme: dark) {{
  body, body > div {{ background: #0b1220 !important; }}
  .card, .card > table {{ background: #131c2e !important; background-color: #131c2e !important; }}
  .foot, .foot > table {{ background: #0b1220 !important; background-color: #0b1220 !important; }}
  .row td {{ border-color: #2a3852 !important; }}
  .ink div {{ color: #e8edf7 !important; }}
  .soft div, .soft p, .soft a {{ color: #9fb0cc !important; }}
}}
</mj-style>
</mj-head>"""


_FRAME = """<mjml lang="{language}">
{head}
<mj-body background-color="{page}" css-class="page">
{body}
</mj-body>
</mjml>"""
