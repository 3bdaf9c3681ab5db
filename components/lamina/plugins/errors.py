"""What can be wrong with a plug-in's name or options."""

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lamina.vocabulary import ConfigError

__all__ = ["ConfigErrors", "Mistake", "PluginError", "UnknownPluginError", "did_you_mean"]


class PluginError(ConfigError):
    """A plug-in is known, but cannot be loaded. Again will not help before it is installed."""

    def __init__(self, group: str, name: str, why: str) -> None:
        super().__init__(group, name, why)
        self.group, self.name, self.why = group, name, why

    def __str__(self) -> str:
        return f"{self.group} plug-in {self.name!r} cannot be loaded: {self.why}"


class UnknownPluginError(ConfigError):
    """There is no plug-in of this name. The text names those that there are."""

    def __init__(self, group: str, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(group, name, tuple(known))
        self.group, self.name, self.known = group, name, tuple(known)

    def __str__(self) -> str:
        there = ", ".join(sorted(self.known)) or "none"
        return (
            f"there is no {self.group} plug-in {self.name!r}{did_you_mean(self.name, self.known)}; "
            f"there are: {there}. One of your own is written module:name."
        )


class Mistake(NamedTuple):
    """One thing that is wrong in a configuration, and where."""

    path: str
    """Such as ``executors[0].provider.partition``."""
    says: str

    def __str__(self) -> str:
        return f"{self.path}: {self.says}" if self.path else self.says


class ConfigErrors(ConfigError):
    """All the mistakes of a configuration at once, in ``mistakes``."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(tuple(mistakes))
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        if len(self.mistakes) == 1:
            return str(self.mistakes[0])
        lines = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        return f"{len(self.mistakes)} mistakes:{lines}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names the closest of the known words, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
