from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from campaigns.models import SendingRules
from privacy.admin.viewing import ThemedAdmin


class SendingRulesForm(forms.ModelForm[SendingRules]):
    class Meta:
        model = SendingRules
        fields = [
            *("cap_messages", "cap_days", "quiet_from", "quiet_until"),
            *("two_persons_from", "undo_minutes", "shop_domains", "short_links"),
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        ends = [given.get("quiet_from"), given.get("quiet_until")]
        if ends.count(None) == 1:
            name = "quiet_from" if ends[0] is None else "quiet_until"
            self.add_error(name, ValidationError(_("Give both ends of the quiet hours, or none.")))
        elif ends[0] is not None and ends[0] == ends[1]:
            self.add_error("quiet_until", ValidationError(_("The quiet hours end as they begin.")))
        return given


@admin.register(SendingRules)
class SendingRulesAdmin(ThemedAdmin[SendingRules]):
    """The one row of rules: its list is its page."""

    form = SendingRulesForm
    fieldsets = [
        (_("Cap across campaigns"), {"fields": [("cap_messages", "cap_days")]}),
        (_("Quiet hours"), {"fields": [("quiet_from", "quiet_until")]}),
        (_("Approval and start"), {"fields": [("two_persons_from", "undo_minutes")]}),
        (_("Web analytics"), {"fields": ["shop_domains", "short_links"]}),
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        SendingRules.objects.get_or_create(pk=1)
        return redirect("admin:campaigns_sendingrules_change", 1)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
