"""Addresses of this app outside the admin."""

from django.urls import path

from privacy.api import choices, intake

urlpatterns = [
    path("privacy/requests/", intake.ask, name="ask-about-data"),
    path("privacy/requests/<str:token>/", intake.confirm, name="confirm-request"),
    path("p/<str:token>", choices.preferences_page, name="preferences"),
    path("y/<str:token>", choices.confirm_page, name="confirm-opt-in"),
]
