from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from privacy import purposes
from privacy.fields import (
    ClearClass,
    SealedDateField,
    SealedEmailField,
    SealedModel,
    SealedPhoneField,
    SealedQuerySet,
    SealedTextField,
    TagField,
)
from privacy.models import Suppression

ADDRESS_TAGS = {"email": "email_suppression_tag", "sms": "phone_suppression_tag"}


class CustomerQuerySet(SealedQuerySet["Customer"]):
    """Which customers; `for_purpose` is the door every use of them goes through."""

    def for_purpose(self, name: str, *, channel: str | None = None) -> CustomerQuerySet:
        """Customers the purpose may use, who can be reached on its channel.

        `channel` may be left out where the purpose has one. Out are the erased, restricted,
        objecting, those without consent in force where it is needed, and on a channel with
        addresses those who have none or a suppressed one; what is no advertising goes to
        addresses that only refused advertising. Raises UnknownPurposeError, and
        ValueError for a channel the purpose does not use.
        """
        allowed = self.filter(purposes.may_use(name, channel=channel))
        channel = purposes.find(name).channel(channel)
        allowed.found_for = name
        if (tag := ADDRESS_TAGS.get(channel or "")) is None:
            return allowed
        suppressed = Suppression.objects.filter(channel=channel, address_tag=OuterRef(tag))
        if not purposes.find(name).is_marketing:
            dead = [Suppression.Reason.BOUNCED, Suppression.Reason.ERASED]
            suppressed = suppressed.filter(reason__in=dead)
        return allowed.filter(~Exists(suppressed), **{f"{tag}__isnull": False})


class Customer(SealedModel):
    """A person who buys, known by the shop's own id; personal fields are sealed.

    `subject_id` is the subject's uuid. An e-mail belongs to one customer; a telephone may be
    a household's. `imported_digest` is keyed and tells an unchanged row of a repeated import.
    """

    sealed_label: ClassVar[str] = "customer"
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {
        "external_id": ClearClass.PSEUDONYM,
        "locale": ClearClass.LANGUAGE,
        "country": ClearClass.PLACE,
        "time_zone": ClearClass.PLACE,
        "city": ClearClass.PLACE,
        "birth_year": ClearClass.AGE,
        "gender": ClearClass.GENDER,
        "occupation": ClearClass.OCCUPATION,
        "imported_digest": ClearClass.TECHNICAL,
    }

    class Gender(models.TextChoices):
        FEMALE = "female", _("Female")
        MALE = "male", _("Male")
        OTHER = "other", _("Other")
        UNKNOWN = "", _("Unknown")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.OneToOneField(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+", editable=False
    )
    external_id = models.CharField(_("customer id"), max_length=100, unique=True)
    email_tag = TagField()
    email_suppression_tag = TagField()
    phone_tag = TagField()
    phone_suppression_tag = TagField()
    phone_last_four_tag = TagField()
    email = SealedEmailField(_("e-mail"), tag="email_tag", suppression_tag="email_suppression_tag")
    phone = SealedPhoneField(
        _("phone"),
        tag="phone_tag",
        suppression_tag="phone_suppression_tag",
        last_four_tag="phone_last_four_tag",
    )
    full_name = SealedTextField(_("name"), data_class="name")
    birth_date = SealedDateField(_("birth date"))
    locale = models.CharField(_("locale"), max_length=12, blank=True)
    country = models.CharField(_("country"), max_length=60, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    birth_year = models.PositiveSmallIntegerField(_("birth year"), null=True, blank=True)
    gender = models.CharField(_("gender"), max_length=6, choices=Gender.choices, blank=True)
    occupation = models.CharField(_("occupation"), max_length=60, blank=True)
    imported_digest = models.BinaryField(max_length=16, null=True, editable=False)
    created_at = models.DateTimeField(_("created at"))

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [
            models.UniqueConstraint(
                name="customer_email_once",
                fields=["email_tag"],
                violation_error_message=_("Another customer has this e-mail address."),
            )
        ]
        indexes = [
            models.Index(fields=["phone_tag"], name="customer_by_phone"),
            models.Index(fields=["phone_last_four_tag"], name="customer_by_last_four"),
            # Whose is an address that was suppressed?
            models.Index(fields=["email_suppression_tag"], name="customer_by_email_suppressed"),
            models.Index(fields=["phone_suppression_tag"], name="customer_by_phone_suppressed"),
        ]

    def __str__(self) -> str:
        return self.external_id
