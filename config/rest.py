"""Settings of REST framework and of the OpenAPI document, kept out of settings.py by their size."""

from __future__ import annotations

from typing import Any, Final

DESCRIPTION: Final = """
Keys: `sk_…` for servers, `wk_…` for browsers, `ak_…` for apps; as a Bearer token, or as the user
name of a Basic header. Every refusal is an RFC 9457 document. Amounts are decimal strings in the
currency that stands beside them, times are ISO 8601.
"""

REST_FRAMEWORK: Final[dict[str, Any]] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["privacy.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["privacy.api.authentication.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["privacy.api.parsing.ShallowJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "privacy.api.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "privacy.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "Candor",
    "DESCRIPTION": DESCRIPTION,
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CampaignStatus": "campaigns.models.campaign.Campaign.Status",
        "ConsentState": "privacy.models.consent.ConsentEntry.State",
        "DeliveryState": "campaigns.models.delivery.Delivery.State",
        "JobState": "jobs.models.job.Job.State",
        "KindEnum": "profiles.models.identifier.Identifier.Kind",
        "OrderStatus": "profiles.models.order.Order.Status",
        "TraitKind": "profiles.models.custom_trait.CustomTrait.Kind",
        "WebhookDeliveryState": "privacy.models.webhook.WebhookDelivery.State",
        "WebhookState": "privacy.models.webhook.Webhook.State",
    },
    "PREPROCESSING_HOOKS": ["privacy.api.schema.keep_v1"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "profiles.api.schema.add_tracking",
        "privacy.api.schema.add_problem",
        "privacy.api.schema.add_webhooks",
    ],
    # Our own copies of the viewers: the documentation page loads nothing from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
