"""When failing blocks make an executor fail."""

from collections.abc import Sequence
from typing import Any

import attrs

from lamina.scaling.protocol import Ending
from lamina.vocabulary import ConfigError, read_seconds

__all__ = ["AllFailed", "AnyFailed", "FailingBlocks", "LastFailed", "Off"]

_HINT = "read the last lines of their output"


def _count(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if type(value) is not int or value < 1:
        msg = f"{attribute.name} is {value!r}; it must be a whole number, 1 or more"
        raise ConfigError(msg)


def _positive(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value > 0:
        msg = f"{attribute.name} is {value!r}; it must be more than 0"
        raise ConfigError(msg)


def _within(value: float | str) -> float:
    return read_seconds(value, what="within")


@attrs.frozen
class FailingBlocks:
    """Too many blocks that ended badly within a short time are a fault of all that follow.

    ``limit`` is a count that is still borne; ``within`` is in seconds, or text with a unit.
    """

    limit: int = attrs.field(default=3, validator=_count)
    within: float = attrs.field(default=600.0, converter=_within, validator=_positive)

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Why the executor should fail, or nothing."""
        bad = sum(one.bad and now - one.at <= self.within for one in endings)
        if bad <= self.limit:
            return ""
        return (
            f"{bad} blocks ended badly within {self.within:g} s, and {self.limit} are borne; "
            f"{_HINT}"
        )


@attrs.frozen
class AnyFailed:
    """Any bad one among the last ``last`` blocks that ended is one too many."""

    last: int = attrs.field(default=1, validator=_count)

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Why the executor should fail, or nothing."""
        bad = sum(one.bad for one in endings[-self.last :])
        if not bad:
            return ""
        return f"{bad} of the last {self.last} blocks ended badly, and none is borne; {_HINT}"


@attrs.frozen
class AllFailed:
    """At least ``threshold`` blocks have ended, and all of them badly: it never worked."""

    threshold: int = attrs.field(default=3, validator=_count)

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Why the executor should fail, or nothing."""
        if len(endings) < self.threshold or not all(one.bad for one in endings):
            return ""
        return f"all {len(endings)} blocks that there were ended badly; {_HINT}"


@attrs.frozen
class LastFailed:
    """The last ``threshold`` blocks that ended have all ended badly."""

    threshold: int = attrs.field(default=3, validator=_count)

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Why the executor should fail, or nothing."""
        last = endings[-self.threshold :]
        if len(last) < self.threshold or not all(one.bad for one in last):
            return ""
        return f"the last {self.threshold} blocks all ended badly; {_HINT}"


@attrs.frozen
class Off:
    """Blocks that end badly are replaced; only the guards have a say."""

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Nothing, whatever happened."""
        return ""
