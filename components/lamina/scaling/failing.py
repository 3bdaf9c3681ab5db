"""When failing blocks make an executor fail."""

from typing import Any

import attrs

from lamina.vocabulary import ConfigError

__all__ = ["FailingBlocks", "Off"]


def _positive(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value > 0:
        msg = f"{attribute.name} is {value!r}; it must be more than 0"
        raise ConfigError(msg)


@attrs.frozen
class FailingBlocks:
    """Too many blocks that ended badly within a short time are a fault of all that follow.

    ``limit`` is a count that is still borne; ``within`` is in seconds.
    """

    limit: int = attrs.field(default=3, validator=_positive)
    within: float = attrs.field(default=60.0, validator=_positive)

    def verdict(self, endings: tuple[bool, ...], now: float, times: tuple[float, ...]) -> str:
        """Why the executor should fail, or nothing."""
        bad = sum(
            not well and now - at <= self.within for well, at in zip(endings, times, strict=True)
        )
        if bad <= self.limit:
            return ""
        return (
            f"{bad} blocks ended badly within {self.within:g} s, and {self.limit} are borne; "
            "read the last lines of their stderr"
        )


@attrs.frozen
class Off:
    """Failing blocks are replaced for ever."""

    def verdict(self, endings: tuple[bool, ...], now: float, times: tuple[float, ...]) -> str:
        """Nothing, whatever happened."""
        return ""
