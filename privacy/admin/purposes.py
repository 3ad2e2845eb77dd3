"""What personal data may be used for, and who may open it: the pages of the privacy officer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from privacy import audit, purpose_registry
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Channel, PurposeRecord, Staff, UseRule

UNKNOWN = "-"


@admin.register(PurposeRecord)
class PurposeAdmin(ThemedAdmin[PurposeRecord]):
    """The code says what a purpose is; the shop says until when, and that counsel agreed."""

    list_display = ["label", "classes", "needs_consent", "automated", "valid_until", "confirmed_on"]
    list_filter = ["needs_consent", "is_automated"]
    fields = [
        "label",
        "code",
        "lawful_basis",
        "classes",
        "channel_names",
        "kept",
        ("needs_consent", "is_automated"),
        "valid_until",
        "confirmed_on",
        "note",
    ]
    readonly_fields = [
        "label",
        "code",
        "lawful_basis",
        "classes",
        "channel_names",
        "kept",
        "needs_consent",
        "is_automated",
    ]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(is_known=True)

    @admin.display(description=_("Purpose"), ordering="name")
    def label(self, record: PurposeRecord) -> str:
        return str(_declared(record).label)

    @admin.display(description=_("In code and API"))
    def code(self, record: PurposeRecord) -> str:
        return record.name

    @admin.display(description=_("Channels"))
    def channel_names(self, record: PurposeRecord) -> str:
        return ", ".join(str(Channel(name).label) for name in record.channels) or UNKNOWN

    @admin.display(description=_("Lawful basis"))
    def lawful_basis(self, record: PurposeRecord) -> str:
        return str(_declared(record).basis)

    @admin.display(description=_("Kept"))
    def kept(self, record: PurposeRecord) -> str:
        return str(_declared(record).retention)

    @admin.display(description=_("Opens"))
    def classes(self, record: PurposeRecord) -> str:
        labels = (str(UseRule.DataClass(name).label) for name in record.data_classes)
        return format_html_join(", ", "{}", ((label,) for label in labels)) or UNKNOWN

    @admin.display(description=_("Automated"), boolean=True)
    def automated(self, record: PurposeRecord) -> bool:
        return record.is_automated

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: PurposeRecord,
        form: Any,
        change: bool,  # noqa: FBT001
    ) -> None:
        super().save_model(request, obj, form, change)
        _audited(request, "purpose.changed", obj.name, form)


class RuleForm(forms.ModelForm[UseRule]):
    """A rule names somebody who can exist and a class that its purpose covers."""

    purpose = forms.ChoiceField(label=_("Purpose"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = UseRule
        fields = ["kind", "who", "purpose", "data_class", "until", "rows_per_day"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(purpose := self.fields.get("purpose"), forms.ChoiceField):
            purpose.choices = [
                (name, found.label)
                for name, found in sorted(purpose_registry.REGISTRY.items())
                if found.data_classes
            ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("kind") == UseRule.Kind.ROLE and given.get("who") not in Staff.Role.values:
            roles = ", ".join(Staff.Role.values)
            raise ValidationError({"who": _("Roles are: %(roles)s.") % {"roles": roles}})
        purpose = purpose_registry.REGISTRY.get(given.get("purpose", ""))
        if purpose and given.get("data_class") not in purpose.data_classes:
            covered = ", ".join(sorted(purpose.data_classes))
            text = _("The purpose covers: %(classes)s.") % {"classes": covered}
            raise ValidationError({"data_class": text})
        return given


@admin.register(UseRule)
class UseRuleAdmin(ThemedAdmin[UseRule]):
    """Without a rule nobody opens anything; a rule is ended, never deleted."""

    form = RuleForm
    list_display = ["who_may", "kind", "opens", "purpose_label", "until", "rows_per_day"]
    list_filter = ["kind", "purpose", "data_class"]
    ordering = ["kind", "who", "purpose", "data_class"]
    list_before_template = "privacy/admin/use_rules_head.html"

    @admin.display(description=_("Who"), ordering="who")
    def who_may(self, rule: UseRule) -> str:
        return str(_("anybody of this kind")) if rule.who == "*" else rule.who_label

    @admin.display(description=_("May open"), ordering="data_class")
    def opens(self, rule: UseRule) -> str:
        return str(UseRule.DataClass(rule.data_class).label)

    @admin.display(description=_("Purpose"), ordering="purpose")
    def purpose_label(self, rule: UseRule) -> str:
        found = purpose_registry.REGISTRY.get(rule.purpose)
        return str(found.label) if found else rule.purpose

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["kind", "who", "purpose_label", "data_class"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        rest = ["until", "rows_per_day"]
        if obj:
            return ["kind", "who", "purpose_label", "data_class", *rest]
        return ["kind", "who", "purpose", "data_class", *rest]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: UseRule, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        _audited(request, "use_rule.changed" if change else "use_rule.added", str(obj), form)


def _declared(record: PurposeRecord) -> purpose_registry.Purpose:
    return purpose_registry.REGISTRY[record.name]


def _audited(request: HttpRequest, action: str, what: str, form: Any) -> None:
    """Note who changed what; the fields by name, and their values, which are dates and numbers."""
    changed = {name: str(form.cleaned_data[name]) for name in form.changed_data if name != "note"}
    facts = ", ".join(f"{name} = {value}" for name, value in sorted(changed.items()))
    audit.append(
        action,
        actor=f"staff:{request.user.pk}",
        at=timezone.now(),
        reason=f"{what}: {facts}"[:300],
    )
