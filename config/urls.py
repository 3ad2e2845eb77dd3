from django.contrib import admin
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from config import documentation, storefront
from config.admin.checklist import hide_action
from config.admin.demo import remove_page
from config.admin.first_run import first_run_page
from privacy.admin.fairness import fairness_page
from privacy.admin.overview import privacy_home
from privacy.admin.processing import record_file, record_page
from profiles.admin.connect import connect_page, light
from profiles.admin.debugger import debugger_page

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="root"),
    path("favicon.ico", lambda _request: redirect(static("candor/icon.svg"))),
    path("setup/", first_run_page, name="first-run"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/checklist/hide/", hide_action, name="hide-checklist"),
    path("admin/demo/remove/", remove_page, name="remove-demo"),
    path("admin/connect/", connect_page, name="connect"),
    path("admin/connect/<int:source>/light/", light, name="connect-light"),
    path("admin/events/", debugger_page, name="event-debugger"),
    path("admin/fairness/", fairness_page, name="fairness"),
    path("admin/privacy/", privacy_home, name="privacy-home"),
    path("admin/privacy/record/", record_page, name="privacy-record"),
    path("admin/privacy/record.<str:form>", record_file, name="privacy-record-file"),
    path("admin/", admin.site.urls),
    path("demo/shop/", storefront.shop_page, name="storefront"),
    path("demo/shop/log/", storefront.log_page, name="storefront-log"),
    path("v1/", include("profiles.api.urls")),
    path("v1/", include("recommendations.api.urls")),
    path("v1/", include("jobs.api.urls")),
    path("v1/schema", documentation.schema, name="schema"),
    path("v1/docs", documentation.swagger, name="docs"),
    path("v1/redoc", documentation.redoc, name="redoc"),
    path("", include("privacy.api.urls")),
    path("", include("campaigns.api.urls")),
]

handler400 = "config.fallbacks.bad_request"
handler403 = "config.fallbacks.permission_denied"
handler404 = "config.fallbacks.not_found"
handler500 = "config.fallbacks.server_error"
