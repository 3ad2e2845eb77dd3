#!/usr/bin/env python
"""Run an administrative command: `python manage.py help`."""

import atexit
import gc
import os
import sys

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, execute_from_command_line
from django.core.management.base import SystemCheckError
from django.core.management.color import color_style


def load() -> None:
    """Load the apps; they stay, so that no search for garbage looks at them, nor one at the end."""
    gc.disable()
    django.setup()
    gc.freeze()
    gc.enable()
    atexit.register(gc.freeze)


def run(argv: list[str]) -> None:
    """Run a command; its error is told by its text alone, or with `--traceback` by all there is."""
    is_command = len(argv) > 1 and argv[1].isidentifier() and argv[1] not in {"help", "version"}
    if not is_command or "--traceback" in argv:
        execute_from_command_line(argv)
        return
    try:
        execute_from_command_line([*argv[:2], "--traceback", *argv[2:]])
    except CommandError as error:
        is_written = isinstance(error, SystemCheckError)
        sys.stderr.write(f"{error if is_written else color_style().ERROR(str(error))}\n")
        sys.exit(error.returncode)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        str(settings.APP_ENV)
    except ImproperlyConfigured as error:
        sys.exit(f"Settings: {error}")
    try:
        load()
        run(sys.argv)
    except Exception as error:
        if not apps.ready:
            raise
        from config.outages import outage_of

        if (outage := outage_of(error)) is None:
            raise
        sys.exit(outage.told)
