from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from privacy import certificates
from privacy.certificates import CertificateError

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Check a certificate of an erasure: who signed it, and that nothing was altered."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the certificate, as downloaded")
        parser.add_argument(
            "--public-key",
            default="",
            help="the key it must be signed with, in base64 (default: this installation's)",
        )

    def handle(self, *args: Any, file: str, public_key: str, **options: Any) -> None:
        try:
            certificate = json.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise CommandError(f"{file} cannot be read as JSON") from None
        key = public_key or certificates.public_key()
        try:
            document = certificates.verify(certificate, expected_key=key)
        except CertificateError as error:
            raise CommandError(f"{file}: {error}") from error
        n_rows = sum(row["rows"] for row in document["tables"])
        self.stdout.write(
            f"The certificate holds: erasure {document['erasure']}, finished "
            f"{document['finished_at']}, {n_rows} rows in {len(document['tables'])} tables."
        )
