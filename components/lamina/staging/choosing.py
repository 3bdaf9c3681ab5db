"""Which plug-in moves a file, and in which way: by what it can and what the executor sees."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lamina.staging.protocol import Direction, Mode, NoStaging, Place, Staging
from lamina.vocabulary import File

__all__ = ["Choice", "Registry", "Way", "way_of"]


class Way(enum.IntEnum):
    """How a file gets to a task or away from it; less trouble comes first."""

    IN_PLACE = 0
    IN_TASK = 1
    SEPARATE = 2
    CLIENT = 3
    """The program's host moves it, and the task sees the copy on a shared file system."""
    CARRIED = 4
    """The program's host moves it, and the content travels with the call or the result."""


class Choice(NamedTuple):
    """What is to move a file, and how."""

    plugin: Staging
    way: Way


class Registry:
    """The plug-ins of one executor by scheme, in the order in which they were given."""

    def __init__(self, plugins: Iterable[Staging]) -> None:
        self.plugins: Sequence[Staging] = tuple(plugins)
        by_scheme: dict[str, list[Staging]] = {}
        for plugin in self.plugins:
            for scheme in plugin.schemes:
                by_scheme.setdefault(scheme, []).append(plugin)
        self._by_scheme: Mapping[str, Sequence[Staging]] = by_scheme

    def choose(self, file: File, direction: Direction, label: str, *, shared: bool) -> Choice:
        """The plug-in that moves the file with the least trouble; among equals the first.

        ``shared`` says whether tasks of the executor see the program's files.

        Raises:
            NoStaging: There is none.
        """
        best: Choice | None = None
        for plugin in self._by_scheme.get(file.scheme, ()):
            way = way_of(plugin.mode, plugin.place, shared=shared)
            if way is None or not plugin.serves(file, direction):
                continue
            if best is None or _trouble(way) < _trouble(best.way):
                best = Choice(plugin, way)
        if best is None:
            raise NoStaging(file.url, direction.value, f"executor {label!r}", self._why(file))
        return best

    def _why(self, file: File) -> str:
        known = self._by_scheme.get(file.scheme, ())
        if known:
            names = ", ".join(plugin.name for plugin in known)
            return f"{names} would not do for it, this way, on its file systems"
        schemes = ", ".join(f"{one}:" for one in sorted(self._by_scheme)) or "none"
        return f"it has plug-ins for {schemes}, and none for {file.scheme}:"


def _trouble(way: Way) -> int:
    # In the task or in one of its own is the author's taste, and no reason to prefer another.
    return Way.IN_TASK if way is Way.SEPARATE else way


def way_of(mode: Mode, place: Place, *, shared: bool) -> Way | None:
    """How a plug-in serves tasks that see the program's files, or do not; None if it cannot."""
    if mode is Mode.IN_PLACE:
        return Way.IN_PLACE if shared else None
    if place is Place.CLIENT:
        return Way.CLIENT if shared else Way.CARRIED
    # Without a shared file system a task of its own might run on another node.
    return Way.SEPARATE if mode is Mode.SEPARATE and shared else Way.IN_TASK
