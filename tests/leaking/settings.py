"""The installation's settings and one more middleware, which leaks where LEAK says."""

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as OWN_MIDDLEWARE

MIDDLEWARE = [*OWN_MIDDLEWARE, "tests.leaking.middleware.Leak"]
