from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from profiles.importing import samples
from profiles.models import Customer


class Command(BaseCommand):
    help = "Write made-up customers.csv and consents.csv, for trying things out; nobody is real."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--count", type=int, default=2000, help="how many, numbered from 1")
        parser.add_argument(
            "--known", action="store_true", help="for the customers there are, not for new ones"
        )
        parser.add_argument(
            "--as-of",
            type=datetime.fromisoformat,
            help="day before which consents were given, for example 2010-10-31",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError(_("--count must be at least 1."))
        day = options["as_of"] or timezone.now()
        before = day if day.tzinfo else timezone.make_aware(day)
        ids = (
            Customer.objects.order_by("external_id").values_list("external_id", flat=True)
            if options["known"]
            else [f"S{number:06}" for number in range(1, options["count"] + 1)]
        )
        people = list(samples.customers(ids, seed=options["seed"], today=before.date()))
        consents = list(samples.consents(people, seed=options["seed"], before=before))
        for name, n_rows in (
            ("customers.csv", samples.write(options["folder"] / "customers.csv", people)),
            ("consents.csv", samples.write(options["folder"] / "consents.csv", consents)),
        ):
            self.stdout.write(
                _("%(path)s: %(n)d rows") % {"path": options["folder"] / name, "n": n_rows}
            )
