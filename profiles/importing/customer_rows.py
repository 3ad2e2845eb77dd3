"""Bringing in customers: rows of text checked, sealed and written a thousand at a time.

A row is known by the customer's id. Rows that stand unchanged since the last import are left
as they are, byte for byte; an empty cell changes nothing; of two rows with one id the later
holds. Consent is never touched: it has an import of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from zoneinfo import available_timezones

from django.db import models, transaction

from privacy import ages, masking
from privacy.crypto import blind_index
from privacy.crypto.blind_index import NotAnAddressError
from privacy.fields import reveal_columns, with_tags
from privacy.sealed import keys
from profiles import changes
from profiles.identity import identifiers, registering, telling
from profiles.importing import row_changes
from profiles.importing.comparing import Compared
from profiles.models import Customer, Upload

UNTAGGED = ("full_name", "birth_date")
SEALED = ("full_name", "email", "phone", "birth_date")
PLAIN = ("locale", "country", "time_zone", "city", "gender", "occupation")
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
MAX_TEXT = 500
LIMITS = (
    dict.fromkeys(SEALED, MAX_TEXT)
    | {
        column.name: column.max_length or MAX_TEXT
        for column in Customer._meta.concrete_fields
        if isinstance(column, models.CharField) and column.name != "gender"
    }
    | {"gender": MAX_TEXT}
)
GENDERS = {
    name: gender
    for gender, names in {
        Customer.Gender.FEMALE: "female f w woman 女 女性",
        Customer.Gender.MALE: "male m man 男 男性",
        Customer.Gender.OTHER: "other diverse x 其他",
        Customer.Gender.UNKNOWN: "unknown none 未知 保密",
    }.items()
    for name in names.split()
}


class RejectedError(ValueError):
    """A row that cannot be right; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class CustomerRow:
    """A customer as a file or a generator tells it; empty is not known."""

    external_id: str
    full_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    locale: str = ""
    country: str = ""
    time_zone: str = ""
    city: str = ""
    birth_date: dt.date | None = field(default=None, repr=False)
    gender: str = ""
    occupation: str = ""


@dataclass
class Inserted:
    """What became of rows: `rejected` gives the code by customer id."""

    n_added: int = 0
    n_changed: int = 0
    n_same: int = 0
    rejected: dict[str, str] = field(default_factory=dict)


def parse(values: Mapping[str, str], *, today: dt.date) -> CustomerRow:
    """Check the cells of a row; raises RejectedError with the code of the first fault."""
    cells = {name: " ".join(value.split()) for name, value in values.items()}
    if not cells["external_id"]:
        raise RejectedError("customer_id_missing")
    if "@" in cells["external_id"] or telling.looks_personal(cells["external_id"]):
        raise RejectedError("customer_is_personal")
    for name, value in cells.items():
        if len(value) > LIMITS[name]:
            raise RejectedError("value_too_long")
    row = CustomerRow(
        external_id=cells["external_id"],
        full_name=cells.get("full_name", ""),
        email=cells.get("email", ""),
        phone=cells.get("phone", ""),
        locale=_locale(cells.get("locale", "")),
        country=cells.get("country", ""),
        time_zone=_time_zone(cells.get("time_zone", "")),
        city=cells.get("city", ""),
        birth_date=_birth_date(cells.get("birth_date", ""), today=today),
        gender=_gender(cells.get("gender", "")),
        occupation=cells.get("occupation", ""),
    )
    return _with_addresses(row)


def _with_addresses(row: CustomerRow) -> CustomerRow:
    if masking.is_masked(row.full_name):
        raise RejectedError("value_masked")
    if row.email:
        try:
            blind_index.normalise_email(row.email)
        except NotAnAddressError:
            raise RejectedError("email_invalid") from None
    if not row.phone:
        return row
    region = next(
        (part for part in (row.country, *row.locale.split("-")) if COUNTRY_CODE.fullmatch(part)),
        None,
    )
    try:
        return replace(row, phone=blind_index.normalise_phone(row.phone, region))
    except NotAnAddressError:
        raise RejectedError("phone_invalid") from None


