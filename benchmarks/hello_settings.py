"""The settings of an installation whose URLs have one more: a view that says hello."""

from tests.faults.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.hello_urls"
