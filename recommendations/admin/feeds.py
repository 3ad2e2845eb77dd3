"""Feeds of products: where each comes from, when it is fetched, and how its last file went."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from privacy.admin.viewing import ThemedAdmin
from privacy.problems import DomainError
from profiles.files import encodings
from recommendations.admin import feed_pages
from recommendations.feeds import arriving
from recommendations.models import Feed, FeedImport

MOST_IMPORTS = 20


class FeedForm(forms.ModelForm[Feed]):
    encoding = forms.ChoiceField(
        label=_("Encoding"),
        choices=[
            *encodings.USUAL.items(),
            (_("Others"), [(name, name) for name in encodings.OTHERS]),
        ],
        initial=encodings.DEFAULT,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Of tables; XML says its own."),
    )

    def clean(self) -> dict[str, Any] | None:
        found = super().clean() or {}
        names = ("country", "language", "url")
        told = Feed(**{name: found.get(name) or "" for name in names})
        try:
            arriving.check(told)
        except DomainError as error:
            raise ValidationError({error.pointer.removeprefix("/"): error.detail}) from error
        return found | {name: getattr(told, name) for name in names}


@admin.register(Feed)
class FeedAdmin(ThemedAdmin[Feed]):
    form = FeedForm
    list_display = ["name", "source", "country", "language", "fetched_at", "last_file", "n_wrong"]
    ordering = ["name"]
    list_before_template = "recommendations/feeds_head.html"
    change_form_outer_before_template = "recommendations/feed_head.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "name",
                    ("url", "every_hours"),
                    ("country", "language"),
                    "encoding",
                    "is_whole",
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feed]:
        last = FeedImport.objects.filter(feed=OuterRef("pk"), finished_at__isnull=False)
        last = last.order_by("-pk")
        feeds: QuerySet[Feed] = super().get_queryset(request)
        return feeds.annotate(
            last_at=Subquery(last.values("finished_at")[:1]),
            last_rejected=Subquery(last.values("n_rejected")[:1]),
        )

    @admin.display(description=_("Comes from"))
    def source(self, feed: Feed) -> Any:
        return urlsplit(feed.url).hostname if feed.url else _("files")

    @admin.display(description=_("Last file"), ordering="last_at")
    def last_file(self, feed: Any) -> Any:
        return feed.last_at

    @admin.display(description=_("Rejected rows"))
    def n_wrong(self, feed: Any) -> Any:
        return "–" if feed.last_rejected is None else f"{feed.last_rejected:,}"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "recommendations_feed_{}".format
        return [
            path("<int:pk>/file/", wrap(feed_pages.file_page), name=name("file")),
            path("<int:pk>/fetch/", wrap(feed_pages.fetch_action), name=name("fetch")),
            path("import/<int:pk>/", wrap(feed_pages.import_page), name=name("import")),
            path("import/<int:pk>/report/", wrap(feed_pages.report_file), name=name("report")),
            path("import/<int:pk>/decide/", wrap(feed_pages.decide_action), name=name("decide")),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        feed = self.get_object(request, unquote(object_id))
        imports = FeedImport.objects.filter(feed=feed).order_by("-pk")[:MOST_IMPORTS]
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "imports": imports}
        )

    def save_model(self, request: HttpRequest, obj: Feed, form: Any, change: bool) -> None:  # noqa: FBT001
        now = timezone.now()
        if not change:
            obj.created_at = now
        if "url" in form.changed_data:
            # Another file is another: nothing of the one before says that it is unchanged.
            obj.etag = obj.last_modified = obj.fingerprint = obj.fetch_error = ""
            obj.next_fetch_at = now if obj.url else None
        super().save_model(request, obj, form, change)
