"""The page of one webhook with its buttons and what was sent, and the page of one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from privacy import event_types, posting, requests, webhooks
from privacy.admin.confirming import ask_again, is_recent
from privacy.admin.viewing import shown_once
from privacy.models import Webhook, WebhookDelivery
from privacy.problems import DomainError

PAGE = 50
CHANGE = "privacy.change_webhook"
REPLAY = "privacy.replay_webhookdelivery"
REASONS = {
    "connection_lost": _("It broke off"),
    "gone": _("It answered that it is gone"),
    "http_error": _("It refused"),
    "invalid_url": _("Its address cannot be read"),
    "not_connected": _("Nobody listens there"),
    "not_http": _("Its answer is not HTTP"),
    "redirect": _("It redirected, which is not followed"),
    "refused_address": _("Its name leads into a network that is not let in"),
    "timeout": _("No whole answer within 5 seconds"),
    "tls_failed": _("Its certificate does not hold"),
    "unresolved": _("Nobody knows its name"),
    "webhook_disabled": _("The webhook was disabled"),
    "worker_lost": _("The worker died over it"),
}
TONES = {
    WebhookDelivery.State.DELIVERED: "is-good",
    WebhookDelivery.State.FAILED: "is-bad",
    WebhookDelivery.State.WAITING: "is-warn",
}


def state_of(webhook: Webhook) -> tuple[str, str]:
    """Return the state in words, and the class of its colour."""
    if webhook.is_enabled and webhook.failing_since:
        return gettext("Failing"), "is-warn"
    if webhook.is_enabled:
        return webhook.get_state_display(), "is-good"
    by_hand = webhook.state == Webhook.State.DISABLED
    return webhook.get_state_display(), "" if by_hand else "is-bad"


def answer_of(status: int | None, reason: str) -> str:
    """Return what came back, or why nothing did, in words; empty before the first attempt."""
    words = str(REASONS.get(reason, reason))
    return " · ".join(part for part in (str(status or ""), words) if part)


def webhook_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One webhook: how it fares, what may be done, what was sent."""
    webhook = _found(request, pk)
    states = WebhookDelivery.State
    state = request.GET.get("state", "")
    rows = webhook.deliveries.select_related("message").order_by("-pk")
    if state in states.values:
        rows = rows.filter(state=state)
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        rows = rows.filter(pk__lt=min(int(before[:19]), 2**63 - 1))
    shown = list(rows[: PAGE + 1])
    counts = dict(webhook.deliveries.order_by().values_list("state").annotate(Count("pk")))
    words, tone = state_of(webhook)
    context = {
        **admin.site.each_context(request),
        **_frame(webhook),
        "state_words": words,
        "tone": tone,
        "types": [one for one in event_types.all_types() if one.name in webhook.event_types],
        "is_rotating": webhook.rotated_until and webhook.rotated_until > timezone.now(),
        "rows": [_shown(row) for row in shown[:PAGE]],
        "older": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "is_first": not before,
        "state": state,
        "tabs": [(value, label, counts.get(value, 0)) for value, label in states.choices],
        "n_rows": sum(counts.values()),
        "since": timezone.now() - timedelta(days=1),
        "may": {"change": request.user.has_perm(CHANGE), "replay": request.user.has_perm(REPLAY)},
    }
    return render(request, "privacy/admin/webhook.html", context)