def _locale(text: str) -> str:
    text = text.replace("_", "-")
    if text and not LOCALE.fullmatch(text):
        raise RejectedError("locale_invalid")
    return text


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(text: str) -> str:
    if text and text not in _time_zones():
        raise RejectedError("time_zone_unknown")
    return text


def _gender(text: str) -> str:
    if not text:
        return ""
    if (gender := GENDERS.get(text.casefold())) is None:
        raise RejectedError("gender_unknown")
    return gender


def _birth_date(text: str, *, today: dt.date) -> dt.date | None:
    if not text:
        return None
    try:
        date = dt.date.fromisoformat(re.sub(r"[/.]", "-", text)[:10])
    except ValueError:
        raise RejectedError("birth_date_invalid") from None
    if not ages.can_be(date, today):
        raise RejectedError("birth_date_invalid")
    return date


def look(rows: Sequence[CustomerRow]) -> Inserted:
    """Say what would become of each row, and change nothing."""
    wanted = {row.external_id: row for row in rows}
    done = Inserted(rejected=_refused(list(wanted.values())))
    for external_id in done.rejected:
        del wanted[external_id]
    there = Customer.objects.filter(external_id__in=wanted)
    digests = dict(there.values_list("external_id", "imported_digest"))
    done.n_same = sum(
        bytes(digest) == _digest(wanted[external_id])
        for external_id, digest in digests.items()
        if digest
    )
    done.n_added = len(wanted) - len(digests)
    done.n_changed = len(digests) - done.n_same
    return done


def compared(rows: Sequence[CustomerRow]) -> Compared:
    """The rows beside what is known of these customers, personal values masked.

    Names and birth dates whose masks are the same are opened to tell them apart: it is called
    inside the purpose `import`.
    """
    wanted = {row.external_id: row for row in rows}
    there = Customer.objects.filter(external_id__in=wanted)
    email, phone = Customer._meta.get_field("email"), Customer._meta.get_field("phone")
    written = email.written_tags(row.email for row in rows if row.email)
    written |= phone.written_tags(row.phone for row in rows if row.phone)

    def known(customer: Customer) -> dict[str, str]:
        row = wanted[customer.external_id]
        if customer.imported_digest and bytes(customer.imported_digest) == _digest(row):
            return _cells(row)
        cells = {name: str(getattr(customer, name) or "") for name in (*SEALED, *PLAIN)}
        for name, tag in (("email", customer.email_tag), ("phone", customer.phone_tag)):
            if cells[name]:
                cells[name] += f"{Compared.APART}{written.get(bytes(tag or b''), b'').hex()}"
        return {"key": customer.external_id, **cells}

    cells = {one.pk: known(one) for one in there}
    for pk, name in _unlike(wanted, cells):
        cells[pk][name] += f"{Compared.APART}other"
    return Compared([_cells(row) for row in rows], list(cells.values()))


def _unlike(
    wanted: Mapping[str, CustomerRow], cells: Mapping[int, Mapping[str, str]]
) -> list[tuple[int, str]]:
    """Which cells (by primary key and column) hold another value under the same mask."""
    alike = []
    told = Customer.objects.filter(pk__in=cells).values_list("pk", "imported_digest")
    for pk, digest in told:
        row = wanted[cells[pk]["key"]]
        if digest and bytes(digest) == _digest(row):
            continue
        masks = _cells(row)
        alike += [(pk, name) for name in UNTAGGED if masks[name] and masks[name] == cells[pk][name]]
    if not alike:
        return []
    mine = Customer.objects.filter(pk__in={pk for pk, _name in alike})
    stored = reveal_columns(mine, UNTAGGED, "import")
    return [
        (pk, name)
        for pk, name in alike
        if stored.get(pk, {}).get(name) != getattr(wanted[cells[pk]["key"]], name)
    ]


