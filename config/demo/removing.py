"""Removing the demo: its folder goes, whole, and the server that stands on it stops."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
from threading import Timer

from django.conf import settings
from django.db import connections

from privacy.models import Shop

FOLDER = "demo"
ANSWER_FIRST_SECONDS = 1.0


class NotADemoError(Exception):
    """The installation holds a real shop; nothing was removed."""


def check() -> None:
    """Raise NotADemoError unless the whole installation is the demo's."""
    if settings.VAR_DIR.name != FOLDER or not Shop.current().is_demo:
        raise NotADemoError


def remove_and_stop() -> None:
    """Delete the demo's folder and stop this process, once the page is answered."""
    check()
    Timer(ANSWER_FIRST_SECONDS, _remove_and_stop).start()


def _remove_and_stop() -> None:
    connections.close_all()
    shutil.rmtree(settings.VAR_DIR, ignore_errors=True)
    # A job under way may still have written there; once it has ended nothing does.
    atexit.register(shutil.rmtree, settings.VAR_DIR, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
