"""Quantities as people write them, read into seconds and bytes.

A number keeps the unit that its parameter is known to have; text carries its own.
"""

import math
import re
from typing import Any

from lamina.vocabulary.errors import ConfigError

__all__ = ["is_amount", "read_bytes", "read_gibibytes", "read_seconds"]

_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?")
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-zµ]*)")

_SECONDS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip

# Decimal and binary prefixes differ by 7% at the giga; each is taken at its word.
_BYTES = {
    "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
}  # fmt: skip


def read_seconds(value: float | str, *, what: str = "a duration") -> float:
    """Read a duration: a number of seconds, ``"90 s"``, ``"5 min"`` or ``"[D-]HH:MM[:SS]"``.

    ``HH:MM`` without seconds is hours and minutes, as batch systems read it.

    Raises:
        ConfigError: It is neither, or it is negative.
    """
    if isinstance(value, str):
        text = value.strip()
        if clock := _CLOCK.fullmatch(text):
            days, hours, minutes, seconds = (float(part or 0) for part in clock.groups())
            return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        match = _WITH_UNIT.fullmatch(text)
        scale = _SECONDS.get(match[2].lower()) if match else None
        if match is None or scale is None:
            msg = f'{what} is {value!r}; write seconds, "90 s", "5 min" or "HH:MM:SS"'
            raise ConfigError(msg)
        return float(match[1]) * scale
    if not is_amount(value):
        msg = f"{what} is {value!r:.100}; it must be a number of seconds, 0 or more"
        raise ConfigError(msg)
    return float(value)


def is_amount(value: Any) -> bool:
    """Whether it is a number, 0 or more."""
    try:
        return not isinstance(value, bool) and bool(value >= 0)
    except (TypeError, ValueError):  # no number, or many
        return False


def read_bytes(value: float | str, *, unit: int = 1, what: str = "an amount of memory") -> int:
    """Read an amount of memory in bytes: a number of ``unit`` bytes, or text such as ``"4 GiB"``.

    Raises:
        ConfigError: It is neither, or it is negative.
    """
    if isinstance(value, str):
        match = _WITH_UNIT.fullmatch(value.strip())
        scale = _BYTES.get(match[2].lower()) if match else None
        if match is None or scale is None:
            msg = f'{what} is {value!r}; write text with a unit, such as "512 MiB" or "4 GiB"'
            raise ConfigError(msg)
        return round(float(match[1]) * scale)
    if not is_amount(value) or value == math.inf:
        msg = f"{what} is {value!r:.100}; it must be a number, 0 or more"
        raise ConfigError(msg)
    return round(value * unit)


class _Bytes(int):
    """Bytes that were read already: making a value again from its own fields changes nothing."""


def read_gibibytes(value: float | str, *, what: str = "an amount of memory") -> int:
    """Read an amount of memory in bytes: a number of GiB, or text such as ``"512 MiB"``.

    What it has returned it returns as it is, so that ``attrs.evolve`` may be used on whatever
    has it for a converter.

    Raises:
        ConfigError: It is neither, or it is negative.
    """
    if isinstance(value, _Bytes):
        return value
    return _Bytes(read_bytes(value, unit=2**30, what=what))
