"""Who is too young to be advertised to is known without opening a birth date."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import ages
from privacy.ages import Birth
from profiles.identity import enrolling
from profiles.importing import customer_rows
from profiles.importing.customer_rows import CustomerRow
from profiles.models import Customer
from tests import make
from tests.make import NOW

TODAY = NOW.date()


@pytest.mark.parametrize(
    ("born", "country", "end"),
    [
        (date(2012, 5, 6), "Germany", date(2028, 5, 6)),
        (date(2012, 5, 6), "", date(2028, 5, 6)),
        (date(2012, 5, 6), "CN", date(2026, 5, 6)),
        (date(2012, 5, 6), " 中国 ", date(2026, 5, 6)),
        (date(2012, 2, 29), "", date(2028, 2, 29)),
        (date(2012, 2, 29), "China", date(2026, 3, 1)),
    ],
)
def test_the_age_is_fourteen_in_china_and_sixteen_elsewhere(
    born: date, country: str, end: date
) -> None:
    assert ages.minor_until(Birth(born, country)) == end


@given(born=st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_a_year_alone_never_makes_anybody_older(born: date) -> None:
    assert ages.minor_until(ages.of_year(born.year)) >= ages.minor_until(Birth(born))


@pytest.mark.django_db
def test_an_imported_birth_date_keeps_minors_out_of_marketing_until_it_is_mended() -> None:
    row = CustomerRow("c-1", email="a@example.com", birth_date=date(2015, 1, 1))
    customer_rows.insert([row], now=NOW)
    customer = Customer.objects.select_related("subject").get()
    make.consent(customer)
    assert customer.subject.minor_until == date(2031, 1, 1)

    mended = CustomerRow("c-1", birth_date=date(1995, 1, 1))
    customer_rows.insert([mended], now=NOW)

    assert Customer.objects.for_purpose("campaign.email").get() == customer
    customer.subject.refresh_from_db()
    assert customer.subject.minor_until is None


@pytest.mark.django_db
def test_a_birth_date_of_the_api_counts_too() -> None:
    enrolling.put("c-1", {"birth_date": date(2014, 3, 3), "country": "CN"}, now=NOW)

    assert Customer.objects.select_related("subject").get().subject.minor_until == date(2028, 3, 3)
