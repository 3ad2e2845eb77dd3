"""One rule per attribute: what the accessory asks, what the device has, and the answer."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from recommendations.compatibility.specs import Specs


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Attribute(StrEnum):
    """What an answer rests on."""

    MODEL = "model"
    CONNECTOR = "connector"
    PROTOCOL = "protocol"
    CHARGING = "charging"
    WATTS = "watts"
    QI = "qi"
    MAGNETS = "magnets"
    BLUETOOTH = "bluetooth"
    STORAGE = "storage"
    STORAGE_SIZE = "storage_size"
    DISPLAY = "display"
    VESA = "vesa"
    WEIGHT = "weight"
    SCREEN = "screen"


class Finding(NamedTuple):
    """The answer of one rule; `asked` is the accessory's part, `has` the device's."""

    attribute: Attribute
    answer: Answer
    asked: str
    has: str


# What a cable that can be bought connects, beside two of the same kind.
CABLES: Final = frozenset(
    frozenset(pair)
    for pair in (
        ("usb-a", "usb-c"),
        ("usb-a", "micro-usb"),
        ("usb-a", "mini-usb"),
        ("usb-a", "lightning"),
        ("usb-c", "micro-usb"),
        ("usb-c", "mini-usb"),
        ("usb-c", "lightning"),
        ("usb-c", "magsafe-3"),
        ("hdmi", "mini-hdmi"),
        ("hdmi", "micro-hdmi"),
        ("displayport", "mini-displayport"),
    )
)
PICTURE: Final = frozenset({"hdmi", "displayport", "mini-displayport"})
# Without a common protocol a USB supply gives 5 V, at most 3 A.
PLAIN_USB_WATTS: Final = 15.0
# The lowest version that carries a picture uncompressed or with the standard's own
# compression, by the most hertz; HDMI 1.4, 2.0, 2.1 and DisplayPort 1.2, 1.4, 2.0.
CARRIES: Final = {
    "hdmi": {
        "1080p": ((120, 1.4), (240, 2.0), (480, 2.1)),
        "1440p": ((75, 1.4), (144, 2.0), (240, 2.1)),
        "4k": ((30, 1.4), (60, 2.0), (144, 2.1)),
        "8k": ((60, 2.1),),
    },
    "displayport": {
        "1080p": ((240, 1.2), (360, 1.4), (540, 2.0)),
        "1440p": ((165, 1.2), (240, 1.4), (480, 2.0)),
        "4k": ((60, 1.2), (144, 1.4), (240, 2.0)),
        "8k": ((60, 1.4), (120, 2.0)),
    },
}


def model(device: Specs, accessory: Specs) -> Finding | None:
    """A case or a made-to-measure part fits the models it names."""
    if accessory.fits_models is None:
        return None
    answer = (
        Answer.UNKNOWN
        if device.model is None
        else _answer(yes=device.model in accessory.fits_models)
    )
    return Finding(Attribute.MODEL, answer, _words(accessory.fits_models), device.model or "")


def connector(device: Specs, accessory: Specs) -> Finding | None:
    """A plug fits its socket; two sockets go together if there is a cable for them."""
    asked = accessory.sockets if accessory.plugs is None else accessory.plugs
    if not asked:
        return None
    if device.sockets is None:
        return Finding(Attribute.CONNECTOR, Answer.UNKNOWN, _words(asked), "")
    if accessory.plugs is not None:
        answer = _answer(yes=bool(accessory.plugs & device.sockets))
    else:
        answer = _by_cable(device, asked)
    return Finding(Attribute.CONNECTOR, answer, _words(asked), _words(device.sockets))


def _by_cable(device: Specs, asked: frozenset[str]) -> Answer:
    sockets = device.sockets or frozenset()
    if any(one == other or {one, other} in CABLES for one in sockets for other in asked):
        return Answer.YES
    if "usb-c" in sockets and asked & PICTURE:
        told = device.video_over_usb_c
        return Answer.UNKNOWN if told is None else _answer(yes=told)
    return Answer.NO


def protocol(device: Specs, accessory: Specs) -> Finding | None:
    """Smart-home devices talk if they share a protocol."""
    return _shared(Attribute.PROTOCOL, device.protocols, accessory.protocols)


def charging(device: Specs, accessory: Specs) -> Finding | None:
    """Without a common charging protocol only plain USB power flows."""
    if accessory.output_watts is None:
        return None
    found = _shared(Attribute.CHARGING, device.charging, accessory.charging)
    if found is None or found.answer is not Answer.NO:
        return found
    needs = device.needs_watts
    plain = Answer.UNKNOWN if needs is None else _answer(yes=needs <= PLAIN_USB_WATTS)
    return found._replace(answer=plain)


def watts(device: Specs, accessory: Specs) -> Finding | None:
    """Enough for the least the device works with; or for the most it takes."""
    gives, needs, most = accessory.output_watts, device.needs_watts, device.input_watts
    if gives is None:
        return None
    if needs is not None:
        answer = _answer(yes=gives >= needs)
    else:
        answer = Answer.YES if most is not None and gives >= most else Answer.UNKNOWN
    has = needs if needs is not None else most
    return Finding(Attribute.WATTS, answer, _amount(gives, "W"), _amount(has, "W"))


def qi(device: Specs, accessory: Specs) -> Finding | None:
    """Qi2 and Qi charge each other's devices, at the speed of the older one."""
    asked = accessory.wireless_charging
    if not asked:
        return None
    has = device.wireless_charging
    answer = Answer.UNKNOWN if has is None else _answer(yes=bool(has))
    return Finding(Attribute.QI, answer, _words(asked), _words(has or ()))


