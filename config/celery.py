"""The Celery application; its messages only wake workers up, the rows are the truth."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun
from django.conf import settings

from config.schedule import recurring

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("candor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = recurring(settings.JOBS_TIME_LIMIT_SECONDS)
app.autodiscover_tasks()


@setup_logging.connect
def keep_own_logging(**_: Any) -> None:
    """Being connected, it keeps Celery from replacing the logging that settings configure."""


@task_postrun.connect
def forget_keys_of_people(**_: Any) -> None:
    """Hold nobody's key longer than the task that needed it."""
    from privacy.keystore import keystore  # noqa: PLC0415 -- its models load later than this

    keystore.forget_subjects()
