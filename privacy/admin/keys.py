from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from privacy import doors
from privacy.admin.confirming import ConfirmedChanges
from privacy.admin.viewing import ThemedAdmin, shown_once
from privacy.models import ApiKey
from privacy.problems import DomainError


class KeyForm(forms.ModelForm[ApiKey]):
    """A new key: for which source, of which kind, opening what."""

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        required=False,
        choices=[(scope, scope) for scope in sorted(doors.SCOPES)],
        initial=sorted(doors.SECRET_SCOPES),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("For secret keys; the other kinds have fixed ones."),
    )
    origins = forms.CharField(
        label=_("Allowed origins"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("For browser keys: one a line, as https://shop.example."),
    )

    class Meta:
        model = ApiKey
        fields = ["source", "kind", "is_test", "scopes", "origins", "expires_at"]

    def clean_origins(self) -> list[str]:
        try:
            return [doors.exact_origin(line) for line in self.cleaned_data["origins"].split()]
        except DomainError as error:
            raise ValidationError(error.detail) from error


@admin.register(ApiKey)
class ApiKeyAdmin(ConfirmedChanges, ThemedAdmin[ApiKey]):
    """Keys are shown once when made, and revoked, never edited."""

    form = KeyForm
    list_display = [
        "prefix",
        "source",
        "kind",
        "is_test",
        "last_used_at",
        "expires_at",
        "state",
    ]
    list_filter = ["kind", "is_test", "source"]
    list_select_related = ["source"]
    ordering = ["-created_at"]
    actions = ["rotate", "revoke"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001
        chosen = form.cleaned_data
        key, plaintext = doors.issue(
            chosen["source"],
            kind=chosen["kind"],
            scopes=chosen["scopes"],
            origins=chosen["origins"],
            expires_at=chosen["expires_at"],
            is_test=chosen["is_test"],
            now=timezone.now(),
            actor=f"staff:{request.user.pk}",
        )
        obj.__dict__.update(key.__dict__)
        obj.plaintext = plaintext  # type: ignore[attr-defined]  # for the answer to this request

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return _show(request, [(obj, obj.plaintext)])  # type: ignore[attr-defined]

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        now = timezone.now()
        if key.revoked_at:
            return gettext("Revoked")
        if not key.is_live(now):
            return gettext("Expired")
        return gettext("Being replaced") if key.is_replaced else gettext("Live")  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        successors = ApiKey.objects.live(timezone.now()).filter(replaces=OuterRef("pk"))
        return super().get_queryset(request).annotate(is_replaced=Exists(successors))

    @admin.action(description=_("Revoke"), permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            doors.revoke(key, now=timezone.now(), actor=f"staff:{request.user.pk}")

    @admin.action(description=_("Rotate: a new key, both live for 7 days"), permissions=["add"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        made = []
        for key in queryset:
            try:
                actor = f"staff:{request.user.pk}"
                made.append(doors.rotate(key, now=timezone.now(), actor=actor))
            except DomainError as error:
                messages.error(request, f"{key}: {error.detail}")
        return _show(request, made) if made else None


def _show(request: HttpRequest, made: Iterable[tuple[ApiKey, str]]) -> HttpResponse:
    shown = [(f"{key.source}, {key.get_kind_display()}", plaintext) for key, plaintext in made]
    back = reverse("admin:privacy_apikey_changelist")
    return shown_once(request, gettext("The new API key"), shown, back=back)
