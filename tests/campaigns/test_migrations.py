"""Columns that are filled later: nothing is lost, and a fill that was broken off goes on."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from campaigns.models import CheckedLink
from campaigns.models.checked_link import digest_of
from tests import make
from tests.make import NOW

LAST = "0022_link_digests_are_unique"


def move(name: str) -> None:
    MigrationExecutor(connection).migrate([("campaigns", name)])


@pytest.mark.django_db(transaction=True)
def test_links_checked_before_have_their_digests_after() -> None:
    batch = import_module("campaigns.migrations.0021_fill_link_digests").BATCH
    campaign = make.campaign()
    urls = sorted(f"https://shop.test/{n}" for n in range(2 * batch + 2))
    CheckedLink.objects.bulk_create(
        CheckedLink(
            campaign=campaign, url=url, url_digest=digest_of(url), outcome="200", checked_at=NOW
        )
        for url in urls
    )
    move("0018_fewer_indexes")
    move("0020_links_in_texts")
    CheckedLink.objects.filter(url=urls[0]).update(url_digest=digest_of(urls[0]))  # broken off

    move(LAST)

    rows = CheckedLink.objects.order_by("url").values_list("url", "url_digest")
    assert [(url, bytes(digest)) for url, digest in rows] == [(u, digest_of(u)) for u in urls]
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "campaigns_checkedlink")
    assert found["checked_link_once"]["columns"] == ["campaign_id", "url_digest"]
