"""What plug-ins let be set alike: how and where transfers run, and how often they are tried."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs

from lamina.staging.protocol import Mode, Place
from lamina.vocabulary import ConfigError

__all__ = [
    "a_mode",
    "a_place",
    "a_time",
    "mode_named",
    "option_items",
    "place_named",
    "some_pauses",
]

_Check: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]

_MODES = {"separate": Mode.SEPARATE, "in-task": Mode.IN_TASK}
_PLACES = {place.value: place for place in Place}


def _named(what: str, name: object, names: Mapping[str, Any]) -> Any:
    if isinstance(name, str) and name in names:
        return names[name]
    choice = " or ".join(f'"{one}"' for one in names)
    msg = f"{what} is {name!r:.100}; it must be {choice}"
    raise ConfigError(msg)


def mode_named(name: str) -> Mode:
    """The mode that ``"in-task"`` or ``"separate"`` names.

    Raises:
        ConfigError: It is neither.
    """
    mode: Mode = _named("mode", name, _MODES)
    return mode


def place_named(name: str) -> Place:
    """The place that ``"nodes"`` or ``"client"`` names.

    Raises:
        ConfigError: It is neither.
    """
    place: Place = _named("where", name, _PLACES)
    return place


def a_mode(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Checks an option that names a mode."""
    mode_named(value)


def a_place(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Checks an option that names a place."""
    place_named(value)


def a_time(least: float) -> _Check:
    """Checks an option that is a number of seconds, so many at the least."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not _is_time(value) or value < least:
            msg = f"{attribute.name} is {value!r:.100}; write seconds, {least:g} or more"
            raise ConfigError(msg)

    return check


def some_pauses(given: Iterable[float]) -> tuple[float, ...]:
    """The seconds before each further attempt.

    Raises:
        ConfigError: They are none.
    """
    value: Any = given
    pauses = tuple(value) if isinstance(value, list | tuple) else None
    if pauses is None or not all(map(_is_time, pauses)):
        msg = f"pauses is {value!r:.100}; write a list of seconds, such as [0.2, 1, 5], or []"
        raise ConfigError(msg)
    return pauses


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def option_items(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """By which plug-ins compare options of a library, some of which may have no hash."""
    return tuple(sorted((name, repr(value)) for name, value in options.items()))
