"""What is asked of a file that is brought in: what it is, how it is written, how to read it."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from privacy.models import Shop
from profiles.files import encodings, presets
from profiles.importing import uploads
from profiles.importing.receiving import SealedUpload
from profiles.models import Upload
from profiles.orders.formats import CSV, ONLINE_RETAIL

FORMAT_NAMES = {
    ONLINE_RETAIL: "Online Retail",
    "shopify": "Shopify",
    "woocommerce": "WooCommerce",
    "klaviyo": "Klaviyo",
    "mautic": "Mautic",
}
# Offered, not all there are: any of strptime may be written.
DATE_FORMATS = (
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y年%m月%d日 %H:%M",
)


class FileForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What is in it"), choices=Upload.Kind.choices)
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "CSV or JSON lines, plain or gzipped, up to 1 GiB; or an Excel workbook (.xlsx) up to 128 MiB."
        ),
        # The theme's script looks for a text box of its own beside every plain file input.
        widget=UnfoldAdminFileFieldWidget,
    )

    def clean_file(self) -> SealedUpload:
        file: SealedUpload = self.cleaned_data["file"]
        if (file.size or 0) > uploads.MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 GiB."), "file_too_large")
        return file


class WrittenForm(forms.Form):
    """How the file is written; asked again until its first rows look right."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"),
        required=False,
        choices=[
            *encodings.USUAL.items(),
            (gettext_lazy("Others"), [(name, name) for name in encodings.OTHERS]),
        ],
    )
    format = forms.ChoiceField(label=gettext_lazy("Format"), required=False)

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        known = [*([ONLINE_RETAIL] if kind == Upload.Kind.ORDERS else []), *presets.names(kind)]
        shown = self.fields["format"]
        if isinstance(shown, forms.ChoiceField):
            shown.choices = [
                ("", _("Told by its columns")),
                (CSV, _("Columns as chosen below")),
                *((name, FORMAT_NAMES[name]) for name in known),
            ]
        if not known:
            del self.fields["format"]


class OrderOptionsForm(forms.Form):
    """All that orders are read with and their columns do not say."""

    currency = forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        help_text=gettext_lazy("Where the file has no such column."),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Of times without an offset."),
    )
    date_format = forms.CharField(
        label=gettext_lazy("Date format"),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"list": "date-formats", "autocomplete": "off"}),
        help_text=gettext_lazy("Empty for 2026-03-31 14:05; %d/%m/%Y %H:%M for 31/03/2026 14:05."),
    )
    categories = forms.FileField(
        label=gettext_lazy("File of categories"),
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy("With the columns product and category."),
    )
    decimal_comma = forms.BooleanField(
        label=gettext_lazy("Decimal comma: 1,50 is one and a half"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        zone, shop = self.fields["time_zone"], Shop.current()
        if isinstance(zone, forms.ChoiceField):
            zone.choices = [(name, name) for name in sorted(available_timezones())]
        self.initial = {"currency": shop.currency, "time_zone": shop.time_zone}

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"]
        return currency.strip().upper()
