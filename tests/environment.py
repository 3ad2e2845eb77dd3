"""Where the suite runs: in a `VAR_DIR` of its own, on SQLite files or on given servers.

A plugin named in pyproject.toml and not a part of conftest.py: pytest-django reads the
settings before any conftest is imported.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

VAR_DIR = Path(tempfile.mkdtemp(prefix="candor-tests-"))
DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "")
if REDIS_URL:
    # Each process of the run has a Redis database of its own, as it has a PostgreSQL one.
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    REDIS_URL = urlsplit(REDIS_URL)._replace(path=f"/{number}").geturl()

(VAR_DIR / "static").mkdir()
os.environ["VAR_DIR"] = str(VAR_DIR)
if DATABASE_URL:
    os.environ["DATABASE_URL"] = DATABASE_URL
    os.environ["KEYSTORE_DATABASE_URL"] = f"{DATABASE_URL}_keystore"
if REDIS_URL:
    os.environ["REDIS_URL"] = REDIS_URL
