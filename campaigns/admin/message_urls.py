"""The pages below a campaign's message, by their addresses."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse

from campaigns.admin import editor, gallery, texts, versions

PAGES: dict[str, tuple[Callable[..., HttpResponse], str]] = {
    "<int:pk>/message/": (texts.texts_page, "texts"),
    "<int:pk>/message/preview/": (texts.preview_page, "preview"),
    "<int:pk>/message/test/": (texts.test_action, "test"),
    "<int:pk>/message/links/": (texts.links_action, "check_links"),
    "<int:pk>/message/starters/": (gallery.starters_page, "starters"),
    "<int:pk>/message/starters/<slug:name>/": (gallery.starter_page, "starter"),
    "<int:pk>/message/<int:template>/": (editor.editor_page, "editor"),
    "<int:pk>/message/<int:template>/live/": (editor.live_page, "live"),
    "<int:pk>/message/<int:template>/versions/": (versions.versions_page, "versions"),
    "<int:pk>/message/<int:template>/versions/<int:number>/": (
        versions.version_page,
        "version",
    ),
    "<int:pk>/message/<int:template>/versions/<int:number>/restore/": (
        versions.restore_action,
        "restore",
    ),
}
