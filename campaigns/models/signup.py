from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.fields import (
    ClearClass,
    SealedEmailField,
    SealedModel,
    SealedPhoneField,
    SealedQuerySet,
    SealedTextField,
    TagField,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class SignUpForm(models.Model):
    """A public form on which people ask for the shop's news; `key` stands in its address.

    `asks` are the fields beside the e-mail address; `origins` the sites that may frame it.
    """

    class Asked(models.TextChoices):
        NAME = "full_name", _("Name")
        PHONE = "phone", _("Telephone")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    key = models.SlugField(
        _("key"), max_length=40, unique=True, help_text=_("It stands in the form's address.")
    )
    name = models.CharField(_("name"), max_length=100)
    is_open = models.BooleanField(
        _("open"), default=True, help_text=_("A closed form says so and takes nobody on.")
    )
    asks = models.JSONField(_("also asks for"), default=list, blank=True)
    topics = models.ManyToManyField(
        "privacy.Topic", related_name="+", blank=True, verbose_name=_("topics to choose from")
    )
    origins = models.JSONField(_("sites that may show it"), default=list, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("sign-up form")
        verbose_name_plural = _("sign-up forms")

    def __str__(self) -> str:
        return self.name


class SignUpText(models.Model):
    """A form in one language; `consent` is what people agree to, word for word."""

    form = models.ForeignKey("campaigns.SignUpForm", models.CASCADE, related_name="texts")
    locale = models.CharField(_("language"), max_length=12)
    title = models.CharField(_("title"), max_length=100)
    intro = models.TextField(_("introduction"), blank=True, max_length=600)
    consent = models.TextField(
        _("what people agree to"),
        max_length=1000,
        help_text=_("Who writes, about what, how often, and that it can be ended at any time."),
    )
    button = models.CharField(_("button"), max_length=40)

    class Meta:
        verbose_name = _("language of a form")
        verbose_name_plural = _("languages of a form")
        constraints = [
            models.UniqueConstraint(name="signup_text_once_a_language", fields=["form", "locale"])
        ]

    def __str__(self) -> str:
        return f"{self.form_id} {self.locale}"


class SignUpWording(models.Model):
    """One version of what a form had people agree to in one language; never changed."""

    form = models.ForeignKey("campaigns.SignUpForm", models.CASCADE, related_name="wordings")
    locale = models.CharField(_("language"), max_length=12)
    version = models.PositiveIntegerField(_("version"))
    text = models.TextField(_("what people agree to"))
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("wording of a form")
        verbose_name_plural = _("wordings of a form")
        constraints = [
            models.UniqueConstraint(
                name="signup_wording_once", fields=["form", "locale", "version"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.form_id} {self.locale} {self.version}"


class SignUpQuerySet(SealedQuerySet["SignUp"]):
    """Its rows; what people typed opens only under the purpose `signup.confirm`."""


class SignUp(SealedModel):
    """Somebody asked for news on a form; it counts once the address's owner confirms it.

    What was typed is sealed under a key of its own (`subject`) and emptied by the confirmation,
    which says whom it is `about`.
    """

    sealed_label: ClassVar[str] = "sign_up"
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {
        "locale": ClearClass.LANGUAGE,
        "letter": ClearClass.TECHNICAL,
        "topics": ClearClass.TECHNICAL,
    }

    class Letter(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        KEPT_BACK = "kept_back", _("Kept back: the shop keeps this address off")
        FAILED = "failed", _("Failed")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.OneToOneField(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+", editable=False
    )
    about = models.ForeignKey(
        "privacy.Subject",
        models.CASCADE,
        to_field="uuid",
        null=True,
        blank=True,
        related_name="+",
        editable=False,
    )
    form = models.ForeignKey("campaigns.SignUpForm", models.CASCADE, related_name="sign_ups")
    wording = models.ForeignKey("campaigns.SignUpWording", models.CASCADE, related_name="sign_ups")
    topics = models.JSONField(_("topics"), default=list, blank=True)
    locale = models.CharField(_("language"), max_length=12)
    email_tag = TagField()
    address_tag = TagField()
    email = SealedEmailField(_("e-mail"), tag="email_tag", suppression_tag="address_tag")
    full_name = SealedTextField(_("name"), data_class="name")
    phone = SealedPhoneField(_("telephone"))
    letter = models.CharField(
        _("letter"), max_length=9, choices=Letter.choices, default=Letter.WAITING
    )
    asked_at = models.DateTimeField(_("asked at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)

    objects = SignUpQuerySet.as_manager()

    class Meta:
        verbose_name = _("sign-up")
        verbose_name_plural = _("sign-ups")
        indexes = [models.Index(fields=["asked_at"], name="signup_by_time")]

    def __str__(self) -> str:
        return str(self.uuid)
