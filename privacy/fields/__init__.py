"""Fields whose values are sealed: bytes in the database, a `Sealed` handle in a row.

A value is bound to its row, so its model needs `uuid`, `subject` (to Subject's uuid) and
`sealed_label`, which `SealedModel` asks for. Blind-index tags are columns beside the sealed
one, set when the value is set: by the time one field is saved, others already were.
"""

from privacy.fields.base import MaskedValueError, SealedField
from privacy.fields.clear import ClearClass
from privacy.fields.columns import Columns, reveal_columns
from privacy.fields.kinds import (
    SealedDateField,
    SealedEmailField,
    SealedPhoneField,
    SealedTextField,
)
from privacy.fields.rows import SealedModel, SealedQuerySet, sealed_field, sealed_fields, with_tags
from privacy.fields.tags import TagField
from privacy.fields.twins import ValueTakenError

__all__ = [
    "ClearClass",
    "Columns",
    "MaskedValueError",
    "SealedDateField",
    "SealedEmailField",
    "SealedField",
    "SealedModel",
    "SealedPhoneField",
    "SealedQuerySet",
    "SealedTextField",
    "TagField",
    "ValueTakenError",
    "reveal_columns",
    "sealed_field",
    "sealed_fields",
    "with_tags",
]
