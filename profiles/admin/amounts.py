"""Money in forms: typed and shown as people write it, kept in minor units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from profiles import money
from profiles.orders.parsing import MAX_PRICE


class MoneyField(forms.DecimalField):
    """An amount of `currency`, 0 to `MAX_PRICE`: typed as 249.00, cleaned to minor units.

    Stands in for a field of minor units, with its label and its initial value.
    """

    def __init__(self, currency: str, minor: forms.Field) -> None:
        super().__init__(
            label=minor.label,
            required=minor.required,
            initial=minor.initial,
            min_value=0,
            max_value=MAX_PRICE,
            decimal_places=money.exponent(currency),
            widget=UnfoldAdminDecimalFieldWidget,
            help_text=currency,
        )
        self._currency = currency

    def prepare_value(self, value: Any) -> Any:
        """Return stored minor units as an amount, and what was typed as it was."""
        return money.from_minor(value, self._currency) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> Any:
        amount: Decimal | None = super().clean(value)
        return None if amount is None else money.to_minor(amount, self._currency)


def in_money(form: forms.ModelForm[Any], currency: str, *names: str) -> None:
    """Let fields of minor units be typed as amounts; those the form does not show are left out."""
    for name in names:
        if (field := form.fields.get(name)) is not None:
            form.fields[name] = MoneyField(currency, field)
