"""Money and shares as the reader's language writes them."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

from profiles import figures

register = template.Library()


def _language() -> str:
    return get_language() or "en"


@register.filter
def money(minor: float | None, currency: str) -> str:
    """Minor units of a currency, e.g. 123456 as €1,234.56."""
    return "–" if minor is None else figures.money(minor, currency, _language())


@register.filter
def percent(rate: float | None) -> str:
    """A rate in 0-1 as percent with one decimal."""
    return "–" if rate is None else figures.percent(rate, _language())


@register.filter
def count(number: int | None) -> str:
    return "–" if number is None else figures.number(number, _language())
