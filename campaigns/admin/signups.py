"""Sign-up forms: what they ask, in which words and languages, where they may be shown, who came."""

from __future__ import annotations

from html import escape
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import StackedInline
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from campaigns import signing_up
from campaigns.models import SignUp, SignUpForm, SignUpText
from privacy import doors
from privacy.admin.viewing import ThemedAdmin
from privacy.problems import DomainError


class SetUpForm(forms.ModelForm[SignUpForm]):
    asks = forms.MultipleChoiceField(
        label=_("Also asks for"),
        choices=SignUpForm.Asked.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Nobody has to fill these in. Ask for no more than you use."),
    )
    sites = forms.CharField(
        label=_("Sites that may show it"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("One a line, such as https://www.example.com; only they may frame the form."),
    )

    class Meta:
        model = SignUpForm
        fields = ["name", "key", "is_open", "asks", "topics"]
        widgets = {"topics": UnfoldAdminCheckboxSelectMultipleWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["sites"] = "\n".join(self.instance.origins)

    def clean_sites(self) -> list[str]:
        try:
            return [doors.exact_origin(one) for one in self.cleaned_data["sites"].split()]
        except DomainError as error:
            raise ValidationError(error.detail) from None

    def save(self, commit: bool = True) -> SignUpForm:  # noqa: FBT001, FBT002 -- Django's signature
        self.instance.origins = self.cleaned_data["sites"]
        return super().save(commit)


class TextForm(forms.ModelForm[SignUpText]):
    locale = forms.ChoiceField(
        label=_("language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = SignUpText
        fields = ["locale", "title", "intro", "consent", "button"]
        widgets = {
            "intro": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "consent": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }


class TextInline(StackedInline):
    model = SignUpText
    form = TextForm
    extra = 0
    min_num = 1
    max_num = len(settings.LANGUAGES)
    validate_min = True


@admin.register(SignUpForm)
class SignUpFormAdmin(ThemedAdmin[SignUpForm]):
    form = SetUpForm
    inlines = [TextInline]
    list_display = ["name", "key", "is_open", "asked", "confirmed", "last_asked"]
    ordering = ["name"]
    fields = ["name", "key", "is_open", "asks", "topics", "sites"]
    change_form_outer_after_template = "campaigns/admin/sign_up_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SignUpForm]:
        done = Q(sign_ups__confirmed_at__isnull=False)
        rows = super().get_queryset(request)
        return rows.annotate(
            n_asked=Count("sign_ups"),
            n_confirmed=Count("sign_ups", filter=done),
            last=Max("sign_ups__asked_at"),
        )

    @admin.display(description=_("asked for"), ordering="n_asked")
    def asked(self, form: Any) -> int:
        return int(form.n_asked)

    @admin.display(description=_("confirmed"), ordering="n_confirmed")
    def confirmed(self, form: Any) -> int:
        return int(form.n_confirmed)

    @admin.display(description=_("last asked for"), ordering="last")
    def last_asked(self, form: Any) -> Any:
        return form.last

    def get_readonly_fields(self, request: HttpRequest, obj: SignUpForm | None = None) -> list[str]:
        return ["key"] if obj else []

    def save_model(self, request: HttpRequest, obj: SignUpForm, form: Any, change: bool) -> None:  # noqa: FBT001
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        signing_up.keep_wordings(form.instance, now=timezone.now())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        form = self.get_object(request, object_id)
        context = {"sign_up": _shown(form)} if form else {}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


def _shown(form: SignUpForm) -> dict[str, Any]:
    """Where the form is, what to paste into a page, and each version of its words with who agreed."""
    page = settings.PUBLIC_URL + reverse("sign-up", args=[form.key])
    title = escape(form.name)
    frame = f'<iframe src="{page}?framed=1" title="{title}" width="100%" height="520"></iframe>'
    done = Count("sign_ups", filter=Q(sign_ups__confirmed_at__isnull=False))
    letters = SignUp.objects.filter(form=form, letter=SignUp.Letter.FAILED).count()
    return {
        "page": page,
        "frame": frame,
        "wordings": form.wordings.annotate(n_asked=Count("sign_ups"), n_confirmed=done).order_by(
            "locale", "-version"
        ),
        "n_failed": letters,
    }
