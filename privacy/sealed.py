"""The handle a sealed field gives: it shows a mask and opens only under a purpose."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

from privacy import masking
from privacy.crypto.envelope import SealedIntegrityError

if TYPE_CHECKING:
    from uuid import UUID

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from django.db.models import Model

    from privacy.crypto.blind_index import Tagger
    from privacy.crypto.envelope import Column
    from privacy.fields import SealedField

    class SealedRow(Model):  # noqa: DJ008 -- a name for types, no table
        """What a model with sealed fields has: ids to bind to, and a label that never changes."""

        uuid: UUID
        subject_id: UUID
        sealed_label: str


log = logging.getLogger(__name__)
FOUND_FOR = "_found_for"
T = TypeVar("T")


class Keys(Protocol):
    """Where keys come from; the keystore implements it. Subjects are the bytes of their uuids."""

    def column(self, label: str, field: str) -> Column:
        """Return where the values of a field are sealed in this installation."""

    def taggers(self, name: str) -> Sequence[Tagger]:
        """Return what tags the column of that name: the one to write, then others to look up."""

    def tagger(self, use: str, name: str) -> Tagger:
        """Return what makes tags that are never made anew; `use` as `suppression`."""

    def index_key(self, use: str, name: str) -> bytes:
        """Return the key of that tagger."""

    def ciphers(self, subject: bytes, peers: Iterable[bytes] = ()) -> dict[int, AESGCM]:
        """Return a subject's ciphers by generation; `peers` are likely to be asked for next."""

    def refreshed(self, subject: bytes) -> dict[int, AESGCM]:
        """Return the ciphers as they stand now, after one was missing."""

    def many(self, subjects: Sequence[bytes]) -> dict[bytes, dict[int, AESGCM]]: ...

    def refreshed_many(self, subjects: Sequence[bytes]) -> dict[bytes, dict[int, AESGCM]]: ...

    def ensure(
        self, subjects: Sequence[bytes], *, likely_new: bool = False
    ) -> dict[bytes, dict[int, AESGCM]]:
        """Return the ciphers of each subject; who has no key gets one, committed first."""


class Gate(Protocol):
    """Who may open what; the purposes implement it."""

    def admit(
        self,
        data_classes: Iterable[str],
        *,
        subjects: Sequence[bytes],
        fields: Sequence[str],
        found_for: str = "",
        purpose: str = "",
    ) -> None:
        """Audit the opening about to happen, or raise PurposeDeniedError.

        `found_for` names the purpose that the rows were found for, `purpose` the one the
        caller means to open them for, if it says.
        """


class NotReadyError(RuntimeError):
    """Sealed fields are used before the keystore was registered."""


_doors: dict[str, Any] = {}


def register(*, keys: Keys, gate: Gate) -> None:
    _doors.update(keys=keys, gate=gate)


def keys() -> Keys:
    try:
        found: Keys = _doors["keys"]
    except KeyError:
        raise NotReadyError("sealed fields need the app `privacy` to be ready") from None
    return found


def gate() -> Gate:
    if "gate" not in _doors:
        raise NotReadyError("sealed fields need the app `privacy` to be ready")
    found: Gate = _doors["gate"]
    return found


class Ciphertext(bytes):
    """Sealed bytes as stored; printing them shows nothing."""

    __slots__ = ()

    def __str__(self) -> str:
        return "<sealed>"

    __repr__ = __str__


class SealedNow(Ciphertext):
    """A ciphertext that this row made and has not stored yet."""

    __slots__ = ()


class Pending(Generic[T]):
    """A plaintext that waits in a row for its save; it shows nothing and travels nowhere."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<to be sealed>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a value that waits to be sealed cannot be pickled or copied; save it")


class Sealed(Generic[T]):
    """A sealed value of one row.

    Every way to print it gives the mask; JSON, pickle and copy refuse; `reveal()` opens it.
    """

    __slots__ = ("_field", "_row")

    def __init__(self, field: SealedField[T], row: SealedRow) -> None:
        self._field = field
        self._row = row

    def reveal(self) -> T:
        """Return the plaintext, audited first.

        Raises PurposeDeniedError without an open purpose that covers the field and, where the
        purpose reaches only some people, the person (see `for_purpose`); and
        SealedIntegrityError if the value was moved or altered.
        """
        gate().admit(
            [self._field.data_class],
            subjects=[self._row.subject_id.bytes],
            fields=[self._field.column_label],
            found_for=self._row.__dict__.get(FOUND_FOR, ""),
        )
        return self._field.plain_of(self._row)

    @property
    def mask(self) -> str:
        """What is shown of the value; of one that does not open, that it is damaged."""
        try:
            plain = self._field.plain_of(self._row)
        except SealedIntegrityError as error:
            log.warning("%s", error, extra={"subject": str(self._row.subject_id)})
            return masking.damaged()
        return self._field.mask(self._field.text_of(plain))

    def belongs_to(self, row: Model) -> bool:
        return row is self._row or row == self._row

    def stored(self) -> Any:
        return self._row.__dict__[self._field.attname]

    def sealed(self) -> bytes:
        """Return the ciphertext; a value that was only set is sealed now."""
        return self._field.seal_in(self._row)

    def __str__(self) -> str:
        return self.mask

    def __repr__(self) -> str:
        return f"<sealed {self.mask}>"

    def __format__(self, spec: str) -> str:
        return format(self.mask, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a sealed value cannot be pickled or copied; pass the row's id")
