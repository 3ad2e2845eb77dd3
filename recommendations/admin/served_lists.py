"""The log of what was offered where, as it is kept."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy

from privacy.admin.viewing import ViewOnlyAdmin
from recommendations.models import ServedList


@admin.register(ServedList)
class ServedListAdmin(ViewOnlyAdmin[ServedList]):
    list_display = ["served_at", "placement", "version", "by_position"]
    ordering = ["-served_at"]
    list_before_template = "recommendations/served_head.html"
    show_full_result_count = False

    @admin.display(description=gettext_lazy("Products by position"))
    def by_position(self, one: ServedList) -> str:
        return " · ".join(f"{at}.\u00a0{id_}" for at, id_ in enumerate(one.products, 1))
