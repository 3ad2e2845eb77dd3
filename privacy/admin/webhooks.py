"""Webhooks: the list, and the form on which one is made and changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from privacy import event_types, webhooks
from privacy.admin import webhook_pages
from privacy.admin.confirming import ConfirmedChanges
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Webhook, WebhookDelivery
from privacy.problems import DomainError


class WebhookForm(forms.ModelForm[Webhook]):
    """A webhook: its name, where it leads, what it listens to."""

    event_types = forms.MultipleChoiceField(
        label=_("Events"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Who hears of customers hears of their erasure too."),
    )

    class Meta:
        model = Webhook
        fields = ["name", "url", "event_types"]
        help_texts = {"url": _("https, for example https://erp.shop.example/hooks/candor.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(field := self.fields.get("event_types"), forms.MultipleChoiceField):
            known = (one for one in event_types.all_types() if one.name != webhooks.TEST)
            field.choices = [(one.name, f"{one.title} ({one.name})") for one in known]

    def clean_url(self) -> str:
        try:
            return webhooks.checked_url(self.cleaned_data["url"])
        except DomainError as error:
            raise ValidationError(error.detail) from error

    def clean(self) -> dict[str, Any] | None:
        if self.instance._state.adding and Webhook.objects.count() >= webhooks.MOST_WEBHOOKS:
            raise ValidationError(_("There are too many webhooks; delete one first."))
        return super().clean()


@admin.register(Webhook)
class WebhookAdmin(ConfirmedChanges, ThemedAdmin[Webhook]):
    """The secret is shown once when it is made; the rest is on the webhook's own page."""

    form = WebhookForm
    list_display = ["name", "host", "shown_state", "last_reply", "n_waiting", "n_failed"]
    list_filter = ["state"]
    ordering = ["name"]
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        tried = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), n_attempts__gt=0)
        tried = tried.order_by("-pk")
        state, states = "deliveries__state", WebhookDelivery.State
        return (
            super()
            .get_queryset(request)
            .annotate(
                last_status=Subquery(tried.values("status")[:1]),
                last_reason=Subquery(tried.values("reason")[:1]),
                waiting=Count("deliveries", filter=Q(**{state: states.WAITING})),
                failed=Count("deliveries", filter=Q(**{state: states.FAILED})),
            )
        )

    @admin.display(description=_("Address"), ordering="url")
    def host(self, webhook: Webhook) -> str:
        return webhook.url.split("/")[2]

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, webhook: Webhook) -> str:
        words, tone = webhook_pages.state_of(webhook)
        return format_html('<span class="c-chip {}">{}</span>', tone, words)

    @admin.display(description=_("Last answer"))
    def last_reply(self, webhook: Webhook) -> str:
        return webhook_pages.answer_of(webhook.last_status, webhook.last_reason or "") or "–"  # type: ignore[attr-defined]

    @admin.display(description=_("Waiting"))
    def n_waiting(self, webhook: Webhook) -> int:
        return int(webhook.waiting)  # type: ignore[attr-defined]

    @admin.display(description=_("Failed"))
    def n_failed(self, webhook: Webhook) -> int:
        return int(webhook.failed)  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, "privacy_webhook"
        return [
            path("<int:pk>/change/", view(webhook_pages.webhook_page), name=f"{name}_change"),
            path("<slug:object_id>/edit/", view(self.change_view), name=f"{name}_edit"),
            path("<int:pk>/do/<str:act>/", view(webhook_pages.do_action), name=f"{name}_do"),
            path("messages/<int:pk>/", view(webhook_pages.delivery_page), name=f"{name}_delivery"),
            path(
                "messages/<int:pk>/replay/",
                view(webhook_pages.replay_action),
                name=f"{name}_replay",
            ),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:  # noqa: FBT001
        given, now, actor = form.cleaned_data, timezone.now(), f"staff:{request.user.pk}"
        name, url, chosen = given["name"], given["url"], given["event_types"]
        if change:
            webhooks.change(obj, name=name, url=url, chosen=chosen, actor=actor, now=now)
            return
        made, secret = webhooks.create(name, url, chosen, actor=actor, now=now)
        obj.__dict__.update(made.__dict__)
        obj.plaintext = secret  # type: ignore[attr-defined]  # for the answer to this request

    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        return webhook_pages.show_secret(request, obj, obj.plaintext)  # type: ignore[attr-defined]

    def response_change(self, request: HttpRequest, obj: Webhook) -> HttpResponse:
        return redirect("admin:privacy_webhook_change", obj.pk)
