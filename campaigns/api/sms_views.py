"""Where gateways report what became of text messages, and pass on what people answer."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from campaigns import feedback, stopping
from campaigns.bounces.codes import Kind
from campaigns.feedback import Notice

if TYPE_CHECKING:
    from django.http import HttpRequest

    from campaigns.channels.sms import Gateway

LONGEST_SKEW_SECONDS: Final = 300
_BECAME: Final = {
    "delivered": Kind.DELIVERED,
    "undelivered": Kind.SOFT,
    "failed": Kind.SOFT,
}
# Numbers that are nobody's: unknown, landline, not in use.
_NOBODY: Final = frozenset({"30005", "30006", "21610", "unknown_number"})


@csrf_exempt  # the gateway's signature is the authority
@never_cache
@require_POST
def sms_events(request: HttpRequest, dialect: str) -> HttpResponse:
    """Take the calls of the gateway that is set up, if it signed them."""
    from campaigns.channels import sms  # noqa: PLC0415 -- slow to load, and only where it is used

    if not settings.SMS_URL:
        raise Http404
    gateway = sms.Gateway.from_url(settings.SMS_URL)
    read = _READERS.get(dialect)
    if read is None or dialect != gateway.dialect:
        raise Http404
    now = timezone.now()
    try:
        told = read(request, gateway, now)
    except (ValueError, LookupError, TypeError, AttributeError):
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    if told is None:
        return HttpResponse(status=HTTPStatus.FORBIDDEN)
    for number, text in told.get("answers", ()):
        stopping.answered(number, text, source=f"sms:{dialect}", now=now)
    feedback.take(list(_notices(dialect, told.get("reports", ()), now)), now=now)
    return HttpResponse(content_type="text/plain")


def _twilio(request: HttpRequest, gateway: Gateway, _now: datetime) -> dict[str, Any] | None:
    """A form, signed over its address and fields."""
    from campaigns.channels import sms  # noqa: PLC0415 -- as above

    form = {name: str(request.POST[name]) for name in request.POST}
    url = f"{settings.PUBLIC_URL}{request.get_full_path()}"
    made = sms.twilio_signature(gateway.secret, url, form)
    if not hmac.compare_digest(made, request.headers.get("X-Twilio-Signature", "")):
        return None
    if "MessageStatus" in form:
        code = form.get("ErrorCode", "")
        report = (request.GET.get("ref", ""), form["MessageStatus"], code, form["MessageSid"])
        return {"reports": [report]}
    return {"answers": [(form["From"], form.get("Body", ""))]}


def _signed(request: HttpRequest, gateway: Gateway, now: datetime) -> dict[str, Any] | None:
    """JSON under the same signature as requests to the gateway bear."""
    from campaigns.channels import sms  # noqa: PLC0415 -- as above

    stamp, nonce = request.headers.get("X-Timestamp", ""), request.headers.get("X-Nonce", "")
    made = sms.signature(gateway.secret, stamp, nonce, request.body)
    if not hmac.compare_digest(made, request.headers.get("X-Signature", "")):
        return None
    if abs(now.timestamp() - float(stamp)) > LONGEST_SKEW_SECONDS:
        return None
    told: Mapping[str, Any] = json.loads(request.body)
    return {
        "answers": [(str(one["from"]), str(one["text"])) for one in told.get("answers", ())],
        "reports": [
            (str(one["reference"]), str(one["status"]), str(one.get("code", "")), str(one["id"]))
            for one in told.get("reports", ())
        ],
    }


_READERS: Final = {"twilio": _twilio, "signed": _signed}


def _notices(
    dialect: str, reports: list[tuple[str, str, str, str]], now: datetime
) -> Iterator[Notice]:
    for reference, status, code, event in reports:
        kind = Kind.HARD if code in _NOBODY else _BECAME.get(status)
        if kind is not None:
            yield Notice(
                kind=kind,
                source=f"sms:{dialect}",
                event_id=event,
                at=now,
                code=code,
                message_id=reference,
                is_trusted=True,
            )
