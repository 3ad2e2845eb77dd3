"""Keys of subjects: wrapped in the keystore's database, unwrapped in a bounded cache.

What a process holds unwrapped is bounded in number and time (`KEY_CACHE_SECONDS`), and goes at
once on a fork, on an erasure and at the end of a task. Rotation counts on the bound: once it
has gone by twice, nobody seals with what was replaced.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from privacy import subject_keys
from privacy.crypto import envelope
from privacy.crypto.blind_index import Tagger
from privacy.crypto.cache import BoundedCache
from privacy.models import RootKey, SubjectKey
from privacy.providers import KeyUnavailableError
from privacy.root_keys import PATIENCE_SECONDS, Ring, RootKeys, patiently

log = logging.getLogger(__name__)
Ciphers = dict[int, AESGCM]
CACHED_SUBJECTS = 10_000
FIRST_GENERATION = 1


class Keystore:
    """The keys of this installation, in this process."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self.forget()

    def forget(self) -> None:
        """Drop every unwrapped key: after a fork, and between tests."""
        self._roots = RootKeys(patience_seconds=self._patience)
        self._subjects: BoundedCache[Ciphers] = BoundedCache(
            entries=CACHED_SUBJECTS, seconds=settings.KEY_CACHE_SECONDS
        )
        self._made_of: Ring | None = None
        self._columns: dict[tuple[str, str], envelope.Column] = {}
        self._taggers: dict[str, tuple[Tagger, ...]] = {}
        self._fixed: dict[tuple[str, str], Tagger] = {}
        self._keys: dict[tuple[str, str], bytes] = {}
        self._wrappings: dict[int, envelope.Wrapping] = {}

    def forget_subjects(self) -> None:
        """Drop the unwrapped keys of people: at the end of a task."""
        self._subjects.clear()

    # Keys of the installation ------------------------------------------------------------

    def installation(self) -> bytes:
        return self.ring().installation

    def ring(self) -> Ring:
        """Return the root keys in force; what was derived from earlier ones is forgotten."""
        ring = self._roots.ring()
        if ring is not self._made_of:
            self._made_of = ring
            self._columns, self._taggers, self._wrappings = {}, {}, {}
        return ring

    def reread(self) -> None:
        """Have the root keys read again at their next use."""
        self._roots.expire()

    def column(self, label: str, field: str) -> envelope.Column:
        found = self._columns.get((label, field))
        if found is None:
            found = envelope.Column(self.installation(), label, field)
            self._columns[label, field] = found
        return found

    def taggers(self, name: str) -> tuple[Tagger, ...]:
        """Return what tags a column: the one that is written, then others still looked up."""
        ring = self.ring()
        found = self._taggers.get(name)
        if found is None:
            versions = ring.versions(RootKey.Use.INDEX)
            found = tuple(
                Tagger(ring.derive(RootKey.Use.INDEX, name, version=version))
                for version in versions
            )
            self._taggers[name] = found
        return found

    def tagger(self, use: str, name: str) -> Tagger:
        """Return what makes the tags of `index_key`."""
        found = self._fixed.get((use, name))
        if found is None:
            found = self._fixed[use, name] = Tagger(self.index_key(use, name))
        return found

    def index_key(self, use: str, name: str) -> bytes:
        """Return a key that is never replaced, such as that of suppressed addresses' tags."""
        found = self._keys.get((use, name))
        if found is None:
            found = self._keys[use, name] = self.root(use, name)
        return found

    def root(self, *path: str) -> bytes:
        """Return the key of a use, such as `("audit",)`; uses without a root share `other`."""
        use, *rest = path
        if use in RootKey.Use.values:
            return self.ring().derive(use, *rest)
        return self.ring().derive(RootKey.Use.OTHER, *path)

    def audit_signer(self) -> Ed25519PrivateKey:
        """Return the key that signs checkpoints of the audit chain, and certificates."""
        return Ed25519PrivateKey.from_private_bytes(self.root(RootKey.Use.AUDIT))

    def wrapping(self, epoch: int) -> envelope.Wrapping:
        """Return what wraps subjects' keys in that epoch."""
        found = self._wrappings.get(epoch)
        if found is None:
            ring = self.ring()
            if (RootKey.Use.KEK, epoch) not in ring.roots:  # begun a moment ago, elsewhere
                self._roots.expire()
                ring = self.ring()
            kek = ring.derive(RootKey.Use.KEK, version=epoch)
            found = envelope.Wrapping(kek, installation=ring.installation, epoch=epoch)
            self._wrappings[epoch] = found
        return found

    # Keys of subjects --------------------------------------------------------------------

    def ciphers(self, subject: bytes, peers: Iterable[bytes] = ()) -> Ciphers:
        found = self._subjects.get(subject)
        if found is None:
            wanted = dict.fromkeys([subject, *peers])
            found = self.many(list(wanted)[:CACHED_SUBJECTS]).get(subject, {})
        return found

    def refreshed(self, subject: bytes) -> Ciphers:
        """Return the ciphers as they stand now: a key may have been rotated a moment ago."""
        return self.refreshed_many([subject]).get(subject, {})

    def refreshed_many(self, subjects: Sequence[bytes]) -> dict[bytes, Ciphers]:
        self._subjects.drop(subjects)
        return self.many(subjects)

    def many(self, subjects: Sequence[bytes]) -> dict[bytes, Ciphers]:
        """Return the ciphers of each subject that has keys, by generation.

        Of damaged keys there is none: who has only such is given without any.
        """
        found = self._subjects.get_many(subjects)
        if len(found) == len(subjects):
            return found
        lacking = [subject for subject in subjects if subject not in found]
        fresh: dict[bytes, Ciphers] = {}
        for start in range(0, len(lacking), subject_keys.BATCH):
            self._unwrap(lacking[start : start + subject_keys.BATCH], into=fresh)
        self._subjects.put(fresh)
        return found | fresh

    def create(self, subjects: Iterable[UUID]) -> None:
        """Give a key to each subject without one; committed before this returns."""
        self.ensure([subject.bytes for subject in subjects])

    def ensure(
        self, subjects: Sequence[bytes], *, likely_new: bool = False
    ) -> dict[bytes, Ciphers]:
        """Return the ciphers of each subject; who has no key gets one, committed first.

        With `likely_new` keys are offered without asking for stored ones, which win all the same.
        """
        there = self._subjects.get_many(subjects) if likely_new else self.many(subjects)
        lacking = [subject for subject in dict.fromkeys(subjects) if subject not in there]
        for start in range(0, len(lacking), subject_keys.BATCH):
            there |= self._create(lacking[start : start + subject_keys.BATCH])
        if not all(there.values()):
            damaged = ", ".join(str(UUID(bytes=uuid)) for uuid, found in there.items() if not found)
            raise KeyUnavailableError(
                f"the keys of these persons are damaged: {damaged}; restore the keystore from its "
                "backup; nothing was written meanwhile"
            )
        return there

    def _create(self, lacking: Sequence[bytes]) -> dict[bytes, Ciphers]:
        keys = dict(zip(lacking, envelope.new_keys(len(lacking)), strict=True))
        rows = self.wrapped(keys, generation=FIRST_GENERATION)
        if patiently(lambda: subject_keys.insert(rows), seconds=self._patience) < len(rows):
            return self.many(lacking)  # another process made some of them: theirs are the stored
        made = {subject: {FIRST_GENERATION: AESGCM(key)} for subject, key in keys.items()}
        self._subjects.put(made)
        return made

    def wrapped(self, keys: dict[bytes, bytes], *, generation: int) -> list[subject_keys.Row]:
        """Return the rows that keep those keys, wrapped in the newest epoch."""
        epoch = self.ring().written[RootKey.Use.KEK]
        wrapped = self.wrapping(epoch).wrap_many(keys, generation=generation)
        return [
            (subject, generation, epoch, key) for subject, key in zip(keys, wrapped, strict=True)
        ]

    def destroy(self, subjects: Iterable[bytes]) -> int:
        """Destroy the keys of those subjects for good; return how many there were.

        Other processes hold theirs for `KEY_CACHE_SECONDS` at most.
        """
        wanted = list(subjects)
        n_destroyed = subject_keys.delete(wanted)
        self._subjects.drop(wanted)
        return n_destroyed

    def _unwrap(self, subjects: Sequence[bytes], *, into: dict[bytes, Ciphers]) -> None:
        rows = patiently(lambda: subject_keys.fetch(subjects), seconds=self._patience)
        for subject, generation, epoch, wrapped in rows:
            mine = into.setdefault(subject, {})
            try:
                key = self.wrapping(epoch).unwrap(wrapped, subject=subject, generation=generation)
            except envelope.SealedIntegrityError as error:
                log.error("%s", error, extra={"subject": str(UUID(bytes=subject))})
            else:
                mine[generation] = AESGCM(key)

    def n_damaged(self) -> int:
        """Return how many persons' keys do not open; it unwraps every one."""
        found = SubjectKey.objects.order_by("pk")
        columns = found.values_list("subject_uuid", "generation", "epoch", "wrapped")
        return sum(not self._opens(*row) for row in columns.iterator(subject_keys.BATCH))

    def _opens(
        self, subject: UUID, generation: int, epoch: int, wrapped: bytes | memoryview[int]
    ) -> bool:
        wrapping = self.wrapping(epoch)
        try:
            wrapping.unwrap(bytes(wrapped), subject=subject.bytes, generation=generation)
        except envelope.SealedIntegrityError:
            return False
        return True


keystore = Keystore()
os.register_at_fork(after_in_child=keystore.forget)
