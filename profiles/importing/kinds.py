"""What each kind of file holds: the names of its columns, those it must have, what it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.utils.translation import gettext as _

from profiles.files import columns, presets
from profiles.files.reading import UnreadableFileError
from profiles.models import Upload
from profiles.orders.formats import REQUIRED

NAMES: Final = {
    Upload.Kind.ORDERS.value: columns.ORDER_NAMES,
    Upload.Kind.CUSTOMERS.value: columns.CUSTOMER_NAMES,
    Upload.Kind.CONSENTS.value: columns.CONSENT_NAMES,
    Upload.Kind.SUPPRESSIONS.value: columns.SUPPRESSION_NAMES,
    Upload.Kind.EVENTS.value: columns.EVENT_NAMES,
}
MUST_HAVE: Final[Mapping[str, Sequence[str]]] = {
    Upload.Kind.ORDERS.value: REQUIRED,
    Upload.Kind.CUSTOMERS.value: ("external_id",),
    Upload.Kind.CONSENTS.value: columns.CONSENT_REQUIRED,
    Upload.Kind.SUPPRESSIONS.value: ("address",),
    Upload.Kind.EVENTS.value: columns.EVENT_REQUIRED,
}
# Kinds that ask for so many columns that a file that has them all is one of them.
TELLING: Final = (Upload.Kind.ORDERS, Upload.Kind.CONSENTS)


def refuse_other(kind: str, names: Sequence[str]) -> None:
    """Raise UnreadableFileError for a file whose columns say that it is of another kind.

    It is if it has all that the other kind must have, and no column for this kind that the
    other would not read as well.
    """
    mine = set(columns.guess(names, NAMES[kind]).values())
    for other in TELLING:
        if other == kind:
            continue
        found = columns.guess(names, NAMES[other])
        preset = presets.find(other, presets.guess(other, names))
        if preset is not None and not presets.guess(kind, names):
            telling = sorted(preset.marks)
        elif set(MUST_HAVE[other]) <= found.keys() and mine < set(found.values()):
            telling = [found[name] for name in MUST_HAVE[other]]
        else:
            continue
        raise UnreadableFileError(
            "other_kind",
            _(
                "The columns %(columns)s say that this is a file of another kind: %(other)s. "
                "Bring it in as that, or name the columns that hold what you want of it."
            )
            % {"columns": ", ".join(telling), "other": other.label},
        )


def refuse_empty(n_rows: int) -> None:
    """Raise UnreadableFileError for a file that names columns and holds nothing below them."""
    if n_rows == 0:
        raise UnreadableFileError(
            "no_rows",
            _("The file names its columns and holds no rows below them; export it again."),
        )
