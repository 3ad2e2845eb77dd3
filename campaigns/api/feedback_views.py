"""Where mail providers report what became of messages; only genuine reports have an effect."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import feedback
from campaigns.feedback import Notice

if TYPE_CHECKING:
    from django.http import HttpRequest


@csrf_exempt  # the provider's signature is the authority
@never_cache
@require_http_methods(["POST", "HEAD"])
def mail_events(request: HttpRequest, provider: str) -> HttpResponse:
    """Take the reports of the provider that is set up, and of no other; HEAD asks if we are here."""
    if not settings.MAIL_ESP or provider != settings.MAIL_ESP:
        raise Http404
    if request.method == "HEAD":
        return HttpResponse()
    from campaigns.channels import esp  # noqa: PLC0415 -- slow to load, and only where it is used

    now = timezone.now()
    try:
        events = esp.reports(provider, request)
    except esp.NotGenuineError:
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    except (ValueError, LookupError, TypeError, AttributeError, RequestDataTooBig):
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    feedback.take(
        [
            Notice(
                kind=kind,
                source=provider,
                event_id=event.event_id or f"{event.message_id}",
                at=event.timestamp or now,
                code=code,
                message_id=(event.metadata or {}).get(esp.REFERENCE) or event.message_id or "",
                is_trusted=True,
            )
            for event in events
            for kind, code in esp.kinds(event)
        ],
        now=now,
    )
    return HttpResponse()
