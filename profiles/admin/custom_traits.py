from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from privacy.admin.viewing import ViewOnlyAdmin
from privacy.problems import DomainError
from profiles import custom_traits
from profiles.features.vocabulary import TRAITS
from profiles.models import CustomTrait, EventName
from profiles.models.custom_trait import DEFINING, DESCRIBING
from profiles.told_traits import CLASSES
from profiles.trait_words import KINDS, SOURCES, WORDS

IN_THE_FORM = {wire: field for field, wire in custom_traits.ON_THE_WIRE.items()}


class TraitForm(forms.ModelForm[CustomTrait]):
    """Fields as they are typed; `custom_traits` decides whether they can stand."""

    class Meta:
        model = CustomTrait
        fields = ["name", "label", "event", "aggregate", "property_path", "window_days", "kind",
                  "unit", "data_class"]  # fmt: skip
        help_texts = {
            "name": gettext_lazy(
                "For rules and the API, such as loyalty_points; it stays as it is."
            ),
            "property_path": gettext_lazy("Such as price or product.brand; counting needs none."),
            "window_days": gettext_lazy("Empty: all there is."),
            "unit": gettext_lazy("Shown behind the value, such as points."),
        }
        widgets = {"event": forms.TextInput(attrs={"list": "known-events"})}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.instance.pk:
            self.fields["name"].disabled = True

    def validate_unique(self) -> None:
        """Left to `custom_traits.check`, which says what to do."""

    def facts(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("name", *DEFINING, *DESCRIBING)}

    def refuse(self, error: DomainError) -> None:
        """Show each fault at its field."""
        if not error.errors:
            self.add_error(None, str(error.detail))
        for fault in error.errors:
            name = fault.pointer.removeprefix("/")
            self.add_error(IN_THE_FORM.get(name, name), fault.detail)


@admin.register(CustomTrait)
class CustomTraitAdmin(ViewOnlyAdmin[CustomTrait]):
    """Own traits, with the vocabulary that is built in beside them."""

    list_display = ["label", "name", "meaning", "unit", "version"]
    ordering = ["label"]
    list_before_template = "profiles/own_traits_head.html"

    @admin.display(description=gettext_lazy("meaning"))
    def meaning(self, trait: CustomTrait) -> str:
        return custom_traits.meaning(trait)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        built_in = [
            {
                "name": trait.name,
                "words": WORDS[trait.name],
                "kind": KINDS[trait.kind],
                "of": CLASSES[trait.data_class],
                "made_from": SOURCES[trait.made_from],
                "window_days": trait.window_days,
            }
            for trait in TRAITS
        ]
        return super().changelist_view(request, {"built_in": built_in, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("add/", wrap(trait_page), name="profiles_customtrait_add"),
            path("<int:pk>/change/", wrap(trait_page), name="profiles_customtrait_change"),
            *super().get_urls(),
        ]


def trait_page(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Declare, try, change or give up an own trait."""
    needed = "view" if pk and request.method != "POST" else "change" if pk else "add"
    if not request.user.has_perm(f"profiles.{needed}_customtrait"):
        raise PermissionDenied
    trait = get_object_or_404(CustomTrait, pk=pk) if pk else CustomTrait()
    form = TraitForm(request.POST or None, instance=trait, label_suffix="")
    context: dict[str, Any] = {"form": form}
    wanted = request.POST.get("do", "")
    if wanted == "remove" and pk:
        return _remove(request, trait)
    if wanted and form.is_valid():
        try:
            if wanted == "preview":
                context |= _tried(form)
            else:
                return _save(request, form, pk or 0)
        except DomainError as error:
            form.refuse(error)
    return render(request, "profiles/own_trait.html", {**_frame(request, pk), **context})


def _tried(form: TraitForm) -> dict[str, Any]:
    trait = CustomTrait(pk=form.instance.pk, **form.facts())
    trial = custom_traits.try_out(trait, timezone.now())
    return {
        "trial": trial,
        "meaning": custom_traits.meaning(trait),
        "samples": [(one, custom_traits.shown(trait, one.value)) for one in trial.samples],
    }


def _save(request: HttpRequest, form: TraitForm, pk: int) -> HttpResponse:
    now, actor = timezone.now(), request.user.get_username()
    if pk:
        kept = CustomTrait.objects.get(pk=pk)
        saved = custom_traits.change(kept, form.facts(), now=now, actor=actor)
    else:
        saved = custom_traits.declare(form.facts(), now=now, actor=actor)
    messages.success(request, _("Saved. Its values are being made; see Jobs."))
    return redirect("admin:profiles_customtrait_change", saved.pk)


def _remove(request: HttpRequest, trait: CustomTrait) -> HttpResponse:
    if not request.user.has_perm("profiles.delete_customtrait"):
        raise PermissionDenied
    try:
        custom_traits.remove(trait)
    except DomainError as error:
        messages.error(request, str(error.detail))
        return redirect("admin:profiles_customtrait_change", trait.pk)
    messages.success(request, _("The trait and its values are gone."))
    return redirect("admin:profiles_customtrait_changelist")


def _frame(request: HttpRequest, pk: int | None) -> dict[str, Any]:
    """What the page shows beside the form: the trait as it is kept, and where it is used."""
    kept = CustomTrait.objects.filter(pk=pk or 0).first() or CustomTrait()
    known = EventName.objects.filter(kind="track").order_by("name").values_list("name", flat=True)
    return {
        **admin.site.each_context(request),
        "title": kept.label or _("Declare a trait"),
        "trait": kept,
        "is_filled": kept.filled_version == kept.version,
        "known_events": known[:200],
        "segments": custom_traits.used_by(kept) if pk else [],
        "versions": kept.versions.order_by("-number") if pk else [],
        "may_change": request.user.has_perm(f"profiles.{'change' if pk else 'add'}_customtrait"),
        "may_delete": request.user.has_perm("profiles.delete_customtrait"),
    }