def magnets(device: Specs, accessory: Specs) -> Finding | None:
    """What holds by magnets needs them in the device."""
    if not accessory.needs_magnets:
        return None
    answer = Answer.UNKNOWN if device.magnets is None else _answer(yes=device.magnets)
    return Finding(Attribute.MAGNETS, answer, "magnets", "magnets" if device.magnets else "")


def bluetooth(device: Specs, accessory: Specs) -> Finding | None:
    """Bluetooth is compatible backwards down to the version the accessory needs."""
    asked = accessory.needs_bluetooth
    if not asked:
        return None
    return _at_least(Attribute.BLUETOOTH, device.bluetooth, asked, "")


def storage(device: Specs, accessory: Specs) -> Finding | None:
    """A card or drive fits its slot; a microSD card an SD slot, a short M.2 drive a long one."""
    form, slots = accessory.storage_form, device.storage_slots
    if form is None:
        return None
    if slots is None:
        return Finding(Attribute.STORAGE, Answer.UNKNOWN, form, "")
    answer = _answer(yes=any(form == slot or _goes_into(form, slot) for slot in slots))
    return Finding(Attribute.STORAGE, answer, form, _words(slots))


def _goes_into(form: str, slot: str) -> bool:
    if (form, slot) == ("microsd", "sd"):
        return True
    if not (form.startswith("m.2-") and slot.startswith("m.2-")):
        return False
    (_, length, speaks), (_, room, hears) = form.split("-"), slot.split("-")
    return speaks == hears and int(length) <= int(room)


def storage_size(device: Specs, accessory: Specs) -> Finding | None:
    """A card may be larger than a device can address."""
    most, size = device.max_storage_gb, accessory.storage_gb
    if accessory.storage_form is None or most is None or size is None:
        return None
    answer = _answer(yes=size <= most)
    return Finding(Attribute.STORAGE_SIZE, answer, _amount(size, "GB"), _amount(most, "GB"))


def display(device: Specs, accessory: Specs) -> Finding | None:
    """A picture of so many lines and hertz needs a version that carries it, on each side.

    The mode is the accessory's (a monitor for a laptop) or the device's (a cable for a
    monitor). Where both name a mode, the smaller rate of the two counts.
    """
    resolution = accessory.resolution or device.resolution
    rates = [rate for rate in (accessory.hertz, device.hertz) if rate is not None]
    links = [(way, getattr(accessory, way), getattr(device, way)) for way in CARRIES]
    links = [link for link in links if link[1]]
    if resolution is None or not rates or not links:
        return None
    asked = f"{resolution} {min(rates):g} Hz"
    answers, has = [], []
    for way, ours, theirs in links:
        needed = _needed(way, resolution, min(rates))
        if theirs is None:
            answers.append(Answer.UNKNOWN if ours >= needed else Answer.NO)
        else:
            answers.append(_answer(yes=min(ours, theirs) >= needed))
            has.append(f"{way} {theirs:g}")
    best = next(one for one in (Answer.YES, Answer.UNKNOWN, Answer.NO) if one in answers)
    return Finding(Attribute.DISPLAY, best, asked, ", ".join(has))


def _needed(way: str, resolution: str, hertz: float) -> float:
    fitting = [version for rate, version in CARRIES[way][resolution] if rate >= hertz]
    return min(fitting, default=float("inf"))


def vesa(device: Specs, accessory: Specs) -> Finding | None:
    """The screen's hole distances must be among those of the mount."""
    return _shared(Attribute.VESA, device.vesa, accessory.vesa)


def weight(device: Specs, accessory: Specs) -> Finding | None:
    """A mount holds so many kilograms."""
    return _at_most(Attribute.WEIGHT, device.weight_kg, accessory.holds_kg, "kg")


def screen(device: Specs, accessory: Specs) -> Finding | None:
    """A mount, sleeve or bag takes screens up to a size."""
    return _at_most(Attribute.SCREEN, device.screen_inches, accessory.max_screen_inches, "in")


def _shared(
    attribute: Attribute, has: frozenset[str] | None, asked: frozenset[str] | None
) -> Finding | None:
    if not asked:
        return None
    answer = Answer.UNKNOWN if has is None else _answer(yes=bool(has & asked))
    return Finding(attribute, answer, _words(asked), _words(has or ()))


def _at_least(attribute: Attribute, has: float | None, asked: float, unit: str) -> Finding:
    answer = Answer.UNKNOWN if has is None else _answer(yes=has >= asked)
    return Finding(attribute, answer, _amount(asked, unit), _amount(has, unit))


def _at_most(
    attribute: Attribute, has: float | None, most: float | None, unit: str
) -> Finding | None:
    if most is None:
        return None
    answer = Answer.UNKNOWN if has is None else _answer(yes=has <= most)
    return Finding(attribute, answer, _amount(most, unit), _amount(has, unit))


def _answer(*, yes: bool) -> Answer:
    return Answer.YES if yes else Answer.NO


def _words(of: Iterable[str]) -> str:
    return ", ".join(sorted(of))


def _amount(number: float | None, unit: str) -> str:
    return "" if number is None else f"{number:g} {unit}".strip()


RULES: Final[tuple[Callable[[Specs, Specs], Finding | None], ...]] = (
    model,
    connector,
    protocol,
    charging,
    watts,
    qi,
    magnets,
    bluetooth,
    storage,
    storage_size,
    display,
    vesa,
    weight,
    screen,
)
