"""Which manager gets the next task: a decision of the interchange.

A selector is told of each change and asked for the next manager, so that a decision costs the
same with ten managers as with ten thousand. It decides about workers that are free. What is
sent ahead of that, while no worker is free anywhere, is shared out evenly and is not its affair.

It lives in the interchange's process. The object that a program gives is written down as the
place of its class and its options; the interchange makes its own from that.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from lamina.htex_core.frames import ManagerInfo
from lamina.htex_core.ranking import Ranking

__all__ = [
    "BlockIdManagerSelector",
    "FewestFreeManagerSelector",
    "ManagerSelector",
    "MostFreeManagerSelector",
    "RandomManagerSelector",
    "TurnManagerSelector",
]


class ManagerSelector(Protocol):
    """**Protocol:** chooses the manager that gets the next task.

    Calls never overlap, and none may wait. One that raises ends the interchange, and after a
    few new starts the executor. Its class must be importable by the interchange, and its
    options such as msgpack can carry: numbers, text, bytes, lists and maps.
    """

    def came(self, manager: ManagerInfo) -> None:
        """A manager is there, or is there again; nothing is free yet."""
        ...

    def changed(self, uid: str, free: int) -> None:
        """A manager has so many free workers now; with 0 it is not to be chosen."""
        ...

    def gone(self, uid: str) -> None:
        """A manager is not to be chosen any more."""
        ...

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """The uid of a manager with a free worker. Asked only while there are two or more.

        ``hints`` are those of the task; ``chance`` is a random number of 0 or more, below 1.
        An answer that is no such uid counts for nothing: the task goes to any of them.
        """
        ...


@attrs.define(eq=False)
class TurnManagerSelector:
    """Each manager with a free worker in its turn."""

    _turn: OrderedDict[str, None] = attrs.field(factory=OrderedDict, init=False)

    def came(self, manager: ManagerInfo) -> None:
        """Its turn will come."""

    def changed(self, uid: str, free: int) -> None:
        """It keeps its turn while it has a free worker; one that is new comes last."""
        if free > 0:
            self._turn.setdefault(uid)
        else:
            self._turn.pop(uid, None)

    def gone(self, uid: str) -> None:
        """It has no turn any more."""
        self._turn.pop(uid, None)

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """The one that was chosen longest ago."""
        uid = next(iter(self._turn))
        self._turn.move_to_end(uid)
        return uid


@attrs.define(eq=False)
class RandomManagerSelector:
    """Any manager with a free worker, each with the same probability."""

    _uids: list[str] = attrs.field(factory=list, init=False)
    _at: dict[str, int] = attrs.field(factory=dict, init=False)

    def came(self, manager: ManagerInfo) -> None:
        """It may be chosen once it has a free worker."""

    def changed(self, uid: str, free: int) -> None:
        """It may be chosen while it has a free worker."""
        if free <= 0:
            self.gone(uid)
        elif uid not in self._at:
            self._at[uid] = len(self._uids)
            self._uids.append(uid)

    def gone(self, uid: str) -> None:
        """The last one takes its place, so that nothing has to move."""
        at = self._at.pop(uid, None)
        if at is not None:
            last = self._uids.pop()
            if last != uid:
                self._uids[at] = last
                self._at[last] = at

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """Whichever chance says."""
        return self._uids[int(chance * len(self._uids))]


@attrs.define(eq=False)
class FewestFreeManagerSelector:
    """The manager with the fewest free workers: fills one node before it begins with the next.

    Whole nodes stay free, for tasks that need many workers of one or to be given back.
    """

    _ranking: Ranking = attrs.field(factory=Ranking, init=False)

    def came(self, manager: ManagerInfo) -> None:
        """It may be chosen once it has a free worker."""

    def changed(self, uid: str, free: int) -> None:
        """The fewer are free, the sooner it is chosen."""
        if free > 0:
            self._ranking.put(uid, free)
        else:
            self._ranking.drop(uid)

    def gone(self, uid: str) -> None:
        """It is not chosen any more."""
        self._ranking.drop(uid)

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """The fullest one that has room."""
        return self._ranking.first()


@attrs.define(eq=False)
class MostFreeManagerSelector:
    """The manager with the most free workers: tasks have as much of a node as there is."""

    _ranking: Ranking = attrs.field(factory=Ranking, init=False)

    def came(self, manager: ManagerInfo) -> None:
        """It may be chosen once it has a free worker."""

    def changed(self, uid: str, free: int) -> None:
        """The more are free, the sooner it is chosen."""
        if free > 0:
            self._ranking.put(uid, -free)
        else:
            self._ranking.drop(uid)

    def gone(self, uid: str) -> None:
        """It is not chosen any more."""
        self._ranking.drop(uid)

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """The emptiest one."""
        return self._ranking.first()


@attrs.define(eq=False)
class BlockIdManagerSelector:
    """A manager of the block with the lowest number, which is the oldest that has room.

    So the young ones run dry first and can be given back.
    """

    _blocks: dict[str, tuple[int, str]] = attrs.field(factory=dict, init=False)
    _ranking: Ranking = attrs.field(factory=Ranking, init=False)

    def came(self, manager: ManagerInfo) -> None:
        """Its block is noted."""
        block = manager.block
        # The numbers are written without leading zeros, so of two the shorter is the lower.
        self._blocks[manager.uid] = (len(block), block)

    def changed(self, uid: str, free: int) -> None:
        """It may be chosen while it has a free worker."""
        if free > 0:
            self._ranking.put(uid, self._blocks[uid])
        else:
            self._ranking.drop(uid)

    def gone(self, uid: str) -> None:
        """It is not chosen any more."""
        self._ranking.drop(uid)
        self._blocks.pop(uid, None)

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        """One of the oldest block."""
        return self._ranking.first()
