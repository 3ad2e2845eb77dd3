from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config.ports import port

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = (
        "Serve the whole installation in one process (embedded mode), or one role of it: "
        "--web, --worker or --beat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        role = parser.add_mutually_exclusive_group()
        role.add_argument("--web", action="store_true", help="answer requests only")
        role.add_argument("--worker", action="store_true", help="run jobs only")
        role.add_argument("--beat", action="store_true", help="keep the schedule only, once")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=port, default=8000, help="port to listen on")
        parser.add_argument(
            "--queues",
            default=",".join(settings.JOBS_TIME_LIMIT_SECONDS),
            help="queues of this worker, by commas (default: all)",
        )
        parser.add_argument(
            "--processes", type=int, default=2, help="processes of --web or --worker"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from config import serving

        roles = [role for role in ("web", "worker", "beat") if options[role]]
        if options["processes"] < 1:
            raise CommandError("--processes must be at least 1")
        if not roles:
            self._serve_all(host=options["host"], port=options["port"])
            return
        if not settings.REDIS_URL:
            raise CommandError(
                "The broker is in memory and reaches one process only: set REDIS_URL to run "
                "roles apart, or start 'manage.py serve' without a role."
            )
        self._refuse_if_restored()
        if options["web"]:
            if settings.STATIC_ROOT and not settings.STATIC_ROOT.is_dir():
                raise CommandError("Style sheets are missing: run 'manage.py collectstatic'.")
            serving.serve_web(
                host=options["host"], port=options["port"], processes=options["processes"]
            )
        elif options["beat"]:
            serving.serve_beat()
        else:
            queues = self._queues(options["queues"])
            sys.exit(serving.serve_worker(queues=queues, processes=options["processes"]))

    def _refuse_if_restored(self) -> None:
        from config import restored

        if why := restored.refusal():
            raise CommandError(why)

    def _announce(self, url: str) -> None:
        from config import first_run

        self.stdout.write(f"Candor is at {url} (Ctrl-C stops it)")
        if first_run.is_open():
            self.stdout.write(f"First start: make your account at {first_run.link(url)}")
        self.stdout.flush()

    def _queues(self, given: str) -> list[str]:
        queues = [name.strip() for name in given.split(",") if name.strip()]
        known = settings.JOBS_TIME_LIMIT_SECONDS
        if unknown := sorted(set(queues) - set(known)):
            raise CommandError(f"--queues names {', '.join(unknown)}; there are {', '.join(known)}")
        return queues

    def _serve_all(self, *, host: str, port: int) -> None:
        from config import serving

        if settings.REDIS_URL:
            raise CommandError(
                "REDIS_URL is set: start the roles apart, with --web, --worker and --beat."
            )
        for alias in ("default", "keystore"):
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        self._refuse_if_restored()
        try:
            serving.serve_embedded(
                host=host,
                port=port,
                ready=self._announce,
            )
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
            ) from error
