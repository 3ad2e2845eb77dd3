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
    try:
        html = str(mjml2html(source))
    except (ValueError, TypeError) as error:
        raise TemplateError("wrong_mjml", str(error)[:200], field="mjml") from None
    return sanitised(html)


def sanitised(html: str, *, field: str = "body_html") -> str:
    """Return `html` as it is; raises TemplateError for a part that a mail must not have.

    Refused, not removed: whoever wrote it shall know that it would not be there.
    """
    if found := _RUNS.search(html):
        line = html.count("\n", 0, found.start()) + 1
        raise TemplateError("forbidden_markup", found[0].strip()[:40], line, field=field)
    return html
