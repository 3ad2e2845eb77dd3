"""Fields whose values are sealed: bytes in the database, a `Sealed` handle in a row.

A value is bound to its row, so its model needs `uuid`, `subject` (to Subject's uuid) and
`sealed_label`, which `SealedModel` asks for. Blind-index tags are columns beside the sealed
one, set when the value is set: by the time one field is saved, others already were.
"""

from privacy.fields.base import MaskedValueError, SealedField
from privacy.fields.columns import reveal_columns
from privacy.fields.kinds import (
    SealedDateField,
    SealedEmailField,
    SealedPhoneField,
    SealedTextField,
)
from privacy.fields.rows import SealedModel, SealedQuerySet, sealed_fields, with_tags

__all__ = [
    "MaskedValueError",
    "SealedDateField",
    "SealedEmailField",
    "SealedField",
    "SealedModel",
    "SealedPhoneField",
    "SealedQuerySet",
    "SealedTextField",
    "reveal_columns",
    "sealed_fields",
    "with_tags",
]
