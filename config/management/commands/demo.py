from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import connections
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.ports import port

FOLDER = "demo"
SESSION_SECRET = "web-session-secret"  # noqa: S105 -- the name of its file
MIN_CUSTOMERS = 100
DEFAULT_CUSTOMERS = 2_400


class Command(BaseCommand):
    help = "Make a demo shop in a folder of its own and serve it on 127.0.0.1:8000."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="stop before serving")
        parser.add_argument("--fresh", action="store_true", help="make the shop anew")
        parser.add_argument("--port", type=port, default=8000, help="port to listen on")
        parser.add_argument(
            "--customers",
            type=int,
            default=DEFAULT_CUSTOMERS,
            help="how many; a small shop is made sooner",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.APP_ENV != "embedded" or os.environ.get("DATABASE_URL"):
            raise CommandError("The demo runs in embedded mode only: unset DATABASE_URL, APP_ENV.")
        if options["customers"] < MIN_CUSTOMERS:
            raise CommandError(f"--customers must be at least {MIN_CUSTOMERS}")
        if settings.VAR_DIR.name != FOLDER:
            self._start_in_its_own_folder(settings.VAR_DIR / FOLDER, port=options["port"])
        started = perf_counter()
        password = self._prepare(
            options["customers"], fresh=options["fresh"], quiet=options["verbosity"] == 0
        )
        self._say(password, seconds=perf_counter() - started, port=options["port"])
        if not options["no_serve"]:
            call_command("serve", port=options["port"])

    def _start_in_its_own_folder(self, folder: Path, *, port: int) -> None:
        # Settings are read once, so another folder means another process.
        public = {"PUBLIC_URL": f"http://127.0.0.1:{port}"}
        environ = {**public, **os.environ, "VAR_DIR": str(folder)}
        command = [sys.executable, *sys.argv]
        sys.stdout.flush()
        os.execve(sys.executable, command, environ)  # noqa: S606 -- our own command line again

    def _prepare(self, n_customers: int, *, fresh: bool, quiet: bool) -> str:
        from config.demo import making

        if fresh or not making.is_whole():
            connections.close_all()
            # The folder is the demo's own: a checkpoint that was left would accuse the new log.
            clear(settings.VAR_DIR, settings.KEYS_DIR)
        for alias in ("default", "keystore"):
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        password = secrets.token_urlsafe(9)
        if making.is_whole():
            making.renew_password(password)
            return password
        steps = making.steps(password, now=timezone.now(), n_customers=n_customers)
        self._make(steps, quiet=quiet)
        return password

    def _make(self, steps: list[tuple[str, Callable[[], object]]], *, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description:32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        console = Console(stderr=True)
        with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
            task = bar.add_task("", total=len(steps))
            for title, act in steps:
                bar.update(task, description=title)
                if not console.is_terminal and not quiet:
                    self.stderr.write(f"  {title}")
                act()
                bar.advance(task)

    def _say(self, password: str, *, seconds: float, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        self.stdout.write(
            f"\nThe demo shop is ready ({seconds:.0f} s).\n\n"
            f"  Home              {url}/admin/\n"
            f"  A finished test   {url}/admin/campaigns/campaign/1/report/\n"
            f"  Why this product  {url}/admin/recommendations/trainingrun/inspect/\n"
            f"  The storefront    {url}/demo/shop/\n\n"
            f"  User name  demo\n"
            f"  Password   {password}\n"
        )


def clear(folder: Path, keys: Path) -> None:
    """Delete all of a demo but the secret that this process signs sessions with already."""
    for path in folder.iterdir():
        if path != keys:
            _remove(path)
    for path in keys.iterdir():
        if path.name != SESSION_SECRET:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
