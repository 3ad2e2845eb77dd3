"""The words of segments: labels of fields and operators, and a rule's phrases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from privacy.models import Channel
from privacy.purpose_registry import REGISTRY
from profiles import figures, trait_words
from profiles.features.vocabulary import Kind
from profiles.segments.rules import Condition, Scalar
from profiles.segments.vocabulary import Field, Source
from profiles.segments.windows import Window

LABELS: dict[str, Promise] = {
    **trait_words.LABELS,
    "custom_number": gettext_lazy("own trait (number)"),
    "custom_text": gettext_lazy("own trait (text)"),
    "bought_product": gettext_lazy("bought product"),
    "bought_category": gettext_lazy("bought from category"),
    "bought_brand": gettext_lazy("bought from brand"),
    "bought_times": gettext_lazy("number of orders"),
    "bought_units": gettext_lazy("number of units bought"),
    "bought_money": gettext_lazy("money spent"),
    "bought_first_days": gettext_lazy("days since the first purchase"),
    "bought_last_days": gettext_lazy("days since the last purchase"),
    "event_times": gettext_lazy("number of events"),
    "event_sum": gettext_lazy("sum over events"),
    "event_first_days": gettext_lazy("days since the first event"),
    "event_last_days": gettext_lazy("days since the last event"),
    "event_followed": gettext_lazy("one event, then another"),
    "consent": gettext_lazy("consent"),
    "persona": gettext_lazy("persona"),
    "age_band": gettext_lazy("age"),
    "gender": gettext_lazy("gender"),
    "country": gettext_lazy("country"),
    "city": gettext_lazy("city"),
    "locale": gettext_lazy("locale"),
    "occupation": gettext_lazy("occupation"),
    "email": gettext_lazy("e-mail address"),
    "phone": gettext_lazy("telephone number"),
    "segment": gettext_lazy("segment"),
    "list": gettext_lazy("list of customers"),
}
KEYS: dict[str, Promise] = {
    "trait": gettext_lazy("own trait"),
    "product": gettext_lazy("product id"),
    "category": gettext_lazy("category"),
    "brand": gettext_lazy("brand"),
    "event": gettext_lazy("event"),
    "summed": gettext_lazy("sum of property"),
    "property": gettext_lazy("property"),
    "equals": gettext_lazy("equals"),
    "within_hours": gettext_lazy("within hours"),
}
GROUPS: dict[Source, Promise] = {
    Source.TRAIT: gettext_lazy("Behaviour"),
    Source.CUSTOM: gettext_lazy("Behaviour"),
    Source.PURCHASE: gettext_lazy("Purchases"),
    Source.ORDERS: gettext_lazy("Purchases"),
    Source.EVENTS: gettext_lazy("Events"),
    Source.SEQUENCE: gettext_lazy("Events"),
    Source.CONSENT: gettext_lazy("Consent"),
    Source.PERSONA: gettext_lazy("Behaviour"),
    Source.AGE: gettext_lazy("Person"),
    Source.CUSTOMER: gettext_lazy("Person"),
    Source.SEALED: gettext_lazy("Person"),
    Source.SEGMENT: gettext_lazy("Segments and lists"),
    Source.LIST: gettext_lazy("Segments and lists"),
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
    "then": gettext_lazy("and then"),
    "thenNot": gettext_lazy("and then not"),
}
GENDERS: dict[str, Promise] = {
    "female": gettext_lazy("Female"),
    "male": gettext_lazy("Male"),
    "other": gettext_lazy("Other"),
}
DEVICES: dict[str, Promise] = {
    "desktop": gettext_lazy("Computer"),
    "mobile": gettext_lazy("Mobile phone"),
    "tablet": gettext_lazy("Tablet"),
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


def key_label(key: str) -> str:
    return str(KEYS[key])


def operator_label(sign: str) -> str:
    return str(OPERATORS[sign])


def choice(field: Field, value: Scalar) -> str:
    """Return the word for a coded value; the value itself where it is no code."""
    if field.name == "gender":
        return str(GENDERS[str(value)])
    if field.name == "top_device":
        return str(DEVICES.get(str(value), value))
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
    """The phrasebook of the language that is active; `language` only shapes money.

    `names` are those of segments and lists by uuid.
    """

    language: str
    currency: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def condition(self, condition: Condition) -> str:
        match condition.field.source:
            case Source.PURCHASE:
                return _purchase(condition)
            case Source.SEQUENCE:
                return _sequence(condition)
            case Source.SEGMENT | Source.LIST:
                return self._group_of_people(condition)
            case Source.CONSENT:
                agreed = condition.operator == "="
                text = _("agreed to %(what)s") if agreed else _("did not agree to %(what)s")
                return text % {"what": self.value(condition.field, str(condition.value))}
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

    def subject(self, condition: Condition) -> str:
        """Return what is compared, such as "number of orders of category “Audio”"."""
        if trait := condition.scope.trait:
            return _("“%(name)s”") % {"name": self.names.get(f"trait:{trait}", trait)}
        text = label(condition.field.name)
        if what := _scope(condition):
            text = _("%(field)s of %(what)s") % {"field": text, "what": what}
        return _windowed(text, condition.window)

    def _comparison(self, condition: Condition) -> str:
        of, value = condition.field, condition.value
        subject = _("%(field)s %(operator)s") % {
            "field": self.subject(condition),
            "operator": operator_label(condition.operator),
        }
        if value is None:
            return subject
        if condition.operator in {"between", "notBetween"} and isinstance(value, tuple):
            low, high = (self.value(of, end) for end in value)
            return _("%(subject)s %(low)s and %(high)s") % {
                "subject": subject,
                "low": low,
                "high": high,
            }
        values = value if isinstance(value, tuple) else (value,)
        shown = pgettext("between values", ", ").join(self.value(of, one) for one in values)
        return _("%(subject)s %(value)s") % {"subject": subject, "value": shown}

    def _group_of_people(self, condition: Condition) -> str:
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        shown = pgettext("between values", ", ").join(
            _("“%(name)s”") % {"name": self.names.get(str(one), one)} for one in values
        )
        is_in = condition.operator in {"=", "in"}
        if condition.field.source == Source.SEGMENT:
            text = _("in segment %(names)s") if is_in else _("not in segment %(names)s")
        else:
            text = _("on list %(names)s") if is_in else _("not on list %(names)s")
        return text % {"names": shown}

    def value(self, of: Field, value: Scalar) -> str:
        if of.kind == Kind.MONEY:
            return money(int(value), self.currency, self.language)
        if of.kind == Kind.SHARE:
            return figures.percent(float(value), self.language, "0.##%")
        if of.kind == Kind.HOUR:
            return _("%(hour)s h") % {"hour": value}
        if of.kind == Kind.SEALED:
            return _("an address kept sealed")
        known_as = f"persona:{self.language.lower()}:{value}"
        if of.kind == Kind.PERSONA and (called := self.names.get(known_as)):
            return _("%(key)s (%(called)s)") % {"key": value, "called": called}
        return choice(of, value)


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
    match condition.field.kind:
        case Kind.PRODUCT:
            there, not_there = _("bought product “%(what)s”"), _("never bought product “%(what)s”")
        case Kind.BRAND:
            there, not_there = _("bought brand “%(what)s”"), _("never bought brand “%(what)s”")
        case _:
            there, not_there = _("bought from “%(what)s”"), _("never bought from “%(what)s”")
    phrase = (there if bought else not_there) % {"what": condition.value}
    return _windowed(phrase, condition.window)


def _sequence(condition: Condition) -> str:
    text = (
        _("did %(first)s and then “%(second)s” within %(hours)s h")
        if condition.operator == "then"
        else _("did %(first)s and then not “%(second)s” within %(hours)s h")
    )
    phrase = text % {
        "first": _scope(condition),
        "second": condition.value,
        "hours": condition.within_hours,
    }
    return _windowed(phrase, condition.window)


def _scope(condition: Condition) -> str:
    """Return which purchases or events are meant; empty where all are."""
    scope, parts = condition.scope, []
    if scope.product:
        parts.append(_("product “%(what)s”") % {"what": scope.product})
    if scope.category:
        parts.append(_("category “%(what)s”") % {"what": scope.category})
    if scope.brand:
        parts.append(_("brand “%(what)s”") % {"what": scope.brand})
    if scope.summed:
        parts.append(_("“%(name)s”") % {"name": scope.summed})
    if scope.property:
        text = _("“%(event)s” with %(property)s = %(value)s")
        parts.append(
            text % {"event": scope.event, "property": scope.property, "value": scope.equals}
        )
    elif scope.event:
        parts.append(_("“%(name)s”") % {"name": scope.event})
    return pgettext("between values", ", ").join(parts)


def _windowed(phrase: str, window: Window) -> str:
    for words in _window(window):
        phrase = _("%(phrase)s %(window)s") % {"phrase": phrase, "window": words}
    return phrase


def _window(window: Window) -> Iterator[str]:
    ago, back = window.before_days, window.within_days
    if ago and back:
        yield _("between %(back)s and %(ago)s days ago") % {"back": back, "ago": ago}
    elif back:
        yield ngettext("in the last day", "in the last %(days)s days", back) % {"days": back}
    elif ago:
        text = ngettext("more than a day ago", "more than %(days)s days ago", ago)
        yield text % {"days": ago}
    dates = {"first": window.from_date, "last": window.to_date}
    if window.from_date and window.from_date == window.to_date:
        yield _("on %(first)s") % dates
    elif window.from_date and window.to_date:
        yield _("from %(first)s to %(last)s") % dates
    elif window.from_date:
        yield _("since %(first)s") % dates
    elif window.to_date:
        yield _("until %(last)s") % dates
