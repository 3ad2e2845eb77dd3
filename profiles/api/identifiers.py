from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from privacy.api.fields import Text
from privacy.problems import DomainError
from profiles.events import wire
from profiles.identity import telling

PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]+$"


class CustomerId(Text):
    """The shop's own id of a customer; e-mail addresses and phone numbers are none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=wire.MAX_ID, **options)
        self.validators.append(refuse_personal)


def in_path(name: str, example: str) -> OpenApiParameter:
    """How an id that stands in the address is described; `checked` refuses any other."""
    form = {"type": "string", "minLength": 1, "maxLength": wire.MAX_ID, "pattern": PRINTABLE}
    examples = [OpenApiExample(name, value=example)]
    return OpenApiParameter(name, form, OpenApiParameter.PATH, examples=examples)


def checked(identifier: str) -> str:
    """An id that stands in the address, as it is; raises DomainError `invalid_id`."""
    if not 0 < len(identifier) <= wire.MAX_ID or not identifier.isprintable():
        detail = _("An id has 1 to %(n)s characters, none of them a control character.")
        raise DomainError("invalid_id", detail % {"n": wire.MAX_ID})
    return identifier


def refuse_personal(identifier: str) -> None:
    if telling.looks_personal(identifier):
        detail = _("Use an id of your own, not an e-mail address or a phone number.")
        raise serializers.ValidationError(detail, "personal_id")


def refuse_telling(identifier: str) -> None:
    """Refuse the id of an order or a cart that holds an address; plain digits may be one."""
    if telling.tells_personal(identifier):
        detail = _("Use a number of your own, without an e-mail address or a phone number in it.")
        raise serializers.ValidationError(detail, "personal_id")
