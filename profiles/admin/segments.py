from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from privacy.admin.viewing import ThemedAdmin, shop_of
from profiles import asking, registry, segment_rules, segmentation
from profiles.admin import segment_pages
from profiles.admin.rule_form import SegmentForm
from profiles.admin.segment_preview import preview
from profiles.models import Segment


@admin.register(Segment)
class SegmentAdmin(ThemedAdmin[Segment]):
    """Named rules; the size is counted when a rule is saved and by the action."""

    form = SegmentForm
    list_display = ["name", "in_words", "n_customers", "counted_at"]
    search_fields = ["name"]
    ordering = ["name"]
    actions = ["recount"]
    list_before_template = "profiles/segments_head.html"
    change_form_outer_before_template = "profiles/segment_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        segments: QuerySet[Segment] = super().get_queryset(request)
        return segments.annotate(currency=Value(shop_of(request).currency))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Find the names that the page's rules mention at once."""
        changes = super().get_changelist_instance(request)
        names = segment_rules.names(segment.rule for segment in changes.result_list)
        for segment in changes.result_list:
            segment.names = names
        return changes

    @admin.display(description=_("rule"))
    def in_words(self, segment: Any) -> str:
        language = get_language() or "en"
        currency, names = segment.currency, segment.names
        return segmentation.in_words(segment, language, currency=currency, names=names)

    @admin.action(description=_("Count again"), permissions=["change"])
    def recount(self, _request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        for segment in queryset:
            segmentation.recount(segment, now=timezone.now())

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:  # noqa: FBT001
        now, actor = timezone.now(), request.user.get_username()
        if change:
            segmentation.change(obj, name=obj.name, rule=obj.rule, now=now, actor=actor)
        else:
            made = segmentation.create(obj.name, obj.rule, now=now, actor=actor)
            obj.pk, obj.uuid, obj.created_at = made.pk, made.uuid, made.created_at
        asking.ask_for_refresh(obj.pk, now)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Whatever uses a segment protects it: on its own page as in the list's action."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        if users := registry.users_of_segments([segment.pk for segment in objs]):
            return found, counts, set(), [segmentation.in_use(users)]
        return found, counts, needed, protected

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "profiles_segment_{}".format
        return [
            path("preview/", wrap(preview), name=name("preview")),
            path("list/", wrap(segment_pages.list_page), name=name("list")),
            path(
                "list/<uuid:uuid>/rejects/",
                wrap(segment_pages.list_rejects),
                name=name("list_rejects"),
            ),
            path("<int:pk>/over-time/", wrap(segment_pages.over_time), name=name("over_time")),
            path("<int:pk>/why/", wrap(segment_pages.why_page), name=name("why")),
            path("<int:pk>/why/<int:customer>/", wrap(segment_pages.why_page), name=name("why_of")),
            path(
                "<int:pk>/restore/<int:number>/",
                wrap(segment_pages.restore_action),
                name=name("restore"),
            ),
            *super().get_urls(),
        ]
