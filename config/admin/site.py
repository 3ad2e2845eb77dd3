"""What every page of the admin shows of the shop: its name and whether the data is a demo's."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _

from privacy.admin.viewing import shop_of


def shop_name(request: HttpRequest) -> str:
    return shop_of(request).name or _("Not set up yet")


def badge(request: HttpRequest) -> list[str] | None:
    return [_("Demo data"), "warning"] if shop_of(request).is_demo else None
