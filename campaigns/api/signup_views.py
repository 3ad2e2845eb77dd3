"""The public pages of sign-up forms, alone or in a frame of the shop's site; no script, no cookie."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import signing_up
from campaigns.models import SignUpForm
from privacy.api.addresses import address_of
from privacy.models import Shop
from privacy.problems import DomainError

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from campaigns.models import SignUp, SignUpText

TRAP = "website"


@csrf_exempt  # nobody is signed in here, and a framed page gets no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def form_page(request: HttpRequest, key: str) -> HttpResponse:
    form = SignUpForm.objects.filter(key=key).first()
    text = signing_up.text_of(form, _language(request)) if form else None
    if form is None or text is None:
        raise Http404
    with translation.override(text.locale):
        if request.method != "POST":
            return _shown(request, form, text)
        return _taken(request, form, text)


def _taken(request: HttpRequest, form: SignUpForm, text: SignUpText) -> HttpResponse:
    posted = request.POST
    given = signing_up.Given(
        email=posted.get("email", "").strip(),
        full_name=posted.get("full_name", "").strip(),
        phone=posted.get("phone", "").strip(),
        topics=posted.getlist("topics"),
    )
    if not posted.get(TRAP):  # a program filled in what nobody sees: it is answered like anybody
        try:
            signing_up.ask(form, text, given, visitor=address_of(request), now=timezone.now())
        except DomainError as error:
            return _shown(request, form, text, error.status, error=error, given=given)
    told = {"sent": "1", "language": text.locale} | ({"framed": "1"} if _framed(request) else {})
    return redirect(f"{request.path}?{urlencode(told)}")


def _shown(
    request: HttpRequest,
    form: SignUpForm,
    text: SignUpText,
    status: int = HTTPStatus.OK,
    **facts: Any,
) -> HttpResponse:
    step = "sent" if "sent" in request.GET else "ask" if form.is_open else "closed"
    shown = form.topics.filter(is_shown=True).order_by("position", "key")
    context = {
        "step": step,
        "shop": Shop.current().name,
        "form": form,
        "text": text,
        "topics": [(one.key, one.title(text.locale), one.note(text.locale)) for one in shown],
        "locales": sorted(form.texts.values_list("locale", flat=True)),
        "framed": _framed(request),
        **facts,
    }
    answer = render(request, "campaigns/sign_up.html", context, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    if form.origins:
        answer.xframe_options_exempt = True  # the policy says who may
        vars(answer)["_csp_replace"] = {"frame-ancestors": list(form.origins)}
    return answer


@csrf_exempt  # the token in the address is the authority; there is no session to ride on
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button on GET and confirm on POST: programs that look at links change nothing."""
    now = timezone.now()
    asked = signing_up.find(token, now=now)
    with translation.override(asked.locale if asked else _language(request)):
        if asked is None:
            return _confirm(request, "over", status=HTTPStatus.NOT_FOUND)
        if request.method == "POST":
            asked = signing_up.confirm(token, now=now) or asked
        return _confirm(request, "done" if asked.confirmed_at else "confirm", asked)


def _confirm(
    request: HttpRequest, step: str, asked: SignUp | None = None, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = {"step": step, "shop": Shop.current().name, "asked": asked, "action": request.path}
    answer = render(request, "campaigns/sign_up_confirm.html", context, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _framed(request: HttpRequest) -> bool:
    return "framed" in request.GET


def _language(request: HttpRequest) -> str:
    return request.GET.get("language", "") or translation.get_language_from_request(request)
