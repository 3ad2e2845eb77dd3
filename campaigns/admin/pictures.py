"""The library of pictures: what is there, and the way in for another."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from campaigns import pictures
from campaigns.models import Picture
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Staff
from privacy.problems import DomainError


class PictureHandler(FileUploadHandler):
    """Holds one picture in memory, up to what a picture may have; it is no customer's data."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._content = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= pictures.MAX_BYTES:  # one piece more, so that it is seen to be too large
            self._content.write(raw_data)

    def file_complete(self, file_size: int) -> SimpleUploadedFile:
        del file_size
        name = self.file_name or "picture"
        return SimpleUploadedFile(name, self._content.getvalue(), self.content_type or "")


@csrf_exempt  # for the time until the handler is set; `_taken` is protected
@permission_required("campaigns.add_picture", raise_exception=True)
def add_page(request: HttpRequest) -> HttpResponse:
    request.upload_handlers = [PictureHandler(request)]
    answer: HttpResponse = _taken(request)
    return answer


@csrf_protect
def _taken(request: HttpRequest) -> HttpResponse:
    """GET shows the form; POST keeps the picture, and answers the editor's script in JSON."""
    refusal = None
    as_json = request.headers.get("Accept", "").startswith("application/json")
    if request.method == "POST":
        try:
            kept = _kept(request)
        except DomainError as error:
            refusal = error
            if as_json:
                return JsonResponse({"detail": str(error.detail)}, status=error.status)
        else:
            if as_json:
                told = {"path": kept.path, "url": f"{pictures.host()}{kept.path}"}
                return JsonResponse({**told, "name": kept.name, "alt": kept.alt})
            messages.success(request, _("Picture added."))
            return redirect("admin:campaigns_picture_changelist")
    context = {
        **admin.site.each_context(request),
        "title": _("New picture"),
        "refusal": refusal,
        "alt": request.POST.get("alt", ""),
        "name": request.POST.get("name", ""),
        "most": pictures.MAX_BYTES >> 20,
    }
    return render(request, "campaigns/admin/picture.html", context)


def _kept(request: HttpRequest) -> Picture:
    file = request.FILES.get("file")
    if file is None:
        raise DomainError("required", _("Choose a picture."), pointer="/file")
    name = request.POST.get("name", "") or str(file.name or "").rpartition(".")[0]
    staff = request.user if isinstance(request.user, Staff) else None
    alt = request.POST.get("alt", "")
    return pictures.add(file.read(), name=name, alt=alt, staff=staff, now=timezone.now())


@admin.register(Picture)
class PictureAdmin(ThemedAdmin[Picture]):
    """Pictures by name; their words can be bettered, their content never changes."""

    list_display = ["thumbnail", "name", "alt", "size", "added_at"]
    list_display_links = ["thumbnail", "name"]
    search_fields = ["name", "alt"]
    ordering = ["-added_at", "-pk"]
    fields = ["shown", "name", "alt", "size", "address"]
    readonly_fields = ["shown", "size", "address"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        return super().get_queryset(request).defer("content")

    @admin.display(description="")
    def thumbnail(self, picture: Picture) -> str:
        return format_html(
            '<img src="{}" alt="{}" loading="lazy" style="max-width:5rem;max-height:3.5rem">',
            picture.path,
            picture.alt,
        )

    @admin.display(description=gettext_lazy("Picture"))
    def shown(self, picture: Picture) -> str:
        return format_html(
            '<img src="{}" alt="{}" style="max-width:100%;max-height:24rem">',
            picture.path,
            picture.alt,
        )

    @admin.display(description=gettext_lazy("Size"))
    def size(self, picture: Picture) -> str:
        kib = max(1, round(picture.n_bytes / 1024))
        return f"{picture.width} × {picture.height} · {kib} KiB"

    @admin.display(description=gettext_lazy("Address"))
    def address(self, picture: Picture) -> str:
        return f"{pictures.host()}{picture.path}"

    def has_delete_permission(self, request: HttpRequest, obj: Picture | None = None) -> bool:
        """Messages that were sent show it as long as their readers keep them."""
        return False

    def get_urls(self) -> list[URLPattern]:
        own = path("add/", self.admin_site.admin_view(add_page), name="campaigns_picture_add")
        return [own, *super().get_urls()]
