"""What is away when a request or a command fails, in one line that says what to do."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import Error, InterfaceError, OperationalError
from django.utils.translation import gettext as _

from privacy.providers import KeyUnavailableError
from privacy.root_keys import DAMAGE

UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True)
class Outage:
    """What is away: `detail` for who asked, `told` for who runs this, `cause` for the logs."""

    code: str
    detail: str
    told: str
    cause: str


def outage_of(error: BaseException | None) -> Outage | None:
    """Return what the error says is away, or None for a fault of the program."""
    if isinstance(error, KeyUnavailableError):
        detail = _("Personal data cannot be opened or sealed at the moment; try again soon.")
        return Outage("keys_unavailable", detail, told=str(error), cause=str(error))
    if not isinstance(error, Error):
        return None
    cause = _cause(error)
    told_by_cause = cause == UNDEFINED_TABLE or cause.startswith(DAMAGE)
    if not isinstance(error, OperationalError | InterfaceError) and not told_by_cause:
        return None
    said = str(error).partition("\n")[0]
    return Outage(
        "database_unavailable",
        _("The database cannot be used at the moment; try again soon."),
        told=_("The database cannot be used: %(said)s. %(remedy)s")
        % {"said": said, "remedy": _remedy(cause, said)},
        cause=cause or type(error).__name__,
    )


def _cause(error: Error) -> str:
    """Return the driver's code, such as SQLITE_BUSY or 57P01: unlike its text it has no values."""
    for name in ("sqlite_errorname", "sqlstate"):
        if found := getattr(error.__cause__, name, None):
            return str(found)
    return ""


def _remedy(cause: str, said: str) -> str:
    if cause == UNDEFINED_TABLE or said.startswith("no such"):
        return _(
            "Run manage.py migrate and manage.py migrate --database keystore (in embedded mode "
            "manage.py serve does both), then start the command again."
        )
    if cause.startswith(DAMAGE):
        return _("A database file is damaged: put it back from its backup with manage.py restore.")
    if cause.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return _("Another process writes to it: wait for that or stop it, and start again.")
    if cause.startswith("SQLITE_READONLY"):
        return _("Let this account write the file and its folder, and start again.")
    if cause.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return _("Make room on its disk, and start again.")
    return _(
        "Is it running, is DATABASE_URL correct, may this account use it? Put it right and "
        "start the command again."
    )
