"""Whether an accessory goes with a device: a hundred labelled pairs, units, and bad input."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from recommendations.compatibility.judging import judge
from recommendations.compatibility.rules import RULES, Answer, Attribute
from recommendations.compatibility.specs import READERS, Specs, read
from tests.recommendations.compatible_pairs import ACCESSORIES, DEVICES, PAIRS


def specs(raw: dict[str, Any]) -> Specs:
    found = read(raw)
    assert not found.faults
    return found.specs


@pytest.mark.parametrize(("device", "accessory", "answer", "deciding"), PAIRS)
def test_each_pair_gets_its_answer_by_the_attributes_that_decide(
    device: str, accessory: str, answer: str, deciding: str
) -> None:
    verdict = judge(specs(DEVICES[device]), specs(ACCESSORIES[accessory]))

    assert verdict.answer == answer, verdict
    assert [finding.attribute for finding in verdict.deciding] == deciding.split()


def test_there_are_a_hundred_different_pairs_of_every_answer_and_attribute() -> None:
    assert len({(device, accessory) for device, accessory, *_ in PAIRS}) >= 100
    assert {answer for *_, answer, _ in PAIRS} == set(Answer)
    assert {name for *_, deciding in PAIRS for name in deciding.split()} == set(Attribute)
    assert len(RULES) == len(Attribute)
    assert {device for device, *_ in PAIRS} == set(DEVICES)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_is_not_told_of_a_device_never_turns_a_yes_into_a_no(
    pair: tuple[str, str, str, str],
) -> None:
    """Forgetting a field of the device may make an answer unknown, not the opposite."""
    device, accessory = specs(DEVICES[pair[0]]), specs(ACCESSORIES[pair[1]])
    before = judge(device, accessory).answer

    for field in fields(Specs):
        after = judge(replace(device, **{field.name: None}), accessory).answer
        assert (before, after) != (Answer.YES, Answer.NO), field.name


def test_two_products_nothing_is_told_of_are_unknown_for_no_attribute() -> None:
    assert judge(Specs(), Specs()) == (Answer.UNKNOWN, ())


def test_a_finding_says_what_was_asked_and_what_is_there() -> None:
    verdict = judge(specs(DEVICES["laptop"]), specs(ACCESSORIES["30 W charger"]))

    assert verdict.deciding == ((Attribute.WATTS, Answer.NO, "30 W", "45 W"),)


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("sockets", "USB Type-C, HDMI", {"usb-c", "hdmi"}),
        ("sockets", ["USB_C", "Type C", "Thunderbolt 4"], {"usb-c"}),
        ("plugs", False, set()),
        ("output_watts", "22.5 Watts", 22.5),
        ("needs_watts", False, 0),
        ("storage_gb", "512GB", 512),
        ("hdmi", "HDMI 2.1", 2.1),
        ("hdmi", "1.4b", 1.4),
        ("bluetooth", 5, 5.0),
        ("bluetooth", False, 0),
        ("vesa", "100 × 200 mm", {"100x200"}),
        ("screen_inches", '27"', 27),
        ("resolution", "3840x2160", "4k"),
        ("model", "  Aurelo\tP9 ", "aurelo p9"),
        ("storage_form", "M.2 2280 NVMe", "m.2-2280-nvme"),
    ],
)
def test_values_are_read_in_the_ways_that_catalogues_write_them(
    name: str, raw: Any, value: Any
) -> None:
    assert getattr(specs({name: raw}), name) == value


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("sockets", "SCART", "one of usb-a, usb-c"),
        ("sockets", {"usb-c": 1}, "a list"),
        ("sockets", True, "a list"),
        ("fits_models", ["x"] * 2_001, "a list"),
        ("fits_models", ["P9", " "], "a model's name"),
        ("output_watts", "65 kg", "5 w"),
        ("output_watts", "NaN", "a number"),
        ("output_watts", -5, "a number"),
        ("output_watts", True, "a number"),
        ("output_watts", "9" * 400, "too large"),
        ("bluetooth", True, "5.3"),
        ("bluetooth", "newest", "5.3"),
        ("hdmi", "2.13", "5.3"),
        ("magnets", "yes", "true or false"),
        ("vesa", "100", "100x100"),
        ("resolution", "big", "1080p"),
    ],
)
def test_a_value_that_cannot_be_read_counts_as_not_told_and_says_what_would_be_right(
    name: str, raw: Any, reason: str
) -> None:
    found = read({name: raw, "weight_kg": 5, "colour": "red"})

    assert found.specs == Specs(weight_kg=5)
    assert [fault.name for fault in found.faults] == [name]
    assert reason in found.faults[0].reason


def test_every_field_can_be_read() -> None:
    assert set(READERS) == {field.name for field in fields(Specs)}
