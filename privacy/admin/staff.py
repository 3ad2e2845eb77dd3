from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from privacy import second_factor
from privacy.admin.confirming import ConfirmedChanges
from privacy.admin.second_factor import confirm_page, second_factor_page
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Staff

admin.site.unregister(Group)


@admin.register(Staff)
class StaffAdmin(ConfirmedChanges, UserAdmin[Staff], ThemedAdmin[Staff]):
    """Accounts; a role says all of what an account may do."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "role", "is_active", "has_second_factor", "last_login"]
    list_select_related = ["second_factor"]
    actions = ["remove_second_factor"]
    list_filter = ["role", "is_active"]
    search_fields = ["username"]
    ordering = ["username"]
    filter_horizontal = ()
    fieldsets = [
        (None, {"fields": ["username", "password", "role", "is_active"]}),
        (_("Details"), {"fields": ["first_name", "last_name", "email", "language"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = ((None, {"fields": ["username", "role", "password1", "password2"]}),)
    readonly_fields = ["last_login", "date_joined"]

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("me/factor/", own(second_factor_page), name="privacy_staff_second_factor"),
            path("me/confirm/", own(confirm_page), name="privacy_staff_confirm"),
            *super().get_urls(),
        ]

    @admin.display(description=_("second factor"), boolean=True)
    def has_second_factor(self, staff: Staff) -> bool:
        return second_factor.of(staff) is not None

    @admin.action(description=_("Remove the second factor"), permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[Staff]) -> None:
        if isinstance(request.user, Staff):
            for staff in queryset:
                second_factor.remove(staff, by=request.user, now=timezone.now())
