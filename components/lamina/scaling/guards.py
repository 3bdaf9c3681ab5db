"""What keeps an executor from flooding a batch system, whatever strategy and policy say."""

import math
from typing import Any

import attrs

from lamina.vocabulary import ConfigError, read_seconds

__all__ = ["Guards"]


def _count(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and (type(value) is not int or value < 1):
        msg = f"{attribute.name} is {value!r}; it must be a whole number, 1 or more, or None"
        raise ConfigError(msg)


def _finite(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value < math.inf:
        msg = f"{attribute.name} is {value!r}; it must end"
        raise ConfigError(msg)


def _young_seconds(value: float | str) -> float:
    return read_seconds(value, what="young")


def _pause_seconds(value: float | str) -> float:
    return read_seconds(value, what="pause")


@attrs.frozen(kw_only=True)
class Guards:
    """Limits on what is asked of a batch system. Durations are seconds, or text with a unit.

    A block has died young if no node of it ever came, or if its end came within ``young`` of
    the last moment at which it still waited; with which exit status does not matter.
    """

    submissions_per_minute: int | None = attrs.field(default=60, validator=_count)
    """Within any minute; the initial blocks are asked for at once all the same."""
    max_submissions: int | None = attrs.field(default=10_000, validator=_count)
    """From start to close. Then the executor fails as soon as it has no block, but needs one."""
    young: float = attrs.field(default=60.0, converter=_young_seconds, validator=_finite)
    max_young: int | None = attrs.field(default=5, validator=_count)
    """When so many in a row have died young, no more are asked for; an executor that is left
    without a block fails, and one that has some asks for one more every ten minutes."""
    pause: float = attrs.field(default=1.0, converter=_pause_seconds, validator=_finite)
    """After a second one in a row has died young, before the next is asked for; twice that after
    the third, and so on up to a minute."""
