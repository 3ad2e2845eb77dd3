"""Rules over products in words, and their fields and known values as a form shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Count
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from profiles import figures, segment_words
from profiles.features.vocabulary import Kind
from profiles.segment_fields import FieldCard
from profiles.segments import explain
from recommendations.models import Availability, Product
from recommendations.product_rules import FIELDS, Effect

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    from profiles.segments.rules import Condition, Scalar
    from profiles.segments.vocabulary import Field
    from recommendations.product_rules import ProductRule

N_KNOWN: Final = 100
LABELS: Final[dict[str, StrPromise]] = {
    "brand": gettext_lazy("brand"),
    "category": gettext_lazy("category"),
    "product": gettext_lazy("product id"),
    "family": gettext_lazy("model family"),
    "tag": gettext_lazy("tag"),
    "condition": gettext_lazy("condition of the goods"),
    "price": gettext_lazy("price"),
    "list_price": gettext_lazy("price it is reduced from"),
    "discount": gettext_lazy("reduction"),
    "margin": gettext_lazy("margin"),
    "stock": gettext_lazy("stock"),
    "availability": gettext_lazy("availability"),
    "age_days": gettext_lazy("days in the catalogue"),
    "spec_number": gettext_lazy("specification (number)"),
    "spec_text": gettext_lazy("specification (text)"),
}
GROUPS: Final[dict[StrPromise, tuple[str, ...]]] = {
    gettext_lazy("Product"): ("brand", "category", "product", "family", "tag", "condition"),
    gettext_lazy("Money"): ("price", "list_price", "discount", "margin"),
    gettext_lazy("Stock and age"): ("stock", "availability", "age_days"),
    gettext_lazy("Specifications"): ("spec_number", "spec_text"),
}
CHOICES: Final[dict[str, dict[str, StrPromise]]] = {
    "condition": {value: label for value, label in Product.Condition.choices if value},
    "availability": {value: label for value, label in Availability.choices if value},
}


class ProductWords(segment_words.Words):
    """The phrasebook of rules over products."""

    def subject(self, condition: Condition) -> str:
        text = str(LABELS[condition.field.name])
        if spec := condition.scope.spec:
            return _("specification “%(name)s”") % {"name": spec}
        return text

    def value(self, of: Field, value: Scalar) -> str:
        known = CHOICES.get(of.name, {})
        return str(known[str(value)]) if str(value) in known else super().value(of, value)


def describe(rule: ProductRule, language: str, *, currency: str) -> str:
    """Return what a rule does, as a sentence."""
    with translation.override(language):
        said = explain.say(rule.when, ProductWords(language, currency))
        match rule.effect:
            case Effect.KEEP:
                return _("Shows only products of which this holds: %(rule)s.") % {"rule": said}
            case Effect.DROP:
                return _("Takes away products of which this holds: %(rule)s.") % {"rule": said}
        factor = figures.number(rule.factor, language)
        text = _("Multiplies by %(factor)s the score of products of which this holds: %(rule)s.")
        return text % {"factor": factor, "rule": said}


def fields(language: str) -> list[FieldCard]:
    """Return the fields with labels in `language`, in the order a form shows them."""
    with translation.override(language):
        return [
            _card(FIELDS[name], str(group)) for group, names in GROUPS.items() for name in names
        ]


def _card(field: Field, group: str) -> FieldCard:
    return FieldCard(
        name=field.name,
        label=str(LABELS[field.name]),
        group=group,
        kind=field.kind,
        unit=field.kind if field.kind in {Kind.DAYS, Kind.MONEY, Kind.SHARE} else "",
        operators=tuple((sign, segment_words.operator_label(sign)) for sign in field.operators),
        choices=tuple((value, str(label)) for value, label in CHOICES.get(field.name, {}).items()),
        takes_window=False,
        keys=tuple((key, _("named")) for key in field.keys),
    )


def known_values() -> dict[str, list[str]]:
    """Return values to offer while a rule is written, the most frequent first."""
    sold = Product.objects.filter(is_active=True)
    known = {name: _frequent(name) for name in ("brand", "category", "family")}
    specs: dict[str, int] = {}
    tags: dict[str, int] = {}
    newest = sold.order_by("-pk").values_list("specs", "tags")[: 10 * N_KNOWN]
    for told, words in newest:
        for counts, names in ((specs, told), (tags, words)):
            for name in names if isinstance(names, dict | list) else ():
                counts[str(name)] = counts.get(str(name), 0) + 1
    known["spec"] = _most(specs)
    known["tag"] = _most(tags)
    return known


def _frequent(column: str) -> list[str]:
    counted = Product.objects.filter(is_active=True).exclude(**{column: ""}).values_list(column)
    rows = counted.annotate(n=Count("pk")).order_by("-n", column)[:N_KNOWN]
    return [value for value, _n in rows]


def _most(counts: dict[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))[:N_KNOWN]
