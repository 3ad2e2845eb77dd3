"""What all sealed fields share: how a value is set, sealed, opened and looked up."""

from __future__ import annotations

import datetime as dt
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core import checks
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In
from django.db.models.query_utils import DeferredAttribute

from privacy import masking
from privacy.crypto.blind_index import NotAnAddressError
from privacy.crypto.envelope import Column, KeyGoneError, generation_of, in_row
from privacy.sealed import Ciphertext, Pending, Sealed, SealedNow, keys

if TYPE_CHECKING:
    from privacy.sealed import SealedRow

T = TypeVar("T")


class MaskedValueError(NotAnAddressError):
    """A mask came back as if it were a value; never quotes it."""


class SealedAttribute(DeferredAttribute):
    """Reads give a handle, never a value; writes take a plaintext and set its tags."""

    field: SealedField[Any]

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__.get(self.field.attname, self)
        if value is self:
            value = super().__get__(instance, cls)
        return None if value is None else Sealed(self.field, instance)

    def __set__(self, instance: models.Model, value: Any) -> None:
        values, field = instance.__dict__, self.field
        kind = type(value)
        if kind is Ciphertext or kind is SealedNow:  # a row that is being read: three of these
            pass
        elif value is None:
            if values.get(field.attname) is not None:
                field.set_tags(instance, None)
        elif kind is Sealed:
            if not value.belongs_to(instance):
                raise TypeError(f"{field.name} is sealed for another row; reveal and set it")
            value = value.stored()
        else:
            plain = field.cleaned(value)
            value = Pending(plain)
            if field.tags:
                field.set_tags(instance, plain)
        values[field.attname] = value


