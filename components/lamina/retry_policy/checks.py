"""What the options of our policies must be; each refusal says what would do."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from lamina.vocabulary import ConfigError

__all__ = ["a_policy", "is_number", "is_policy", "number", "some_policies", "whole"]

_Check: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def is_number(value: object) -> bool:
    """Whether it is a number that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def is_policy(value: object) -> bool:
    """Whether it can decide; a class has yet to be called."""
    return not isinstance(value, type) and hasattr(value, "decide")


def whole(least: int = 0) -> _Check:
    """A whole number, so large at the least."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if type(value) is not int or value < least:
            msg = f"{attribute.name} is {value!r:.100}; it must be a whole number, {least} or more"
            raise ConfigError(msg)

    return check


def number(least: float = 0.0, most: float = math.inf) -> _Check:
    """A number within these bounds, and not an endless one."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not is_number(value) or not least <= value <= most or value == math.inf:
            bounds = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
            msg = f"{attribute.name} is {value!r:.100}; it must be a number, {bounds}"
            raise ConfigError(msg)

    return check


def a_policy(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Something that decides."""
    if not is_policy(value):
        msg = f"{attribute.name} is {value!r:.100}; it must be a retry policy, such as Retries(2)"
        raise ConfigError(msg)


def some_policies(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """One or more that decide."""
    if not isinstance(value, tuple) or not value or not all(map(is_policy, value)):
        msg = (
            f"{attribute.name} is {value!r:.100}; it must be a list of retry policies, such as "
            "[Retries(2)]"
        )
        raise ConfigError(msg)
