"""The events of profiles."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from privacy import event_types
from privacy.event_types import Member


def declare() -> None:
    event_types.register(
        "import.finished",
        _("An import has finished"),
        [
            Member("uploadId", "The number of the upload.", "uuid"),
            Member("kind", "orders, customers, consents or suppressions."),
            Member("rejected", "How many rows were set aside.", kind="integer"),
        ],
        about="A file was brought in to its end. One that cannot be read ends its job as dead.",
    )
