"""Addresses of this app outside the admin."""

from django.urls import path, re_path

from campaigns.api import (
    campaigns,
    decisions,
    feedback_views,
    messages,
    pictures,
    push_views,
    signup_views,
    sms_views,
    tracking_views,
)

urlpatterns = [
    path("v1/campaigns", campaigns.CampaignsView.as_view(), name="campaigns"),
    path("v1/campaigns/<uuid:uuid>", campaigns.CampaignView.as_view(), name="campaign"),
    path("v1/campaigns/<uuid:uuid>/report", campaigns.ReportView.as_view(), name="campaign-report"),
    path(
        "v1/campaigns/<uuid:uuid>/deliveries",
        campaigns.DeliveriesView.as_view(),
        name="campaign-deliveries",
    ),
    path("v1/campaigns/<uuid:uuid>/test", campaigns.TestView.as_view(), name="campaign-test"),
    path("v1/campaigns/<uuid:uuid>/schedule", campaigns.ScheduleView.as_view()),
    path("v1/campaigns/<uuid:uuid>/pause", campaigns.PauseView.as_view()),
    path("v1/campaigns/<uuid:uuid>/resume", campaigns.ResumeView.as_view()),
    path("v1/campaigns/<uuid:uuid>/cancel", campaigns.CancelView.as_view()),
    path("v1/messages", messages.MessagesView.as_view(), name="messages"),
    path("v1/messages/<uuid:uuid>", messages.MessageView.as_view(), name="message"),
    path("v1/coupons/<str:code>/validate", messages.ValidateView.as_view()),
    path("v1/coupons/<str:code>/redeem", messages.RedeemView.as_view()),
    re_path(
        r"^i/(?P<sha256>[0-9a-f]{64})\.(?P<extension>png|jpg|gif|webp)$",
        pictures.picture,
        name="picture",
    ),
    path("v1/decisions", decisions.DecisionsView.as_view(), name="decisions"),
    path("v1/decisions/seen", decisions.SeenView.as_view(), name="decision-seen"),
    path("v1/push/key", push_views.PushKeyView.as_view(), name="push-key"),
    path("v1/push/subscriptions", push_views.PushSubscriptionsView.as_view(), name="push"),
    path("v1/push/subscriptions/end", push_views.PushForgetView.as_view(), name="push-end"),
    path("o/<str:token>", tracking_views.open_pixel, name="open-pixel"),
    path("c/<str:token>", tracking_views.click, name="click"),
    path("r/<str:token>", tracking_views.cart, name="back-to-cart"),
    path("u/<str:token>", tracking_views.unsubscribe, name="unsubscribe"),
    path("f/<slug:key>", signup_views.form_page, name="sign-up"),
    path("s/<str:token>", signup_views.confirm_page, name="confirm-sign-up"),
    path("sms-events/<slug:dialect>", sms_views.sms_events, name="sms-events"),
    path("mail-events/<slug:provider>", feedback_views.mail_events, name="mail-events"),
]
