"""Two records that turn out to be one person between plan and send: one message, to who is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from campaigns import delivery
from campaigns.channels.base import Message, Result
from campaigns.models import Campaign, Delivery
from profiles.identity import joining
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

pytestmark = pytest.mark.django_db


def merge(survivor: str, absorbed: str) -> None:
    joining.merge(survivor, absorbed, reason="One person", actor="staff:1", now=NOW)


@dataclass
class Merging(Tray):
    """Merges two customers while it takes its first batch."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        while self.pairs:
            merge(*self.pairs.pop())
        return super().send_batch(messages)


def launched_to_two_batches() -> tuple[Campaign, str, str]:
    """A campaign with one reader more than a batch; who is in the first, and who in the second."""
    for n in range(delivery.INTENT_BATCH + 1):
        make.reader(f"c{n:02}")
    made = launched()
    rows = made.deliveries.order_by("due_at", "pk").values_list("customer__external_id", flat=True)
    return made, rows[0], rows[delivery.INTENT_BATCH]


def states(campaign: Campaign) -> dict[str, tuple[str, str]]:
    rows = campaign.deliveries.values_list("customer__external_id", "state", "reason")
    return {name: (state, reason) for name, state, reason in rows}


def test_the_message_goes_to_who_is_left_at_their_address() -> None:
    make.reader("ann")
    june = launched()
    make.reader("zoe")
    merge("zoe", "ann")
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["zoe@example.com"]
    assert states(june) == {"zoe": ("sent", "")}


def test_who_is_merged_while_their_batch_waits_is_not_skipped_as_erased() -> None:
    june, _first, last = launched_to_two_batches()
    make.reader("zoe")
    tray = Merging(pairs=[("zoe", last)])

    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == delivery.INTENT_BATCH
    assert states(june)["zoe"] == ("planned", "")
    delivery.send_due(NOW, channel=tray)
    assert tray.recipients[-1] == "zoe@example.com"
    assert len(tray.taken) == delivery.INTENT_BATCH + 1
    row = Delivery.objects.get(customer__external_id="zoe")
    assert (row.state, row.n_attempts) == ("sent", 1)


def test_who_did_not_agree_gets_no_message_that_was_planned_for_another_record() -> None:
    make.reader("ann")
    june = launched()
    make.customer("zoe", email="zoe@example.com")
    merge("zoe", "ann")
    tray = Tray()

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == []
    assert states(june) == {"zoe": ("skipped", "no_consent")}


@pytest.mark.parametrize("survives", ["who has it", "who waits"])
def test_who_had_the_message_as_one_of_two_does_not_get_it_as_the_other(survives: str) -> None:
    june, first, last = launched_to_two_batches()
    survivor, absorbed = (first, last) if survives == "who has it" else (last, first)
    tray = Merging(pairs=[(survivor, absorbed)])

    for _n in range(3):
        delivery.send_due(NOW, channel=tray)

    assert f"{last}@example.com" not in tray.recipients
    assert states(june)[survivor] == ("sent", "")
    assert len(states(june)) == delivery.INTENT_BATCH


def test_of_two_who_both_wait_one_gets_the_message() -> None:
    make.reader("ann")
    make.reader("zoe")
    june, tray = launched(), Tray()
    merge("zoe", "ann")

    delivery.send_due(NOW, channel=tray)

    assert tray.recipients == ["zoe@example.com"]
    assert states(june) == {"zoe": ("sent", "")}
