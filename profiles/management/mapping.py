"""The option `--map FIELD=COLUMN` of the commands that bring files in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.management import CommandError, CommandParser
from django.utils.translation import gettext as _


def add_map(parser: CommandParser, fields: Iterable[str]) -> None:
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help=f"which column holds a field; fields: {', '.join(fields)}",
    )


def columns(pairs: Sequence[str], fields: Iterable[str]) -> dict[str, str]:
    """Return field to column. Raises CommandError for what is not FIELD=COLUMN."""
    split = [pair.partition("=") for pair in pairs]
    wrong = ["".join(parts) for parts in split if not all(part.strip() for part in parts)]
    if wrong:
        raise CommandError(
            _("--map takes FIELD=COLUMN, not %(pair)s; the fields are %(fields)s.")
            % {"pair": wrong[0], "fields": ", ".join(fields)}
        )
    return {field.strip(): column.strip() for field, _equals, column in split}
