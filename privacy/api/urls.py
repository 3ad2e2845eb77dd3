"""Addresses of this app outside the admin."""

from django.urls import path

from privacy.api import choices, intake, webhooks

urlpatterns = [
    path("privacy/requests/", intake.ask, name="ask-about-data"),
    path("privacy/requests/<str:token>/", intake.confirm, name="confirm-request"),
    path("v1/webhooks", webhooks.WebhooksView.as_view(), name="webhooks"),
    path("v1/webhooks/<uuid:uuid>", webhooks.WebhookView.as_view(), name="webhook"),
    *(
        path(f"v1/webhooks/<uuid:uuid>/{verb}", view.as_view(), name=f"webhook-{verb}")
        for verb, view in {
            "deliveries": webhooks.DeliveriesView,
            "replay": webhooks.ReplayView,
            "rotate": webhooks.RotateWebhookView,
            "test": webhooks.TestWebhookView,
        }.items()
    ),
    path("p/<str:token>", choices.preferences_page, name="preferences"),
    path("y/<str:token>", choices.confirm_page, name="confirm-opt-in"),
]
