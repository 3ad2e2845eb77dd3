from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from privacy.models import Shop
from privacy.problems import DomainError
from profiles import rates
from profiles.files import tables


class Command(BaseCommand):
    help = "Bring in exchange rates: date, currency, rate; or the history of the ECB."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--to", default="", help="the currency rates are in; else the shop's")

    def handle(self, *_args: Any, **options: Any) -> None:
        to_currency = options["to"].upper() or Shop.current().currency
        try:
            with tables.open_table(options["file"]) as table:
                n = rates.put(list(rates.read(table, to_currency=to_currency)))
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(_("%(n)d rates in %(currency)s") % {"n": n, "currency": to_currency})
