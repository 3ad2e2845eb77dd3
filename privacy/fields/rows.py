"""Rows with sealed fields: tags kept beside values, keys fetched for many, plaintext refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.core import checks
from django.core.exceptions import FieldError
from django.db import models, transaction
from django.db.models.expressions import F, OrderBy
from django.db.models.query import ModelIterable

from privacy.crypto.envelope import in_rows
from privacy.fields import twins
from privacy.fields.base import SealedField
from privacy.fields.clear import ClearClass, unclassified
from privacy.sealed import FOUND_FOR, Ciphertext, Pending, SealedNow, keys

if TYPE_CHECKING:
    from uuid import UUID

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

M = TypeVar("M", bound=models.Model)


def sealed_fields(model: type[models.Model]) -> list[SealedField[Any]]:
    return [field for field in model._meta.concrete_fields if isinstance(field, SealedField)]


def sealed_field(model: type[models.Model], name: str) -> SealedField[Any]:
    return next(field for field in sealed_fields(model) if field.name == name)


def with_tags(model: type[models.Model], names: Iterable[str]) -> list[str]:
    """Return `names` and the tag columns of the sealed ones: they change together."""
    wanted = list(dict.fromkeys(names))
    for field in sealed_fields(model):
        if field.name in wanted:
            wanted += field.tags
    return list(dict.fromkeys(wanted))


def seal_all(rows: Sequence[Any], fields: Sequence[SealedField[Any]]) -> None:
    """Seal every value that was only set; subjects without a key get theirs first."""
    names = [field.attname for field in fields]
    waiting = [row for row in rows if _waits(row.__dict__, names)]
    subjects = [(row.__dict__.get("subject_id") or row.subject_id).bytes for row in waiting]
    ciphers = keys().ensure(subjects, likely_new=bool(waiting) and waiting[0]._state.adding)
    newest = [_newest(ciphers[subject]) for subject in subjects]
    bounds = in_rows(subjects, [row.uuid.bytes for row in waiting])
    written = [row.__dict__ for row in waiting]
    for field in fields:
        name = field.attname
        there = [type(values.get(name)) is Pending for values in written]
        rows_of, keys_of, bounds_of = written, newest, bounds
        if not all(there):
            rows_of, keys_of, bounds_of = (
                list(compress(all_of, there)) for all_of in (written, newest, bounds)
            )
        texts = field.bytes_of([values[name].value for values in rows_of])
        sealed = field.place.seal_many(keys_of, texts, bounds_of)
        for values, value in zip(rows_of, sealed, strict=True):
            values[name] = SealedNow(value)


def _waits(values: Mapping[str, Any], names: Sequence[str]) -> bool:
    for name in names:  # a generator would cost as much as all the rest of it  # noqa: SIM110
        if type(values.get(name)) is Pending:
            return True
    return False


def _newest(ciphers: dict[int, AESGCM]) -> tuple[int, AESGCM]:
    """Return the newest key with its generation; nearly always there is but one."""
    if len(ciphers) == 1:
        return next(iter(ciphers.items()))
    return max(ciphers.items())


class SealedQuerySet(models.QuerySet[M]):
    """Keeps tags beside their values, fetches keys for all rows at once, refuses plaintext.

    `found_for` is the purpose whose condition on people is part of the query. What a query may
    only make narrower keeps it, and every row that it reads; what may let others in loses it.
    """

    found_for: str = ""

    def update(self, **kwargs: Any) -> int:
        for field in sealed_fields(self.model):
            if kwargs.get(field.name, self) is None:
                kwargs |= dict.fromkeys(field.tags)
        return super().update(**kwargs)

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        rows = list(objs)
        with twins.refused(self.model, rows, using=self.db):
            seal_all(rows, sealed_fields(self.model))
            return super().bulk_create(rows, *args, **kwargs)

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update those fields; a sealed value that was not set anew is left as it stands.

        What stands may have been sealed with another key since the row was read.
        """
        names = list(fields)
        sealed = [field for field in sealed_fields(self.model) if field.name in names]
        groups: dict[tuple[str, ...], list[M]] = {}
        for row in objs:
            kept = {field.name for field in sealed if is_as_read(row, field)}
            groups.setdefault(tuple(name for name in names if name not in kept), []).append(row)
        n_updated = 0
        with transaction.atomic(using=self.db):
            for changed, rows in groups.items():
                if changed:
                    with twins.refused(self.model, rows, using=self.db):
                        seal_all(rows, sealed)
                        n_updated += super().bulk_update(
                            rows, with_tags(self.model, changed), batch_size
                        )
        return n_updated

    def order_by(self, *field_names: Any) -> Any:
        sealed = {field.name for field in sealed_fields(self.model)}
        if meant := sealed & {ordered_name(name) for name in field_names}:
            raise FieldError(f"{sorted(meant)} are sealed: their order means nothing")
        return super().order_by(*field_names)

    def _clone(self) -> Any:
        clone = super()._clone()  # type: ignore[misc]
        clone.found_for = self.found_for
        return clone

    def _only_for_both(self, other: Any, combined: Any) -> Any:
        if combined is not self and combined is not other:  # either, where the other has no row
            combined.found_for = self.found_for if self.found_for == other.found_for else ""
        return combined

    def __or__(self, other: Any) -> Any:
        return self._only_for_both(other, super().__or__(other))

    def __xor__(self, other: Any) -> Any:
        return self._only_for_both(other, super().__xor__(other))

    def _combinator_query(self, *args: Any, **kwargs: Any) -> Any:
        clone = super()._combinator_query(*args, **kwargs)  # type: ignore[misc]
        clone.found_for = ""
        return clone

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()
        if fresh and self._result_cache and issubclass(self._iterable_class, ModelIterable):
            peers: list[UUID | None] = []
            for row in self._result_cache:
                values = row.__dict__
                peers.append(values.get("subject_id"))
                values["_sealed_peers"] = peers
                if self.found_for:
                    values[FOUND_FOR] = self.found_for


