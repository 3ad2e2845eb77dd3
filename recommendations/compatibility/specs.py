"""Typed specifications: what a catalogue says of a product, read once, with its units.

A field that is None is not told; an empty set or False says that there is none.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Specs:
    """What decides whether two products go together.

    `sockets` are holes that take a cable, `plugs` what sticks out (a cable has two).
    `input_watts` is the most a device takes, `needs_watts` the least it works with;
    `output_watts` is what an accessory gives or carries. `bluetooth` is the version of a
    device, `needs_bluetooth` the oldest that an accessory works with. `storage_form` and
    `storage_slots` are as `STORAGE` writes them.
    """

    sockets: frozenset[str] | None = None
    plugs: frozenset[str] | None = None
    video_over_usb_c: bool | None = None
    protocols: frozenset[str] | None = None
    charging: frozenset[str] | None = None
    input_watts: float | None = None
    needs_watts: float | None = None
    output_watts: float | None = None
    wireless_charging: frozenset[str] | None = None
    magnets: bool | None = None
    needs_magnets: bool | None = None
    bluetooth: float | None = None
    needs_bluetooth: float | None = None
    storage_slots: frozenset[str] | None = None
    storage_form: str | None = None
    storage_gb: float | None = None
    max_storage_gb: float | None = None
    hdmi: float | None = None
    displayport: float | None = None
    resolution: str | None = None
    hertz: float | None = None
    vesa: frozenset[str] | None = None
    weight_kg: float | None = None
    holds_kg: float | None = None
    screen_inches: float | None = None
    max_screen_inches: float | None = None
    model: str | None = None
    fits_models: frozenset[str] | None = None


class Fault(NamedTuple):
    """A specification that cannot be read, and what would be right."""

    name: str
    reason: str


class Reading(NamedTuple):
    specs: Specs
    faults: tuple[Fault, ...]


CONNECTORS: Final = {
    "usb-a": ("usb", "type-a"),
    "usb-c": ("type-c", "usb-type-c", "thunderbolt-3", "thunderbolt-4", "thunderbolt-5", "usb4"),
    "micro-usb": ("micro-b", "micro-usb-b"),
    "mini-usb": ("mini-b",),
    "lightning": (),
    "hdmi": ("hdmi-a",),
    "mini-hdmi": ("hdmi-c",),
    "micro-hdmi": ("hdmi-d",),
    "displayport": ("dp",),
    "mini-displayport": ("mini-dp",),
    "3.5-mm": ("3.5mm", "headphone-jack", "aux"),
    "magsafe-3": (),
    "ethernet": ("rj45", "rj-45"),
}
PROTOCOLS: Final = {
    "wi-fi": ("wifi", "wlan"),
    "zigbee": (),
    "z-wave": ("zwave",),
    "thread": (),
    "matter": (),
}
CHARGING: Final = {
    "usb-pd": ("pd", "power-delivery"),
    "pps": (),
    "quick-charge": ("qc", "qc3", "qc-3.0", "qc4", "qc-4"),
    "vooc": ("supervooc",),
}
WIRELESS: Final = {"qi": (), "qi2": ("qi-2",)}
STORAGE: Final = {
    "sd": ("sdhc", "sdxc"),
    "microsd": ("micro-sd", "microsdhc", "microsdxc"),
    "cfexpress-a": (),
    "cfexpress-b": (),
    "2.5-sata": ("2.5-inch-sata",),
    "3.5-sata": ("3.5-inch-sata",),
    "m.2-2230-nvme": (),
    "m.2-2242-nvme": (),
    "m.2-2280-nvme": (),
    "m.2-2280-sata": (),
}
RESOLUTIONS: Final = {
    "1080p": ("1920x1080", "full-hd", "fhd"),
    "1440p": ("2560x1440", "qhd"),
    "4k": ("3840x2160", "uhd", "2160p"),
    "8k": ("7680x4320", "4320p"),
}
NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([^\d\s]*)\s*")
VESA: Final = re.compile(r"(\d{2,3})\s*[x×]\s*(\d{2,3})(?:\s*mm)?", re.IGNORECASE)
MAX_WORDS: Final = 2_000


def slug(text: str) -> str:
    """Write a word as the vocabularies do: "USB Type C" and "usb-type-c" are one."""
    return re.sub(r"[\s_/-]+", "-", text.strip().casefold())


def read(raw: Mapping[str, Any]) -> Reading:
    """Read the specifications that decide; what is not among them is left alone.

    A value that cannot be read counts as not told, and is named among the faults.
    """
    told: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, reader in READERS.items():
        if raw.get(name) is None:
            continue
        try:
            told[name] = reader(raw[name])
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    return Reading(Specs(**told), tuple(faults))


def _number(*units: str) -> Callable[[Any], float]:
    """A reader of a number above 0 with or without one of the units; False says none (0)."""

    def read_number(value: Any) -> float:
        if value is False:
            return 0.0
        found = None if value is True else NUMBER.fullmatch(str(value))
        if found is None or found[2].casefold() not in ("", *units):
            raise ValueError(f"write a number such as 5{' ' + units[0] if units else ''}")
        number = float(found[1])
        if not math.isfinite(number):
            raise ValueError("the number is too large")
        return number

    return read_number


def _version(value: Any) -> float:
    """Read "5.3", "HDMI 2.1" or "v4.2"; versions here have one digit after the point."""
    if value is False:
        return 0.0
    found = (
        None
        if value is True
        else re.search(r"(?<![\d.])(\d)(?:\.(\d)[a-z]?)?$", str(value).strip())
    )
    if found is None:
        raise ValueError("write a version such as 5.3, or false if there is none")
    return float(f"{found[1]}.{found[2] or 0}")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("write true or false")


def _word(vocabulary: Mapping[str, tuple[str, ...]]) -> Callable[[Any], str]:
    known = {alias: name for name, aliases in vocabulary.items() for alias in (name, *aliases)}

    def read_word(value: Any) -> str:
        found = known.get(slug(str(value)))
        if found is None:
            raise ValueError(f"write one of {', '.join(vocabulary)}")
        return found

    return read_word


def _model(value: Any) -> str:
    """Models are one if they differ in case and spaces only."""
    text = " ".join(str(value).split()).casefold()
    if not text:
        raise ValueError("write a model's name")
    return text


def _vesa(value: Any) -> str:
    found = VESA.fullmatch(str(value).strip())
    if found is None:
        raise ValueError("write hole distances such as 100x100")
    return f"{int(found[1])}x{int(found[2])}"


def _several(reader: Callable[[Any], str]) -> Callable[[Any], frozenset[str]]:
    """A reader of a list, of words with commas between, or of False (none)."""

    def read_several(value: Any) -> frozenset[str]:
        if value is False:
            return frozenset()
        words = value.split(",") if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or len(words) > MAX_WORDS:
            raise ValueError("write a list, or false if there is none")
        return frozenset(reader(word) for word in words)

    return read_several


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sockets": _several(_word(CONNECTORS)),
    "plugs": _several(_word(CONNECTORS)),
    "video_over_usb_c": _flag,
    "protocols": _several(_word(PROTOCOLS)),
    "charging": _several(_word(CHARGING)),
    "input_watts": _number("w", "watt", "watts"),
    "needs_watts": _number("w", "watt", "watts"),
    "output_watts": _number("w", "watt", "watts"),
    "wireless_charging": _several(_word(WIRELESS)),
    "magnets": _flag,
    "needs_magnets": _flag,
    "bluetooth": _version,
    "needs_bluetooth": _version,
    "storage_slots": _several(_word(STORAGE)),
    "storage_form": _word(STORAGE),
    "storage_gb": _number("gb"),
    "max_storage_gb": _number("gb"),
    "hdmi": _version,
    "displayport": _version,
    "resolution": _word(RESOLUTIONS),
    "hertz": _number("hz"),
    "vesa": _several(_vesa),
    "weight_kg": _number("kg"),
    "holds_kg": _number("kg"),
    "screen_inches": _number("in", "inch", "inches", '"', "″"),
    "max_screen_inches": _number("in", "inch", "inches", '"', "″"),
    "model": _model,
    "fits_models": _several(_model),
}