class SealedField(models.BinaryField["T | None", "Sealed[T] | None"], Generic[T]):
    """A value sealed with the key of the row's subject.

    `tag` and `suppression_tag` name the columns of its blind indexes. In migrations it is a
    plain BinaryField, so that they import nothing.
    """

    descriptor_class = SealedAttribute
    data_class: str
    tag: str = ""
    suppression_tag: str = ""

    def __init__(
        self,
        *args: Any,
        tag: str = "",
        suppression_tag: str = "",
        data_class: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.update(null=True, blank=True)
        super().__init__(*args, **kwargs)
        self.tag = tag
        self.suppression_tag = suppression_tag
        if data_class:
            self.data_class = data_class

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        lacking = [
            name for name in ("sealed_label", "uuid", "subject") if not hasattr(self.model, name)
        ]
        if lacking:
            return [checks.Error(f"a sealed field needs {lacking} on its model", obj=self)]
        order = [field.name for field in self.model._meta.concrete_fields]
        if self.name in order[: max(map(order.index, self.tags), default=0)]:
            # A row is filled in this order: a later tag would be set back to its default.
            return [checks.Error(f"declare {self.tags} before {self.name}", obj=self)]
        return super().check(**kwargs)

    # What a value is: subclasses say how it is checked, normalised and written as text.

    def cleaned(self, value: Any) -> T:
        """Return the value as it is kept; raises TypeError or ValueError for another kind.

        A mask is no value: what a form showed is never stored over what it stood for.
        """
        if not isinstance(value, str):
            raise TypeError(f"{self.name} is set to text, not to {type(value).__name__}")
        if masking.is_masked(value):
            raise MaskedValueError(f"{self.name} was given a mask; leave it out to keep the value")
        return value  # type: ignore[return-value]

    def text_of(self, value: T) -> str:
        return str(value)

    def bytes_of(self, values: list[T]) -> list[bytes]:
        return [self.text_of(value).encode() for value in values]

    def mask(self, text: str) -> str:
        return masking.shown(text, self.data_class)

    def value_of(self, text: str) -> T:
        return text  # type: ignore[return-value]

    def values_of(self, texts: list[str | None]) -> list[T | None]:
        return [None if text is None else self.value_of(text) for text in texts]

    def normalised(self, value: T) -> str:
        """Return the form under which equal values have equal tags."""
        raise FieldError(f"{self.name} has no blind index")

    def suppressed_as(self, normalised: str) -> str:
        return normalised

    # Tags ------------------------------------------------------------------------------

    @cached_property
    def column_label(self) -> str:
        return f"{self.model.sealed_label}.{self.name}"  # type: ignore[attr-defined]

    @cached_property
    def tags(self) -> list[str]:
        """The columns that are set together with the value."""
        return [tag for tag in (self.tag, self.suppression_tag) if tag]

    def set_tags(self, row: models.Model, value: T | None) -> None:
        if value is None:
            row.__dict__.update(dict.fromkeys(self.tags))
        elif self.tags:
            normalised = self.normalised(value)
            if self.tag:
                row.__dict__[self.tag] = keys().taggers(self.column_label)[0].tag(normalised)
            if self.suppression_tag:
                tagger = keys().tagger("suppression", self.data_class)
                row.__dict__[self.suppression_tag] = tagger.tag(self.suppressed_as(normalised))

    @cached_property
    def index_columns(self) -> list[str]:
        """The columns whose tags change with the index key."""
        return [self.tag] if self.tag else []

    def index_tags(self, value: T) -> dict[str, bytes]:
        """Return the tags to write, by column."""
        return {self.tag: self.tags_of(value)[0]} if self.tag else {}

    def tags_of(self, value: T) -> list[bytes]:
        """Return the tags under which an equal value is found: the one to write comes first."""
        normalised = self.normalised(value)
        return [tagger.tag(normalised) for tagger in keys().taggers(self.column_label)]

    def holds(self, row: Any, value: Any) -> bool:
        """Whether the row has that very value, and not only its tag (decision 5)."""
        stored = self.plain_of(row)
        return self.normalised(stored) == self.normalised(self.cleaned(value))

    def written_tags(self, values: Iterable[Any]) -> dict[bytes, bytes]:
        """Return, by every tag under which one of the values may stand, the one to write.

        What cannot be a value is left out.
        """
        found = [self.searched_tags(value) for value in values]
        return {tag: tags[0] for tags in found for tag in tags}

    # Sealing and opening ---------------------------------------------------------------

    @property
    def place(self) -> Column:
        return keys().column(self.model.sealed_label, self.name)  # type: ignore[attr-defined]

    def seal_in(self, row: SealedRow) -> Ciphertext:
        """Return the ciphertext of `row`, sealing a value that was only set."""
        value = row.__dict__[self.attname]
        if not isinstance(value, Pending):
            return value if isinstance(value, Ciphertext) else Ciphertext(value)
        subject = row.subject_id.bytes
        generation, cipher = max(keys().ensure([subject])[subject].items())
        sealed = SealedNow(
            self.place.seal(
                cipher,
                self.text_of(value.value).encode(),
                generation=generation,
                bound=in_row(subject, row.uuid.bytes),
            )
        )
        row.__dict__[self.attname] = sealed
        return sealed

    def plain_of(self, row: SealedRow) -> T:
        """Return the plaintext without asking anybody: for masks and for the gate's far side."""
        value = row.__dict__[self.attname]
        if isinstance(value, Pending):
            plain: T = value.value
            return plain
        subject = row.subject_id.bytes
        peers = (peer.bytes for peer in row.__dict__.get("_sealed_peers", ()) if peer)
        ciphers = keys().ciphers(subject, peers)
        bound = in_row(subject, row.uuid.bytes)
        try:
            plaintext = self.place.open(ciphers, value, bound=bound)
        except KeyGoneError:
            plaintext = self._open_again(row, bound)
        return self.value_of(plaintext.decode())

    def _open_again(self, row: SealedRow, bound: bytes) -> bytes:
        """Open a value whose key was rotated since the key, or the row, was read."""
        ciphers = keys().refreshed(row.subject_id.bytes)
        value = row.__dict__[self.attname]
        if generation_of(value) not in ciphers:
            stored = type(row)._base_manager.using(row._state.db).filter(pk=row.pk)
            value = stored.values_list(self.attname, flat=True).first() or value
            row.__dict__[self.attname] = value
        return self.place.open(ciphers, value, bound=bound)

    # Django's side ---------------------------------------------------------------------

    def pre_save(self, model_instance: Any, add: bool) -> Any:  # noqa: FBT001 -- Django's signature
        value = model_instance.__dict__.get(self.attname)
        return self.seal_in(model_instance) if type(value) is Pending else value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if type(value) is SealedNow:  # nearly always: spares three more calls a value
            return value if connection.vendor == "sqlite" else connection.Database.Binary(value)
        return super().get_db_prep_save(value, connection)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.sealed()
        if isinstance(value, str | dt.date):
            raise TypeError(f"{self.name} is sealed per row: set it on rows, then save them")
        return super().get_prep_value(value)

    def from_db_value(self, value: Any, *_: Any) -> Ciphertext | None:
        return None if value is None else Ciphertext(value)

    def to_python(self, value: Any) -> Any:
        # Only fixtures hand text to this method, and theirs is the ciphertext in base64.
        return Ciphertext(b64decode(value)) if isinstance(value, str) else value

    def value_to_string(self, obj: Any) -> str:
        value = obj.__dict__.get(self.attname)
        return "" if value is None else b64encode(self.seal_in(obj)).decode("ascii")

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        return {"exact": TagExact, "in": TagIn}.get(lookup_name) if self.tag else None

    def get_transform(self, lookup_name: str) -> None:
        return None

    def searched_tags(self, value: Any) -> list[bytes]:
        """Return the tags to search; a text that cannot be a value matches nothing."""
        try:
            return self.tags_of(self.cleaned(value))
        except NotAnAddressError:
            return []


class TagExact(Exact):
    """`filter(email="a@b.c")` compares tags, of both index keys while one replaces the other."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        self.others: list[bytes]
        tag, *self.others = lhs.target.searched_tags(rhs) or [b""]
        super().__init__(tag_column(lhs, lhs.target.tag), tag)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if not self.others:
            return super().as_sql(compiler, connection)
        return compiler.compile(In(self.lhs, [self.rhs, *self.others]))


class TagIn(In):
    def __init__(self, lhs: Any, rhs: Iterable[Any]) -> None:
        tags = [tag for value in rhs for tag in lhs.target.searched_tags(value)]
        super().__init__(tag_column(lhs, lhs.target.tag), tags)


def tag_column(lhs: Any, name: str) -> Any:
    return Col(lhs.alias, lhs.target.model._meta.get_field(name))
