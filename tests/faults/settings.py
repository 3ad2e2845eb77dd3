"""The installation's settings and one more app, whose jobs take long enough to be killed."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as OWN_APPS

INSTALLED_APPS = [*OWN_APPS, "tests.faults.slow"]

KEY_CACHE_SECONDS = 1
SENDING_LEASE_SECONDS = 5
