"""Fields that take what the OpenAPI document says of them, and nothing that only looks like it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

from privacy import finder, moments


class Text(serializers.CharField):
    """A JSON string; a number is not taken for its digits."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false in JSON; no number and no word is taken for one."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Moment(serializers.DateTimeField):
    """A time that somebody meant: not what a lost one becomes."""

    default_error_messages = {
        "long_past": _("This lies before 2 January 1970, as a time that was lost does."),
    }

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        if moments.is_lost(moment):
            self.fail("long_past")
        return moment


class Number(serializers.FloatField):
    """A number of JSON; neither its digits as text nor what is no number, such as "nan"."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class FreeText(Text):
    """What people may have written anything into: of personal data only its kind is kept."""

    def run_validation(self, data: Any = empty) -> Any:
        given = super().run_validation(data)  # its length is that of what was said
        return finder.redact(given)[: self.max_length] if isinstance(given, str) else given
