"""The option `--port` of commands that listen."""

from __future__ import annotations

from argparse import ArgumentTypeError

MAX_PORT = 65_535


def port(text: str) -> int:
    """Return the port that `text` names; 0 lets the system choose one."""
    if not (text.isascii() and text.isdecimal() and int(text[:9]) <= MAX_PORT):
        raise ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}, not {text}")
    return int(text)
