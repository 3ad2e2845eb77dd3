"""Whose an order is, where a file gives the customer's e-mail address instead of an id.

Addresses are compared by blind index and go no further; one that nobody has makes a guest order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from profiles.files.reading import BadRow, Row
from profiles.models import Customer

if TYPE_CHECKING:
    from privacy.fields import SealedField

ROWS_AT_ONCE = 2_000


def by_address(
    rows: Iterator[tuple[int, Row]], *, email: int, customer: int
) -> Iterator[tuple[int, Row]]:
    """Yield the rows with the customer's id put in where it is empty and the address is known.

    `email` and `customer` are places in a row; that of the id may be the one behind the last.
    """
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        asked = {
            row[email].strip()
            for _number, row in chunk
            if not isinstance(row, BadRow) and not "".join(row[customer : customer + 1]).strip()
        }
        known = _known(asked - {""})
        for number, row in chunk:
            if isinstance(row, BadRow):
                yield number, row
                continue
            told = "".join(row[customer : customer + 1]).strip()
            row[customer : customer + 1] = [told or known.get(row[email].strip(), "")]
            yield number, row


def _known(emails: set[str]) -> dict[str, str]:
    """Customers' ids by address as written."""
    field = cast("SealedField[Any]", Customer._meta.get_field("email"))
    tags = {email: set(field.searched_tags(email)) for email in emails}
    wanted = {tag for found in tags.values() for tag in found}
    rows = Customer.objects.filter(email_tag__in=wanted).values_list("email_tag", "external_id")
    owners = {bytes(tag): external_id for tag, external_id in rows if tag}
    return {email: owners[tag] for email, found in tags.items() for tag in found if tag in owners}
