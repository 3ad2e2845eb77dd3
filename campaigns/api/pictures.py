"""The pictures of messages, as mail programs fetch them."""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from campaigns.models import Picture
from campaigns.pictures import CONTENT_TYPES

FOR_EVER = "public, max-age=31536000, immutable"  # its address is its content


@require_http_methods(["GET", "HEAD"])
def picture(request: HttpRequest, sha256: str, extension: str) -> HttpResponse:
    etag = f'"{sha256}"'
    found = Picture.objects.filter(sha256=sha256, extension=extension)
    if request.headers.get("If-None-Match") == etag and found.exists():
        return HttpResponse(
            status=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Cache-Control": FOR_EVER}
        )
    content = found.values_list("content", flat=True).first()
    if content is None:
        raise Http404
    return HttpResponse(
        bytes(content),
        content_type=CONTENT_TYPES[extension],
        headers={
            "Cache-Control": FOR_EVER,
            "ETag": etag,
            "Content-Security-Policy": "default-src 'none'",
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )
