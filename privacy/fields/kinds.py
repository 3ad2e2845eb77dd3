"""The kinds of sealed values: text, e-mail address, telephone number, date."""

from __future__ import annotations

import datetime as dt
import re
from functools import cached_property
from typing import Any

from django.db import models
from django.db.models.lookups import In

from privacy.crypto import blind_index
from privacy.fields.base import SealedField, tag_column
from privacy.sealed import keys

LAST_FOUR = re.compile(r"[0-9]{4}")


class SealedTextField(SealedField[str]):
    data_class = "text"

    def bytes_of(self, values: list[str]) -> list[bytes]:
        return [value.encode() for value in values]

    def values_of(self, texts: list[str | None]) -> list[str | None]:
        return texts


class SealedEmailField(SealedTextField):
    data_class = "email"

    def cleaned(self, value: Any) -> str:
        text = super().cleaned(value).strip()
        if not self.tag:
            self.normalised(text)
        return text

    def normalised(self, value: str) -> str:
        return blind_index.normalise_email(value)

    def suppressed_as(self, normalised: str) -> str:
        return blind_index.mailbox(normalised)


class SealedPhoneField(SealedTextField):
    """A telephone number, kept in E.164; `last_four_tag` finds it by its last four digits.

    Ten thousand values tell nobody apart, so their tags may be whole.
    """

    data_class = "phone"
    last_four_tag: str

    def __init__(self, *args: Any, last_four_tag: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last_four_tag = last_four_tag

    @cached_property
    def tags(self) -> list[str]:
        return [tag for tag in (self.tag, self.last_four_tag, self.suppression_tag) if tag]

    def cleaned(self, value: Any) -> str:
        return blind_index.normalise_phone(super().cleaned(value))

    def normalised(self, value: str) -> str:
        return value

    @cached_property
    def index_columns(self) -> list[str]:
        return [tag for tag in (self.tag, self.last_four_tag) if tag]

    def index_tags(self, value: str) -> dict[str, bytes]:
        found = super().index_tags(value)
        if self.last_four_tag:
            found[self.last_four_tag] = self.last_four_tags(blind_index.last_four(value))[0]
        return found

    def set_tags(self, row: models.Model, value: str | None) -> None:
        super().set_tags(row, value)
        if self.last_four_tag and value is not None:
            row.__dict__[self.last_four_tag] = self.index_tags(value)[self.last_four_tag]

    def last_four_tags(self, digits: str) -> list[bytes]:
        taggers = keys().taggers(f"{self.column_label}.last_four")
        return [tagger.tag(digits) for tagger in taggers]

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "last_four" and self.last_four_tag:
            return LastFour
        return super().get_lookup(lookup_name)


class LastFour(In):
    """`filter(phone__last_four="8000")`; anything but four digits matches nothing."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        digits = str(rhs)
        tags = lhs.target.last_four_tags(digits) if LAST_FOUR.fullmatch(digits) else []
        super().__init__(tag_column(lhs, lhs.target.last_four_tag), tags)


class SealedDateField(SealedField[dt.date]):
    data_class = "birth_date"

    def cleaned(self, value: Any) -> dt.date:
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise TypeError(f"{self.name} is set to a date, not to {type(value).__name__}")
        return value

    def text_of(self, value: dt.date) -> str:
        return value.isoformat()

    def value_of(self, text: str) -> dt.date:
        return dt.date.fromisoformat(text)
