from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffManager(BaseUserManager["Staff"]):
    def create_user(
        self, username: str, email: str = "", password: str | None = None, **facts: Any
    ) -> Staff:
        """Create an account; without a password nobody can sign in to it yet."""
        staff: Staff = self.model(
            username=self.model.normalize_username(username),
            email=self.normalize_email(email),
            **facts,
        )
        staff.set_password(password)
        staff.save(using=self._db)
        return staff

    def create_superuser(
        self, username: str, email: str = "", password: str | None = None, **facts: Any
    ) -> Staff:
        """Create an administrator; the name is the one Django's command calls."""
        return self.create_user(
            username, email, password, **facts | {"role": Staff.Role.ADMINISTRATOR}
        )


class Staff(AbstractUser):
    """A person with an account. What the account may do follows from its role alone."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("Viewer")
        MARKETER = "marketer", _("Marketer")
        APPROVER = "approver", _("Approver")
        SUPPORT = "support", _("Support")
        PRIVACY_OFFICER = "privacy_officer", _("Privacy officer")
        ADMINISTRATOR = "administrator", _("Administrator")

    # Columns of Django's user that would be a second truth beside the role.
    groups = None  # type: ignore[assignment]
    user_permissions = None  # type: ignore[assignment]

    role = models.CharField(_("role"), max_length=15, choices=Role.choices, default=Role.VIEWER)
    language = models.CharField(_("language"), max_length=7, blank=True)
    checklist_hidden_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = StaffManager()  # type: ignore[misc,assignment]

    class Meta:
        verbose_name = _("staff account")
        verbose_name_plural = _("staff")

    @property
    def is_staff(self) -> bool:  # type: ignore[override]
        return self.is_active

    @property
    def is_superuser(self) -> bool:  # type: ignore[override]
        return self.is_active and self.role == self.Role.ADMINISTRATOR
