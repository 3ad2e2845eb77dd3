"""What each role may do: permissions follow from `Staff.role`, so there is nothing to sync."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth.backends import ModelBackend

from privacy.models import Staff

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser
    from django.db.models import Model

REVEAL = "profiles.reveal_customer"
APPROVE = "campaigns.approve_campaign"
RETRY = "jobs.retry_job"

_LOOKING = (
    "campaigns.view_*",
    "recommendations.view_*",
    "profiles.view_*",
    "jobs.view_*",
    "privacy.view_shop",
    "privacy.view_source",
    "privacy.view_topic",
)

# Patterns of `app.action_model`; the later rows of a role never take away.
GRANTS: dict[str, tuple[str, ...]] = {
    Staff.Role.VIEWER: _LOOKING,
    Staff.Role.MARKETER: (
        *_LOOKING,
        "campaigns.add_*",
        "campaigns.change_*",
        "campaigns.delete_*",
        "campaigns.send_*",
        "campaigns.pause_*",
        "privacy.*_topic",
        "profiles.*_segment",
        "profiles.*_upload",
        "profiles.change_scorerun",
        "profiles.*_customtrait",
        "recommendations.change_*",
        "recommendations.*_scenario",
        "recommendations.*_feed",
        RETRY,
    ),
    Staff.Role.APPROVER: (*_LOOKING, APPROVE, "campaigns.pause_*"),
    Staff.Role.SUPPORT: (*_LOOKING, REVEAL, "profiles.change_customer"),
    Staff.Role.PRIVACY_OFFICER: (
        *_LOOKING,
        REVEAL,
        "privacy.view_*",
        "privacy.change_subject",
        "privacy.handle_request",
        "privacy.erase_subject",
        "privacy.download_export",
        "privacy.*_recipient",
        "privacy.*_retentionperiod",
        "privacy.add_consententry",
        "privacy.add_suppression",
        "privacy.delete_suppression",
        "privacy.change_purposerecord",
        "privacy.add_userule",
        "privacy.change_userule",
        "profiles.change_customer",
        "profiles.delete_customer",
        "profiles.accept_scorerun",
        "campaigns.pause_*",
    ),
    Staff.Role.ADMINISTRATOR: ("*",),
}


@lru_cache(maxsize=4096)
def allows(role: str, permission: str) -> bool:
    """Whether accounts of `role` have `permission` (`app.action_model`); unknown roles nothing."""
    return any(fnmatchcase(permission, pattern) for pattern in GRANTS.get(role, ()))


def permissions_of(role: str) -> set[str]:
    """Return every permission of the installed models that the role has."""
    declared = {
        f"{model._meta.app_label}.{codename}"
        for model in apps.get_models()
        for codename in (
            *(f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions),
            *(codename for codename, _name in model._meta.permissions),
        )
    }
    return {
        permission for permission in declared | {REVEAL, APPROVE, RETRY} if allows(role, permission)
    }


class RoleBackend(ModelBackend):
    """Grants the permissions of the account's role."""

    def get_user(self, user_id: Any) -> Staff | None:
        staff = Staff.objects.select_related("second_factor").filter(pk=user_id).first()
        return staff if staff and self.user_can_authenticate(staff) else None

    def has_perm(
        self,
        user_obj: AbstractBaseUser | AnonymousUser,
        perm: str,
        obj: Model | None = None,
    ) -> bool:
        return isinstance(user_obj, Staff) and user_obj.is_active and allows(user_obj.role, perm)

    def has_module_perms(self, user_obj: AbstractBaseUser | AnonymousUser, app_label: str) -> bool:
        return any(
            permission.startswith(f"{app_label}.")
            for permission in self.get_all_permissions(user_obj)
        )

    def get_all_permissions(
        self,
        user_obj: AbstractBaseUser | AnonymousUser,
        obj: Model | None = None,
    ) -> set[str]:
        if not isinstance(user_obj, Staff) or not user_obj.is_active:
            return set()
        return permissions_of(user_obj.role)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return self.get_all_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()
