from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import translation

from profiles.models import CategoryNorm, Customer, CustomerTraits, OwnedDevice
from profiles.traits import devices, featuring
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop()
    make.product("tv", "Lumo TV", brand="Lumo", category="Video", specs={"warranty_months": 24})
    make.product("cable", "Cable", category="Cables", is_consumable=True)
    make.product("seen", "Seen", category="Video", from_orders=True)


def owned(by: Customer) -> list[tuple[str, int]]:
    return list(by.devices.order_by("pk").values_list("product_id", "quantity"))


def test_a_device_is_what_the_catalogue_describes_and_nobody_buys_again_and_again() -> None:
    ann = make.customer()
    items = [(name, "", 1, 100) for name in ("tv", "cable", "seen", "unknown")]
    make.order(ann, *items, days_ago=9)
    make.order(ann, ("tv", "", 1, 100), days_ago=9, status="cancelled")

    featuring.build_traits(NOW)

    assert owned(ann) == [("tv", 1)]
    assert CustomerTraits.objects.get().n_devices == 1


def test_what_was_given_back_is_no_longer_owned() -> None:
    ann = make.customer()
    kept = make.order(ann, ("tv", "", 2, 100), days_ago=9).lines.get()
    gone = make.order(ann, ("tv", "", 1, 100), days_ago=8).lines.get()
    later = make.order(ann, ("tv", "", 1, 100), days_ago=7).lines.get()
    make.refund(kept, amount_minor=100, at=NOW - timedelta(days=1))
    make.refund(gone, amount_minor=100, at=NOW - timedelta(days=1))
    make.refund(later, amount_minor=100, at=NOW)

    featuring.build_traits(NOW)
    assert owned(ann) == [("tv", 1), ("tv", 1)]

    featuring.build_traits(NOW + timedelta(days=1), everybody=True)
    assert owned(ann) == [("tv", 1)]


def test_a_warranty_ends_on_the_day_of_the_month_or_the_last_there_is() -> None:
    ann = make.customer()
    make.order(ann, ("tv", "", 1, 100), at=datetime(2024, 2, 29, 12, 30, tzinfo=UTC))
    make.order(ann, ("tv", "", 1, 100), at=datetime(2025, 8, 15, 8, tzinfo=UTC))

    featuring.build_traits(NOW)

    ends = OwnedDevice.objects.order_by("warranty_ends_at").values_list(
        "warranty_ends_at", flat=True
    )
    assert list(ends) == [
        datetime(2026, 2, 28, 12, 30, tzinfo=UTC),
        datetime(2027, 8, 15, 8, tzinfo=UTC),
    ]
    traits = CustomerTraits.objects.get()
    assert traits.next_warranty_end_at == datetime(2027, 8, 15, 8, tzinfo=UTC)
    assert traits.due_at is not None


def replaced(n: int) -> None:
    """Customers who bought another television after 100, 200 … days, and a cable in between."""
    for index in range(n):
        by = make.customer()
        make.order(by, ("tv", "Video", 1, 100), days_ago=1_000)
        make.order(by, ("tv", "Video", 1, 100), days_ago=999)
        make.order(by, ("tv", "Video", 1, 100), days_ago=999 - 10 * (index + 10))


def test_an_upgrade_is_due_by_what_is_usual_in_the_category() -> None:
    replaced(21)
    ann = make.customer("ann")
    make.order(ann, ("tv", "Video", 1, 100), days_ago=500)
    make.order(ann, ("tv", "Video", 1, 100), days_ago=300)

    featuring.build_traits(NOW)

    norm = CategoryNorm.objects.get(category="Video")
    assert (norm.replaced_days, norm.n_replaced) == (200, 22)
    assert CustomerTraits.objects.get(customer=ann).upgrade_days == -100
    newer, older = devices.owned_by(ann, NOW)
    assert (newer.is_upgrade_due, newer.age_days) == (True, 300)
    assert older.upgrade_at is None


def test_without_enough_replacements_nothing_is_due() -> None:
    replaced(5)

    featuring.build_traits(NOW)

    assert CategoryNorm.objects.get(category="Video").replaced_days is None
    assert not CustomerTraits.objects.filter(upgrade_due_at__isnull=False).exists()


def test_the_customers_page_shows_the_devices(client: Client) -> None:
    ann = make.customer()
    make.order(ann, ("tv", "Video", 2, 100), days_ago=9)
    featuring.build_traits(NOW)
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    shown = client.get(f"/admin/profiles/customer/{ann.pk}/change/").content.decode()

    assert "2 × tv" in shown or "2 × Lumo TV" in shown
    assert "2028-02-21" in shown


def test_a_device_is_called_in_the_readers_words() -> None:
    told = {"zh-hans": {"title": "电视机", "category": "电视"}}
    make.product("tv-1", "TV", category="TVs", translations=told)
    ann = make.customer("ann")
    make.order(ann, ("tv-1", "TVs", 1, 5_000), days_ago=20)
    featuring.build_traits(NOW)

    shown = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            shown[language] = [
                (one.title, one.category) for one in devices.panel(ann, NOW)["devices"]
            ]

    assert shown == {"en": [("TV", "TVs")], "zh-hans": [("电视机", "电视")]}
