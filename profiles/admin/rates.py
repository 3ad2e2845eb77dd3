"""Exchange rates, entered by hand or brought in by `import_rates`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from privacy.problems import DomainError
from profiles import rates
from profiles.models import Rate


class RateForm(forms.ModelForm[Rate]):
    class Meta:
        model = Rate
        fields = ["currency", "to_currency", "valid_from", "rate"]

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        names = ("currency", "to_currency")
        told |= {name: told[name].upper() for name in names if told.get(name)}
        if all(told.get(name) for name in ("currency", "to_currency", "valid_from", "rate")):
            try:
                made = rates.rate(
                    told["currency"], told["to_currency"], told["valid_from"], told["rate"]
                )
            except DomainError as error:
                raise ValidationError(error.detail, error.code) from error
            self.instance.factor = made.factor
        return told


@admin.register(Rate)
class RateAdmin(ModelAdmin):
    form = RateForm
    list_display = ["currency", "to_currency", "valid_from", "rate"]
    list_filter = ["currency"]
    ordering = ["-valid_from", "currency"]

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if isinstance(obj, Rate):
            rates.put([obj])