def _cells(row: CustomerRow) -> dict[str, str]:
    cells = {name: getattr(row, name) for name in PLAIN}
    if row.full_name:
        cells["full_name"] = masking.shown(row.full_name, "name")
    if row.birth_date:
        cells["birth_date"] = masking.shown(row.birth_date.isoformat(), "birth_date")
    if row.email:
        tag = Customer._meta.get_field("email").tags_of(row.email)[0].hex()
        cells["email"] = f"{masking.shown(row.email, 'email')}{Compared.APART}{tag}"
    if row.phone:
        tag = Customer._meta.get_field("phone").tags_of(row.phone)[0].hex()
        cells["phone"] = f"{masking.shown(row.phone, 'phone')}{Compared.APART}{tag}"
    return {"key": row.external_id, **dict.fromkeys(SEALED, ""), **cells}


@transaction.atomic
def insert(
    rows: Sequence[CustomerRow], *, now: dt.datetime, upload: Upload | None = None
) -> Inserted:
    """Add or change customers in a few statements; say what became of each row.

    An e-mail address belongs to one customer: the row that brings it a second time is
    rejected (`email_taken`), and so are its other cells; so is one of a customer whose record
    was merged into another's (`customer_merged`). Changes by an `upload` are noted, so
    that it can be taken back.
    """
    wanted = {row.external_id: row for row in rows}
    done = Inserted(rejected=_refused(list(wanted.values())))
    for external_id in done.rejected:
        del wanted[external_id]
    known = _known(wanted) if upload else set()
    _, done.n_added = registering.register(wanted, now=now)
    there = Customer.objects.filter(external_id__in=wanted).select_for_update()
    changed = []
    for customer in there.order_by("pk"):
        row = wanted[customer.external_id]
        digest = _digest(row)
        if customer.imported_digest == digest:
            done.n_same += 1
            continue
        _fill(customer, row)
        customer.imported_digest = digest
        changed.append(customer)
    done.n_changed = len(changed) - done.n_added
    before = row_changes.stored([one.pk for one in changed]) if upload else {}
    Customer.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=with_tags(Customer, [*SEALED, *PLAIN, "birth_year", "imported_digest"]),
    )
    changes.mark_told(customer.pk for customer in changed)
    if upload is not None:
        added = {one.pk for one in changed if one.external_id not in known}
        row_changes.note_customers(upload, changed, before, added=added)
    births = {
        customer.subject_id: ages.Birth(born, customer.country)
        for customer in changed
        if (born := wanted[customer.external_id].birth_date) is not None
    }
    ages.note(births, today=now.date())
    return done


def _known(external_ids: Iterable[str]) -> set[str]:
    found = Customer.objects.filter(external_id__in=list(external_ids))
    return set(found.values_list("external_id", flat=True))


def _fill(customer: Customer, row: CustomerRow) -> None:
    for name in (*SEALED, *PLAIN):
        if value := getattr(row, name):
            setattr(customer, name, value)
    if row.birth_date:
        customer.birth_year = row.birth_date.year


def _digest(row: CustomerRow) -> bytes:
    text = json.dumps(asdict(row), sort_keys=True, default=str)
    return blind_index.tag(keys().index_key("other", "customer.imported_digest"), text)


def _refused(rows: Sequence[CustomerRow]) -> dict[str, str]:
    """Return a code for each row that may not come in; one of a merged record says so."""
    former = identifiers.owners({row.external_id for row in rows}, *identifiers.SHOP_IDS)
    merged = former.keys() - _known(former)
    return _taken(rows) | dict.fromkeys(merged, "customer_merged")


def _taken(rows: Sequence[CustomerRow]) -> dict[str, str]:
    """Return a code for each row whose address another customer has, here or in the shop."""
    email = Customer._meta.get_field("email")
    tags = {row.external_id: email.tags_of(row.email)[0] for row in rows if row.email}
    written = email.written_tags(row.email for row in rows if row.email)
    held = Customer.objects.filter(email_tag__in=list(written))
    owners = {
        written[bytes(tag)]: owner
        for tag, owner in held.values_list("email_tag", "external_id")
        if tag
    }
    return {
        external_id: "email_taken"
        for external_id, tag in tags.items()
        if owners.setdefault(tag, external_id) != external_id
    }
