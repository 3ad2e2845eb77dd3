"""Every setting once. `APP_ENV` is the one switch: `embedded` (default) or `production`."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
from django.conf import global_settings
from django.utils.translation import gettext_lazy as _

from config import mail, policy, rest, theme
from config.databases import database
from config.env import Env, kept_secret
from config.observability import logging_settings

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(os.environ)

# Mode and files ---------------------------------------------------------------------------
APP_ENV = env.mode
DEBUG = False
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var")))
KEYS_DIR = VAR_DIR / "keys"
SECRET_KEY = env.text(
    "SECRET_KEY", embedded="" if env.production else kept_secret(KEYS_DIR / "web-session-secret")
)
LOCAL_URL = "http://127.0.0.1:8000"
PUBLIC_URL = env.text("PUBLIC_URL", embedded=LOCAL_URL).rstrip("/")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", embedded="127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []

# Apps -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config",
    "campaigns",
    "recommendations",
    "profiles",
    "privacy",
    "jobs",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
]
MIDDLEWARE = [
    "config.health.Probes",
    "django.middleware.security.SecurityMiddleware",
    "config.policy.ContentPolicy",
    "config.policy.Permissions",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.observability.RequestLog",
    "config.restored.RestoreGate",
    "privacy.api.gate.ApiGate",
    "recommendations.api.quick.QuickLists",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.unseen.Looking",
    "django.contrib.messages.middleware.MessageMiddleware",
    "privacy.admin.confirming.StaffDoor",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Data -------------------------------------------------------------------------------------
DATABASES = {
    "default": database(
        env.text("DATABASE_URL", embedded=f"sqlite:///{VAR_DIR / 'candor.sqlite3'}")
    ),
    "keystore": database(
        env.text("KEYSTORE_DATABASE_URL", embedded=f"sqlite:///{VAR_DIR / 'keystore.sqlite3'}")
    ),
}
DATABASE_ROUTERS = ["privacy.routing.KeystoreRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.text("REDIS_URL", embedded="")
CACHES = {
    "default": {
        "BACKEND": "privacy.counting.CountingCache",
        "LOCATION": REDIS_URL,
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# Background work --------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL or "memory://localhost"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_TIME_LIMIT = 120
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 700_000  # KiB; a process above it is replaced after its task
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    }
    if REDIS_URL
    else {"polling_interval": 0.02}
)
CELERY_TIMEZONE = "UTC"
JOBS_CELERY_APP = "config.celery.app"
JOBS_BATCH_IN_CHILD = not REDIS_URL
JOBS_TIME_LIMIT_SECONDS = {
    "critical": 120,
    "send": 120,
    "default": 120,
    "batch": env.number("JOBS_BATCH_SECONDS", 3000),
}
RECOMMENDATIONS_MEMORY_MB = env.number("RECOMMENDATIONS_MEMORY_MB", 1024)
SENDING_LEASE_SECONDS = 60  # a worker silent for so long is dead, its messages are free

# People -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "privacy.Staff"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "privacy.roles.RoleBackend"]
STAFF_MFA = env.choice(
    "STAFF_MFA", "required" if env.production else "optional", "required", "optional"
)
SESSION_COOKIE_AGE = 8 * 3600
# Ten wrong passwords for a name from one address shut that pair out, never all behind a proxy.
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "privacy.api.addresses.address_of"
AXES_LOCKOUT_CALLABLE = "privacy.admin.lockout.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = [] if REDIS_URL else ["axes.W001"]  # one process counts in memory
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
KEY_PROVIDER = env.text("KEY_PROVIDER", "file")
KEY_ROOT = env.text("KEY_ROOT", "")
KEY_CACHE_SECONDS = 300  # how long a process may hold a person's key; rotation waits twice that

# Logs -------------------------------------------------------------------------------------
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOG_FORMAT = env.text("LOG_FORMAT", "json" if env.production else "text")
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.unseen.NoValues"
LOGGING = logging_settings(level=LOG_LEVEL, form=LOG_FORMAT)

# Languages and time -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True
TIME_ZONE = "UTC"
SHOP_CURRENCY = env.text("SHOP_CURRENCY", "EUR")
SHOP_TIME_ZONE = env.text("SHOP_TIME_ZONE", "UTC")

# Mail: with neither an ESP nor SMTP_URL messages are written to the outbox folder ------------
MAIL_ESP = env.text("MAIL_ESP", "").lower()
ANYMAIL = mail.anymail(MAIL_ESP, env.items("MAIL_ESP_SETTINGS", ""))
SMTP_URL = env.text("SMTP_URL", "" if MAIL_ESP else None, embedded="")
SMS_URL = env.text("SMS_URL", "")
STAFF_ROBOTS = env.items("STAFF_ROBOTS", "")
DKIM_KEY = env.text("DKIM_KEY", "")
DKIM_SELECTOR = env.text("DKIM_SELECTOR", "")
BOUNCE_MAILBOX_URL = env.text("BOUNCE_MAILBOX_URL", "")
OUTBOX_DIR = VAR_DIR / "outbox"

# Files of forms: sealed as they arrive, never in a temporary folder -------------------------
FILE_UPLOAD_HANDLERS = ["profiles.importing.receiving.SealingHandler"]

# Static files -----------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if env.production else None
WHITENOISE_USE_FINDERS = not env.production
WHITENOISE_IMMUTABLE_FILE_TEST = r"\.[0-9a-f]{12}\.|/snippet/\d+\.\d+\.\d+/"
if env.production:
    STORAGES = {
        **global_settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

UNFOLD = theme.UNFOLD

# API --------------------------------------------------------------------------------------
REST_FRAMEWORK = rest.REST_FRAMEWORK
API_MAX_BODY_BYTES = 5_242_880  # a thousand orders or customers; events have a limit of their own
DATA_UPLOAD_MAX_MEMORY_SIZE = API_MAX_BODY_BYTES
SPECTACULAR_SETTINGS = rest.SPECTACULAR_SETTINGS

# Transport security: the embedded mode listens on loopback without TLS ---------------------
_https = urlsplit(PUBLIC_URL).scheme == "https"
SECURE_SSL_REDIRECT = _https
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 1 if env.production else 0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.production else None
WEBHOOK_ALLOWED_NETWORKS = env.items("WEBHOOK_ALLOWED_NETWORKS", "")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy.DIRECTIVES}

env.check()
