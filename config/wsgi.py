"""The WSGI application that waitress and granian serve."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# A page that starts a job must not be the one that waits for Celery to load.
import_module("config.celery")
