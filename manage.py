#!/usr/bin/env python
"""Run an administrative command: `python manage.py help`."""

import os
import sys

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        str(settings.APP_ENV)
    except ImproperlyConfigured as error:
        sys.exit(f"Settings: {error}")
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        if not apps.ready:
            raise
        from config.outages import outage_of

        if (outage := outage_of(error)) is None:
            raise
        sys.exit(outage.told)
