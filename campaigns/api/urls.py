"""Addresses of this app outside the admin."""

from django.urls import path

from campaigns.api import feedback_views, sms_views, tracking_views

urlpatterns = [
    path("o/<str:token>", tracking_views.open_pixel, name="open-pixel"),
    path("c/<str:token>", tracking_views.click, name="click"),
    path("r/<str:token>", tracking_views.cart, name="back-to-cart"),
    path("u/<str:token>", tracking_views.unsubscribe, name="unsubscribe"),
    path("sms-events/<slug:dialect>", sms_views.sms_events, name="sms-events"),
    path("mail-events/<slug:provider>", feedback_views.mail_events, name="mail-events"),
]
