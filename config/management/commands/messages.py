from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from config import translations


class Command(BaseCommand):
    help = "Bring the Chinese catalogue up to date with the sources, or compile or check it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--compile", action="store_true", help="write what Django reads")
        parser.add_argument(
            "--check", action="store_true", help="fail if anything is missing or wrong"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["compile"]:
            translations.compile_catalogue()
            return
        catalogue = translations.updated()
        missing = [str(message.id) for message in translations.missing(catalogue)]
        if options["check"]:
            if missing:
                raise CommandError(f"{len(missing)} messages lack a translation: {missing[:20]}")
            if wrong := translations.faults(catalogue) + translations.doubled():
                raise CommandError("Wrong in the catalogue:\n" + "\n".join(wrong))
            return
        translations.write(catalogue)
        translations.compile_catalogue()
        self.stdout.write(f"{len(catalogue)} messages, {len(missing)} without a translation")
        for message in missing:
            self.stdout.write(f"  {message}")
