"""The form of a segment: its name, and its rule put together by clicking."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from itertools import accumulate
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.urls import reverse
from django.utils.translation import get_language, gettext, gettext_noop

from privacy.models import Shop
from privacy.problems import DomainError
from profiles import segment_fields, segment_rules, segmentation
from profiles.models import CustomTrait, Segment
from profiles.money import exponent

MAX_NESTING = 40
LIBRARY = "vendor/react-querybuilder/8.24.1/react-querybuilder.js"
MISSING: Final = gettext_noop("a value is missing")
# What a rule that is still being put together lacks, as the parser says it.
UNFINISHED: Final = (
    gettext_noop("a text is expected"),
    gettext_noop("a list with at least one value is expected"),
    gettext_noop("the name of an event is expected"),
    gettext_noop("the name of an own trait is expected"),
    gettext_noop("the name of a property is expected, without quotes"),
    gettext_noop("the name of a specification is expected"),
    gettext_noop("the property whose numbers are summed is expected"),
    gettext_noop("a factor from 0.1 to 10 is expected"),
)
FREE_TEXT = (
    "bought_product",
    "bought_category",
    "country",
    "city",
    "locale",
    "occupation",
    "top_category",
    "product",
    "category",
    "event",
)


class RuleWidget(forms.Textarea):
    """react-querybuilder over a hidden text area; without script the rule stands in words.

    `of` is the uuid of the segment whose rule it is, which that may not lead back to.
    """

    of = ""
    template_name = "profiles/rule_builder.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        language, currency = get_language() or "en", Shop.current().currency
        known = {one: segment_fields.known_values(one) for one in FREE_TEXT}
        context["widget"] |= {
            "library": LIBRARY,
            "preview": f"{reverse('admin:profiles_segment_preview')}?of={self.of}",
            "exponent": exponent(currency),
            "said": _said(context["widget"]["value"], language, currency),
            "fields": [asdict(card) for card in segment_fields.fields(language)],
            "known": known | {"event_followed": known["event"]},
            "words": words_of(currency),
        }
        return context


def _said(text: str | None, language: str, currency: str) -> str:
    try:
        return segmentation.describe(
            read_tree(text or "null") or segmentation.EVERYBODY, language, currency=currency
        )
    except (DomainError, ValueError) as error:
        return str(error)


def words_of(currency: str) -> dict[str, Any]:
    """The words of a rule builder, whatever its rules are about."""
    return {
        "all": gettext("all of these"),
        "any": gettext("any of these"),
        "and": gettext("and"),
        "low": gettext("Lowest value"),
        "high": gettext("Highest value"),
        "value": gettext("Value"),
        "several": gettext("several, with commas"),
        "traits": list(CustomTrait.objects.order_by("label").values_list("name", "label")),
        "window": _window_words(),
        "counting": gettext("Counting …"),
        "failed": gettext("The count did not arrive; it is tried again with the next change."),
        "group": gettext("Group"),
        "rule": gettext("Rule"),
        "samples": gettext("Some of them, masked"),
        "columns": [
            gettext("Customer id"),
            gettext("Name"),
            gettext("E-mail"),
            gettext("Place"),
        ],
        "units": {"days": gettext("days"), "money": currency, "share": gettext("percent")},
        "builder": _builder_words(),
    }


def _window_words() -> dict[str, str]:
    return {
        "when": gettext("When"),
        "any": gettext("at any time"),
        "last": gettext("in the last … days"),
        "ago": gettext("more than … days ago"),
        "between": gettext("between … and … days ago"),
        "dates": gettext("from date to date"),
        "within_days": gettext("At most so many days ago"),
        "before_days": gettext("More than so many days ago"),
        "from_date": gettext("First day"),
        "to_date": gettext("Last day"),
    }


def _builder_words() -> dict[str, dict[str, str]]:
    """The words of react-querybuilder's own controls, under its names for them."""
    titled = {
        "fields": gettext("What"),
        "operators": gettext("Comparison"),
        "value": gettext("Value"),
        "combinators": gettext("How conditions combine"),
    }
    labelled = {
        "addRule": gettext("Add condition"),
        "addGroup": gettext("Add group"),
        "notToggle": gettext("Turn round"),
    }
    signs = {
        "removeRule": ("×", gettext("Remove condition")),
        "removeGroup": ("×", gettext("Remove group")),
        "shiftActionUp": ("↑", gettext("Move up")),
        "shiftActionDown": ("↓", gettext("Move down")),
    }
    return (
        {name: {"title": text} for name, text in titled.items()}
        | {name: {"title": text, "label": text} for name, text in labelled.items()}
        | {name: {"title": text, "sign": sign} for name, (sign, text) in signs.items()}
    )


class RuleField(forms.JSONField):
    """The tree as JSON; what cannot be read is shown again as it was typed."""

    def to_python(self, value: Any) -> Any:
        try:
            return read_tree(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        """A rule that a link brings along is text already."""
        return value if isinstance(value, str) else super().prepare_value(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return read_tree(data)
        except ValueError:
            return InvalidJSONInput(data)


def read_tree(text: Any) -> Any:
    """Return the JSON of `text`; raises ValueError for what cannot be read, shown or kept."""
    if not isinstance(text, str):
        return text
    depths = accumulate((sign in "[{") - (sign in "]}") for sign in text)
    if max(depths, default=0) <= MAX_NESTING:
        with suppress(ValueError):
            tree = json.loads(text)
            json.dumps(tree, ensure_ascii=False).encode()
            return tree
    raise ValueError(gettext("The rule is not JSON that can be read; put it together anew."))


def fault_words(message: str) -> str:
    """Return what is wrong with a rule, in the reader's language where it has words for it."""
    if message.endswith(("not ''", "not None")):
        return gettext(MISSING)
    return gettext(message) if message in UNFINISHED else message


class SegmentForm(forms.ModelForm[Segment]):
    class Meta:
        model = Segment
        fields = ["name", "rule"]
        widgets = {"rule": RuleWidget}
        field_classes = {"rule": RuleField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        widget = self.fields["rule"].widget if "rule" in self.fields else None
        if isinstance(widget, RuleWidget):
            widget.of = str(self.instance.uuid)

    def clean_rule(self) -> dict[str, Any]:
        rule: dict[str, Any] = self.cleaned_data["rule"]
        try:
            segment_rules.checked(rule, of=str(self.instance.uuid))
            return segment_rules.stored(rule)
        except DomainError as error:
            raise ValidationError(fault_words(str(error.detail))) from error
