"""MJML to the HTML of a message, and nothing in it that runs, reads a file or frames a page."""

from __future__ import annotations

import re

from campaigns.rendering.faults import TemplateError

MAX_SOURCE = 200_000
# What a message never holds; Liquid is left as it is.
_RUNS = re.compile(
    r"<\s*/?\s*(script|iframe|object|embed|form|input|textarea|select|base|applet|frame|frameset)"
    r"\b|\son[a-z]+\s*=|javascript\s*:|vbscript\s*:|data\s*:\s*text/html|expression\s*\(",
    re.IGNORECASE,
)
_INCLUDE = re.compile(r"<\s*mj-include\b", re.IGNORECASE)
_TAG = re.compile(r"<\s*(mj-[a-z-]+)")
_KNOWN = frozenset(
    f"mj-{name}"
    for name in (
        *("accordion", "accordion-element", "accordion-text", "accordion-title", "all"),
        *("attributes", "body", "breakpoint", "button", "carousel", "carousel-image", "class"),
        *("column", "divider", "font", "group", "head", "hero", "image", "navbar", "navbar-link"),
        *("preview", "raw", "section", "social", "social-element", "spacer", "style", "table"),
        *("text", "title", "wrapper"),
    )
)
_POSITION = re.compile(r"\s*at position (\d+):\d+")
_DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)", re.IGNORECASE)


def is_mjml(source: str) -> bool:
    return source.lstrip().lower().startswith("<mjml")


def to_html(source: str) -> str:
    """Return the HTML of MJML `source`, merge fields still in it; raises TemplateError."""
    # The compiler loads with the first template, not with every process.
    from mjml import mjml2html  # noqa: PLC0415

    if len(source) > MAX_SOURCE:
        raise TemplateError("too_long", str(MAX_SOURCE), field="mjml")
    if _INCLUDE.search(source):
        raise TemplateError("forbidden_markup", "mj-include", field="mjml")
    sanitised(source, field="mjml")
    if unknown := next((one for one in _TAG.finditer(source) if one[1] not in _KNOWN), None):
        raise TemplateError("unknown_tag", unknown[1], _line(source, unknown.start()), field="mjml")
    try:
        html = str(mjml2html(source))
    except (ValueError, TypeError) as error:
        told, line = _placed(str(error), source)
        raise TemplateError("wrong_mjml", told, line, field="mjml") from None
    return sanitised(html)


def _placed(told: str, source: str) -> tuple[str, int | None]:
    """Return the compiler's words and, where they tell a position, its line."""
    found = _POSITION.search(told)
    if found is None:
        return told[:200], None
    line = source.encode()[: int(found[1])].count(b"\n") + 1
    return _POSITION.sub("", told)[:200], line


def shown_in(html: str, *, dark: bool) -> str:
    """Return `html` as a program in dark or in light mode shows it, whatever the screen is in."""
    return _DARK.sub("@media all" if dark else "@media not all", html)


def sanitised(html: str, *, field: str = "body_html") -> str:
    """Return `html` as it is; raises TemplateError for a part that a mail must not have.

    Refused, not removed: whoever wrote it shall know that it would not be there.
    """
    if found := _RUNS.search(html):
        line = _line(html, found.start())
        raise TemplateError("forbidden_markup", found[0].strip()[:40], line, field=field)
    return html


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
