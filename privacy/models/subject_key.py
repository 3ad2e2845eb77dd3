from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Keyring(models.Model):
    """The one row that says whose keys the keystore holds.

    The installation's id goes into every sealed value, so none opens in another installation.
    """

    installation = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        verbose_name = _("keyring")
        verbose_name_plural = _("keyrings")
        constraints = [
            models.CheckConstraint(name="keyring_is_the_only_row", condition=models.Q(pk=1))
        ]

    def __str__(self) -> str:
        return str(self.installation)


class RootKey(models.Model):
    """A random key of one use, wrapped by the key provider; keys of that use derive from it.

    Of key-encryption keys the version is the epoch, and the newest wraps. Of index keys all
    that stand here are looked up, and the newest `is_written` one tags what is written.
    """

    class Use(models.TextChoices):
        KEK = "kek", _("Subjects' keys")
        INDEX = "index", _("Blind indexes")
        SUPPRESSION = "suppression", _("Suppressed addresses")
        AUDIT = "audit", _("Audit signing")
        TRACKING = "tracking", _("Tracking tokens")
        OTHER = "other", _("Pseudonyms and secrets of sources")

    use = models.CharField(_("use"), max_length=11, choices=Use.choices)
    version = models.PositiveSmallIntegerField(_("version"), default=1)
    wrapped = models.BinaryField(_("wrapped key"))
    is_written = models.BooleanField(_("used for writing"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("root key")
        verbose_name_plural = _("root keys")
        constraints = [
            models.UniqueConstraint(name="root_key_one_per_version", fields=["use", "version"])
        ]

    def __str__(self) -> str:
        return f"{self.use} {self.version}"


class SubjectKey(models.Model):
    """The wrapped data key of one subject, in the keystore; destroying it shreds the person."""

    subject_uuid = models.UUIDField(_("subject"))
    generation = models.PositiveSmallIntegerField(_("generation"), default=1)
    epoch = models.PositiveSmallIntegerField(_("key epoch"))
    wrapped = models.BinaryField(_("wrapped key"), max_length=62)

    class Meta:
        verbose_name = _("subject key")
        verbose_name_plural = _("subject keys")
        constraints = [
            models.UniqueConstraint(
                name="subject_key_one_per_generation", fields=["subject_uuid", "generation"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject_uuid} generation {self.generation}"
