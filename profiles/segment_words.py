"""The words of segments: labels of fields and operators, and a rule's phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from privacy.models import Channel
from privacy.purpose_registry import REGISTRY
from profiles import figures
from profiles.features.vocabulary import Kind
from profiles.segments.rules import Condition, Scalar
from profiles.segments.vocabulary import Field, Source

LABELS: dict[str, Promise] = {
    "recency_days": gettext_lazy("days since last order"),
    "tenure_days": gettext_lazy("days since first order"),
    "n_orders": gettext_lazy("orders"),
    "n_items": gettext_lazy("different products bought"),
    "n_units": gettext_lazy("units bought"),
    "revenue_minor": gettext_lazy("net revenue"),
    "average_order_minor": gettext_lazy("average order"),
    "average_item_minor": gettext_lazy("average price per unit"),
    "order_gap_days": gettext_lazy("days between orders"),
    "top_hour": gettext_lazy("usual hour"),
    "top_weekday": gettext_lazy("usual weekday"),
    "night_share": gettext_lazy("share bought from 0 to 6 h"),
    "morning_share": gettext_lazy("share bought from 6 to 12 h"),
    "afternoon_share": gettext_lazy("share bought from 12 to 18 h"),
    "evening_share": gettext_lazy("share bought from 18 to 24 h"),
    "weekend_share": gettext_lazy("share bought at weekends"),
    "discount_share": gettext_lazy("share of lines at a discount"),
    "refund_share": gettext_lazy("share of money refunded"),
    "top_category": gettext_lazy("favourite category"),
    "bought_product": gettext_lazy("bought product"),
    "bought_category": gettext_lazy("bought from category"),
    "consent": gettext_lazy("consent"),
    "persona": gettext_lazy("persona"),
    "age_band": gettext_lazy("age"),
    "gender": gettext_lazy("gender"),
    "country": gettext_lazy("country"),
    "city": gettext_lazy("city"),
    "locale": gettext_lazy("locale"),
    "occupation": gettext_lazy("occupation"),
}
GROUPS: dict[Source, Promise] = {
    Source.TRAIT: gettext_lazy("Behaviour"),
    Source.PURCHASE: gettext_lazy("Purchases"),
    Source.CONSENT: gettext_lazy("Consent"),
    Source.PERSONA: gettext_lazy("Behaviour"),
    Source.AGE: gettext_lazy("Person"),
    Source.CUSTOMER: gettext_lazy("Person"),
}
OPERATORS: dict[str, Promise] = {
    "=": gettext_lazy("is"),
    "!=": gettext_lazy("is not"),
    "<": gettext_lazy("is below"),
    "<=": gettext_lazy("is at most"),
    ">": gettext_lazy("is above"),
    ">=": gettext_lazy("is at least"),
    "in": gettext_lazy("is one of"),
    "notIn": gettext_lazy("is none of"),
    "between": gettext_lazy("is between"),
    "notBetween": gettext_lazy("is not between"),
    "null": gettext_lazy("is not known"),
    "notNull": gettext_lazy("is known"),
}
GENDERS: dict[str, Promise] = {
    "female": gettext_lazy("Female"),
    "male": gettext_lazy("Male"),
    "other": gettext_lazy("Other"),
}
WEEKDAYS: tuple[Promise, ...] = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)


def label(name: str) -> str:
    return str(LABELS[name])


def group_label(source: Source) -> str:
    return str(GROUPS[source])


def operator_label(sign: str) -> str:
    return str(OPERATORS[sign])


def choice(field: Field, value: Scalar) -> str:
    """Return the word for a coded value; the value itself where it is no code."""
    if field.name == "gender":
        return str(GENDERS[str(value)])
    if field.kind == Kind.WEEKDAY:
        return str(WEEKDAYS[int(value)])
    if field.kind == Kind.CONSENT:
        return _consent(str(value))
    return str(value)


def money(minor: int, currency: str, language: str) -> str:
    """Return an amount in minor units as people write it; digits alone without a currency."""
    if not currency:
        return str(minor)
    return figures.money(minor, currency, language)


@dataclass(frozen=True)
class Words:
    """The phrasebook of the language that is active; `language` only shapes money."""

    language: str
    currency: str = ""

    def condition(self, condition: Condition) -> str:
        match condition.field.source:
            case Source.PURCHASE:
                return _purchase(condition)
            case Source.CONSENT:
                agreed = condition.operator == "="
                text = _("agreed to %(what)s") if agreed else _("did not agree to %(what)s")
                return text % {"what": self._value(condition.field, str(condition.value))}
            case _:
                return self._comparison(condition)

    def both(self, phrases: Sequence[str]) -> str:
        return pgettext("between conditions", " and ").join(phrases)

    def either(self, phrases: Sequence[str]) -> str:
        return pgettext("between conditions", " or ").join(phrases)

    def negated(self, phrase: str) -> str:
        return _("not %(phrase)s") % {"phrase": phrase or _("everybody")}

    def group(self, phrase: str) -> str:
        return _("(%(phrase)s)") % {"phrase": phrase} if phrase else ""

    def _comparison(self, condition: Condition) -> str:
        field, value = condition.field, condition.value
        subject = _("%(field)s %(operator)s") % {
            "field": label(field.name),
            "operator": operator_label(condition.operator),
        }
        if value is None:
            return subject
        if condition.operator in {"between", "notBetween"} and isinstance(value, tuple):
            low, high = (self._value(field, end) for end in value)
            return _("%(subject)s %(low)s and %(high)s") % {
                "subject": subject,
                "low": low,
                "high": high,
            }
        values = value if isinstance(value, tuple) else (value,)
        shown = pgettext("between values", ", ").join(self._value(field, one) for one in values)
        return _("%(subject)s %(value)s") % {"subject": subject, "value": shown}

    def _value(self, field: Field, value: Scalar) -> str:
        if field.kind == Kind.MONEY:
            return money(int(value), self.currency, self.language)
        if field.kind == Kind.SHARE:
            return figures.percent(float(value), self.language, "0.##%")
        if field.kind == Kind.HOUR:
            return _("%(hour)s h") % {"hour": value}
        return choice(field, value)


def _consent(text: str) -> str:
    """Return what was agreed to; the codes themselves for a purpose of another version."""
    name, _colon, channel = text.partition(":")
    if name not in REGISTRY or channel not in Channel.values:
        return text
    found = REGISTRY[name]
    return str(found.label if len(found.channels) == 1 else Channel(channel).label)


def consents() -> list[str]:
    """Return every "purpose:channel" that needs consent."""
    needing = [purpose for purpose in REGISTRY.values() if purpose.needs_consent]
    return [f"{purpose.name}:{one}" for purpose in needing for one in sorted(purpose.channels)]


def _purchase(condition: Condition) -> str:
    bought = condition.operator == "="
    if condition.field.kind == Kind.PRODUCT:
        text = _("bought product “%(what)s”") if bought else _("never bought product “%(what)s”")
    else:
        text = _("bought from “%(what)s”") if bought else _("never bought from “%(what)s”")
    phrase = text % {"what": condition.value}
    days = condition.within_days
    if not days:
        return phrase
    window = ngettext("in the last day", "in the last %(days)s days", days) % {"days": days}
    return _("%(phrase)s %(window)s") % {"phrase": phrase, "window": window}
