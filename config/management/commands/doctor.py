from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from config import probes
from config.probes import Finding, Level
from config.settings import env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SECRET_WORDS = ("SECRET", "PASSWORD", "TOKEN", "KEY_ROOT")


class Command(BaseCommand):
    help = "Show the settings in force and look at all the installation stands on."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for name, value in sorted(env.effective.items()):
            self.stdout.write(f"      {name} = {shown(name, value)}")
        failed = False
        for found in findings(timezone.now()):
            failed = failed or found.level == Level.FAIL
            self.stdout.write(f"{found.level:4}  {found.name}: {found.text}")
            if found.remedy:
                self.stdout.write(f"      -> {found.remedy}")
        if failed:
            sys.exit(1)


def findings(now: datetime) -> Iterator[Finding]:
    for alias in ("default", "keystore"):
        yield probes.database(alias)
        yield probes.migrations(alias)
    yield probes.broker()
    yield probes.keys()
    yield probes.key_files()
    yield probes.person_keys()
    yield probes.erasures()
    yield probes.audit_log()
    yield probes.disk()
    yield probes.clock(now)
    yield probes.scheduler(now)
    yield from probes.workers(now)
    yield probes.backlog(now)


def shown(name: str, value: str) -> str:
    """Return the value of a setting without what it keeps secret."""
    if not value:
        return "-"
    if any(word in name for word in SECRET_WORDS):
        return "(set)"
    if "://" not in value:
        return value
    # A query may hold a password too (`?password=`).
    without_account = re.sub(r"//.*@", "//***@", value)
    return re.sub(r"\?.*", "?***", without_account)
