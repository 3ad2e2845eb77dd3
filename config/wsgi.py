"""The WSGI application that waitress and granian serve."""

import gc
import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# A page that starts a job must not be the one that waits for Celery to load.
import_module("config.celery")

# What is loaded by now stays, and most of what a request makes is let go without the collector:
# its looks cost a fifth of a large request.
COLLECT_AFTER = 20_000
gc.collect()
gc.freeze()
gc.set_threshold(COLLECT_AFTER)