def ordered_name(term: Any) -> str:
    if isinstance(term, OrderBy):
        term = term.expression
    return str(term.name if isinstance(term, F) else term).lstrip("-")  # type: ignore[attr-defined]


def is_as_read(row: models.Model, field: SealedField[Any]) -> bool:
    return type(row.__dict__.get(field.attname)) is Ciphertext


class SealedModel(models.Model):
    """A model with sealed fields; `sealed_label` goes into every value and never changes.

    `clear_classes` says of each column in clear what of a person it tells.
    """

    sealed_label: ClassVar[str]
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {}

    class Meta:
        abstract = True

    def __getstate__(self) -> dict[str, Any]:
        left_out = {"_sealed_peers", FOUND_FOR}
        return {k: v for k, v in super().__getstate__().items() if k not in left_out}

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save the row; sealed values that were only read are not written back.

        They may have been sealed with another key since.
        """
        if update_fields is not None:
            update_fields = with_tags(type(self), update_fields)
        elif not self._state.adding and not kwargs.get("force_insert"):
            update_fields = self._changeable()
        with twins.refused(type(self), [self], using=kwargs.get("using") or self._state.db):
            super().save(*args, update_fields=update_fields, **kwargs)
        for field in sealed_fields(type(self)):
            value = self.__dict__.get(field.attname)
            if type(value) is SealedNow and (update_fields is None or field.name in update_fields):
                self.__dict__[field.attname] = Ciphertext(value)

    @classmethod
    def check(cls, **kwargs: Any) -> list[checks.CheckMessage]:
        sealed = {field.name for field in sealed_fields(cls)}
        meant = sealed & {ordered_name(term) for term in cls._meta.ordering or ()}
        found = [*super().check(**kwargs), *unclassified(cls)]
        if not meant:
            return found
        text = f"{sorted(meant)} are sealed: their order means nothing"
        return [*found, checks.Error(text, obj=cls, id="privacy.E001")]

    def _changeable(self) -> list[str] | None:
        """Return all loaded columns but the sealed ones as they were read, and their tags."""
        kept = [field for field in sealed_fields(type(self)) if is_as_read(self, field)]
        if not kept:
            return None
        left_out = {field.name for field in kept} | {tag for field in kept for tag in field.tags}
        return [
            field.name
            for field in self._meta.concrete_fields
            if not field.primary_key
            and field.name not in left_out
            and field.attname in self.__dict__
        ]
