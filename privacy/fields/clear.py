"""What stands in clear beside sealed values: each column says what of a person it tells."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from django.core import checks
from django.db import models

from privacy.fields.base import SealedField

NEEDS_NONE = (models.AutoField, models.UUIDField, models.ForeignKey, models.DateTimeField)


class ClearClass(StrEnum):
    """What a column in clear tells. Those of a person are coarse: they name nobody alone."""

    PSEUDONYM = "pseudonym"  # an id of the shop's, which the shop can resolve
    PLACE = "place"
    AGE = "age"
    GENDER = "gender"
    OCCUPATION = "occupation"
    LANGUAGE = "language"
    NOTE = "note"  # words of staff, who name nobody in them
    TECHNICAL = "technical"  # states and digests: nothing of the person


def unclassified(model: type[models.Model]) -> Iterator[checks.CheckMessage]:
    """Yield an error for each column that neither is sealed nor says what it tells, and back.

    Ids, relations, moments and tags need no class.
    """
    declared = set(getattr(model, "clear_classes", {}))
    sealed = [field for field in model._meta.concrete_fields if isinstance(field, SealedField)]
    told = {name for field in sealed for name in (field.name, *field.tags)}
    clear = {
        field.name for field in model._meta.concrete_fields if not isinstance(field, NEEDS_NONE)
    } - told
    for name in sorted(clear - declared):
        text = f"{model._meta.label}.{name} stands in clear and has no data class."
        hint = "Seal it, or say in `clear_classes` what of a person it tells."
        yield checks.Error(text, hint=hint, obj=model, id="privacy.E014")
    for name in sorted(declared - clear):
        text = f"{model._meta.label} classifies {name}, which is no column in clear."
        yield checks.Error(text, obj=model, id="privacy.E014")
