"""Start-up: `manage.py check` against loading the libraries that it stands on.

The floor sets Django up with the same libraries and none of our code: what is left over is
ours, our models, pages, routes and checks.
"""

from __future__ import annotations

import tempfile

from benchmarks.frame import Result, in_turns, python, sample

FLOOR = """
import django
from django.conf import settings
settings.configure(SECRET_KEY="floor", INSTALLED_APPS=[
    "unfold", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles",
    "rest_framework", "drf_spectacular"])
django.setup()
import django.contrib.admin, drf_spectacular.utils, rest_framework.generics, unfold.admin
import cryptography.hazmat.primitives.ciphers.aead, msgspec
"""


def run() -> Result:
    with tempfile.TemporaryDirectory() as folder:
        environ = {"VAR_DIR": folder}
        found = in_turns(
            {
                "floor": lambda: sample(python("-c", FLOOR), {}),
                "check": lambda: sample(python("manage.py", "check"), environ),
            }
        )
    floor, check = found["floor"], found["check"]
    return Result(
        name="startup: manage.py check / its libraries",
        figures={
            "check CPU / floor CPU": check.cpu / floor.cpu,
            "check CPU (s)": check.cpu,
            "floor CPU (s)": floor.cpu,
            "check wall (s)": check.wall,
            "check peak memory (MB)": check.rss_mb,
        },
        budgets={"check CPU / floor CPU": 2.0, "check peak memory (MB)": 110},
    )