def delivery_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One message on its way to one webhook: what it says, and each attempt."""
    row = _delivery(request, pk)
    tries = row.attempts.order_by("pk")
    context = {
        **admin.site.each_context(request),
        **_frame(row.webhook),
        "subtitle": row.message.wire_id,
        "row": _shown(row),
        "attempts": [(one, answer_of(one.status, one.reason)) for one in tries],
        "body": json.dumps(row.message.envelope, ensure_ascii=False, indent=2),
        "may": {"replay": request.user.has_perm(REPLAY)},
    }
    return render(request, "privacy/admin/webhook_delivery.html", context)


def _frame(webhook: Webhook) -> dict[str, Any]:
    return {"title": webhook.name, "webhook": webhook, "zone": requests.zone()}


def _shown(row: WebhookDelivery) -> dict[str, Any]:
    """A delivery as both pages show it."""
    try:
        title = str(event_types.find(row.message.type).title)
    except LookupError:  # of an app that is not installed any more
        title = row.message.type
    return {
        "delivery": row,
        "title": title,
        "tone": TONES.get(WebhookDelivery.State(row.state), ""),
        "answer": answer_of(row.status, row.reason),
        "has_ended": row.ended_at is not None,
    }


def _delivery(request: HttpRequest, pk: int) -> WebhookDelivery:
    rows = WebhookDelivery.objects.select_related("webhook", "message")
    row = get_object_or_404(rows, pk=pk)
    _found(request, row.webhook_id)
    return row


def _found(request: HttpRequest, pk: int) -> Webhook:
    if not request.user.has_perm("privacy.view_webhook"):
        raise Http404
    return get_object_or_404(Webhook, pk=pk)


# Buttons ----------------------------------------------------------------------------------


@require_POST
def do_action(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Do what a button of the page says; what changes the webhook asks who it is."""
    webhook = _found(request, pk)
    permission, verb = ACTS.get(act, ("", None))
    if verb is None or not request.user.has_perm(permission):
        raise Http404
    if permission != REPLAY and not is_recent(request, timezone.now()):
        return ask_again(request)
    try:
        answer = verb(webhook, request, timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
        answer = None
    return answer or redirect("admin:privacy_webhook_change", pk)


@require_POST
def replay_action(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm(REPLAY):
        raise Http404
    row = _delivery(request, pk)
    try:
        webhooks.replay(row, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, gettext("It is sent again."))
    return redirect("admin:privacy_webhook_change", row.webhook_id)


def _rotate(webhook: Webhook, request: HttpRequest, now: datetime) -> HttpResponse:
    return show_secret(request, webhook, webhooks.rotate(webhook, actor=_actor(request), now=now))


def _end_old(webhook: Webhook, request: HttpRequest, now: datetime) -> None:
    webhooks.end_old_secret(webhook, actor=_actor(request), now=now)
    messages.success(request, gettext("Messages bear the new signature alone."))


def _switch(webhook: Webhook, request: HttpRequest, now: datetime) -> None:
    on = not webhook.is_enabled
    changed = webhooks.change(webhook, is_enabled=on, actor=_actor(request), now=now)
    messages.success(request, changed.get_state_display())


def _delete(webhook: Webhook, request: HttpRequest, now: datetime) -> HttpResponse:
    webhooks.delete(webhook, actor=_actor(request), now=now)
    messages.success(request, gettext("%(name)s is deleted.") % {"name": webhook.name})
    return redirect("admin:privacy_webhook_changelist")


def _test(webhook: Webhook, request: HttpRequest, now: datetime) -> None:
    sent = webhooks.test_message(webhook, now=now)
    posting.send_now(sent, now)
    tell = messages.success if sent.state == WebhookDelivery.State.DELIVERED else messages.error
    answer = answer_of(sent.status, sent.reason)
    tell(request, gettext("The test was answered: %(answer)s") % {"answer": answer})


def _replay_failed(webhook: Webhook, request: HttpRequest, now: datetime) -> None:
    try:
        since = parse_datetime(request.POST.get("since", ""))
    except ValueError:
        since = None
    if since is None:
        messages.error(request, gettext("Write the moment as 2026-03-01 08:00."))
        return
    since = since if since.tzinfo else since.replace(tzinfo=requests.zone())
    n_again = webhooks.replay_failed(webhook, since=since, now=now)
    messages.success(request, gettext("Messages sent again: %(n)d") % {"n": n_again})


Act = Callable[[Webhook, HttpRequest, datetime], HttpResponse | None]
ACTS: dict[str, tuple[str, Act]] = {
    "rotate": (CHANGE, _rotate),
    "end-old": (CHANGE, _end_old),
    "switch": (CHANGE, _switch),
    "delete": ("privacy.delete_webhook", _delete),
    "test": (REPLAY, _test),
    "replay": (REPLAY, _replay_failed),
}


def show_secret(request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
    back = reverse("admin:privacy_webhook_change", args=[webhook.pk])
    return shown_once(request, gettext("The new secret"), [(webhook.name, secret)], back=back)


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.pk}"
