"""The interchange's tasks that not every manager may have, and who is to have them.

Some are to avoid certain nodes, and of some it is known how long they take: these must be able
to end before the block of their manager does. They are given to workers that are free at that
moment, since whatever was sent ahead might begin too late. While one waits that could go to a
manager, were a worker free there, nothing is sent ahead to that manager; so one will be.

Tasks that avoid the same nodes wait together. The oldest is next; where no manager has the time
for it, the one that ends soonest. If that has to wait too, so must they all: so a task costs the
logarithm of the number of managers, and a little for each node that it avoids.
"""

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TypeAlias

import attrs

from lamina.htex_core.frames import WireTask
from lamina.htex_core.ranking import SPARE, Ranking

__all__ = ["AHEAD", "FREE", "FULL", "Choosy", "expected_of", "may_have"]

FULL, AHEAD, FREE = range(3)
"""What room a manager has: none, none but for tasks that are sent ahead, or a free worker."""

_Avoid: TypeAlias = frozenset[str]


def expected_of(wire: WireTask) -> float:
    """Seconds that a task is expected to take; so few that any time will do if nobody said."""
    expected: float = wire[3].get("expected", -math.inf)
    return expected


def may_have(wire: WireTask, node: str, ends: float, now: float) -> bool:
    """Whether a task may be given to a manager on this node, whose block ends then."""
    options = wire[3]
    if options is None:
        return True
    return node not in options.get("avoid", ()) and now + expected_of(wire) <= ends


@attrs.define(eq=False)
class _Group:
    waiting: OrderedDict[int, tuple[int, WireTask]] = attrs.field(factory=OrderedDict)
    """By attempt; each has a number, so that it is told from the same one come again."""
    by_time: list[tuple[float, int, int]] = attrs.field(factory=list)
    """A heap of what each is expected to take, its number, and the attempt."""

    def shortest(self) -> WireTask:
        """The one that is expected to take least."""
        while True:
            _, number, attempt = self.by_time[0]
            there = self.waiting.get(attempt)
            if there is not None and there[0] == number:
                return there[1]
            heapq.heappop(self.by_time)

    def tidy(self) -> None:
        """Let go of what waits no more: it comes to the top only if it would have been short."""
        self.by_time = [
            (expected_of(wire), number, attempt) for attempt, (number, wire) in self.waiting.items()
        ]
        heapq.heapify(self.by_time)


@attrs.define(eq=False)
class _Places:
    """Managers by node; the block that ends last is first."""

    _nodes: dict[str, Ranking] = attrs.field(factory=dict)
    _best: Ranking = attrs.field(factory=Ranking)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def put(self, uid: str, node: str, ends: float) -> None:
        self._nodes.setdefault(node, Ranking()).put(uid, -ends)
        self._rank(node)

    def drop(self, uid: str, node: str) -> None:
        if node in self._nodes:
            self._nodes[node].drop(uid)
            self._rank(node)

    def choose(self, avoid: _Avoid, until: float) -> str | None:
        """One that may have a task which ends at that time."""
        node = self._best.best(lambda node: node not in avoid)
        if node is None or until > -self._best.rank(node):
            return None
        return self._nodes[node].first()

    def _rank(self, node: str) -> None:
        ranking = self._nodes[node]
        if ranking:
            self._best.put(node, ranking.rank(ranking.first()))
        else:
            del self._nodes[node]
            self._best.drop(node)


@attrs.define(eq=False)
class Choosy:
    """Tasks that not every manager may have, and all managers. Times are on the machine's clock."""

    awake: bool = attrs.field(default=False, init=False)
    """Whether there has ever been such a task; before, nobody need tell of any manager."""
    _groups: dict[_Avoid, _Group] = attrs.field(factory=dict, init=False)
    _group_of: dict[int, _Avoid] = attrs.field(factory=dict, init=False)
    _number: int = attrs.field(default=0, init=False)
    _managers: dict[str, tuple[str, float]] = attrs.field(factory=dict, init=False)
    """The node of each, and when its block ends."""
    _free: _Places = attrs.field(factory=_Places, init=False)
    _ahead: _Places = attrs.field(factory=_Places, init=False)

    def __len__(self) -> int:
        return len(self._group_of)

    @property
    def attempts(self) -> set[int]:
        """Those that wait."""
        return set(self._group_of)

    # What the interchange tells.

    def add(self, wire: WireTask) -> None:
        """A task waits."""
        attempt, avoid = wire[0], frozenset(wire[3].get("avoid", ()))
        self.pop(attempt)
        self._number += 1
        group = self._groups.setdefault(avoid, _Group())
        group.waiting[attempt] = self._number, wire
        heapq.heappush(group.by_time, (expected_of(wire), self._number, attempt))
        self._group_of[attempt] = avoid

    def pop(self, attempt: int) -> WireTask | None:
        """A task waits no more; None if it did not."""
        avoid = self._group_of.pop(attempt, None)
        if avoid is None:
            return None
        group = self._groups[avoid]
        _, wire = group.waiting.pop(attempt)
        if not group.waiting:
            del self._groups[avoid]
        elif len(group.by_time) > 2 * len(group.waiting) + SPARE:
            group.tidy()
        return wire

    def came(self, uid: str, node: str, ends: float | None) -> None:
        """A manager is there, or there anew; it has no room until that is said."""
        self.gone(uid)
        self._managers[uid] = node, math.inf if ends is None else ends

    def gone(self, uid: str) -> None:
        """A manager is not there any more."""
        if uid in self._managers:
            self.placed(uid, FULL)
            del self._managers[uid]

    def placed(self, uid: str, room: int) -> None:
        """What room a manager has now."""
        node, ends = self._managers[uid]
        for kind, places in ((FREE, self._free), (AHEAD, self._ahead)):
            if room == kind:
                places.put(uid, node, ends)
            else:
                places.drop(uid, node)

    # What it decides.

    def matches(self, now: float) -> Iterator[tuple[WireTask, str]]:
        """Tasks, each with the manager that is to have it; they wait no more.

        What room that manager has then must be said before the next is asked for.
        """
        turns = deque(self._groups)
        while turns and self._free:
            avoid = turns.popleft()
            found = self._next(avoid, self._free, now)
            if found is not None:
                self.pop(found[0][0])
                if avoid in self._groups:
                    turns.append(avoid)
                yield found

    def reserved(self, now: float) -> set[str]:
        """Managers to which nothing is to be sent ahead, so that soon a worker is free there."""
        found = (self._next(avoid, self._ahead, now) for avoid in self._groups)
        return {each[1] for each in found if each is not None}

    def _next(self, avoid: _Avoid, places: _Places, now: float) -> tuple[WireTask, str] | None:
        group = self._groups[avoid]
        _, oldest = next(iter(group.waiting.values()))
        for wire in (oldest, group.shortest()):
            uid = places.choose(avoid, now + expected_of(wire))
            if uid is not None:
                return wire, uid
        return None

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        waiting = {each: avoid for avoid, group in self._groups.items() for each in group.waiting}
        assert waiting == self._group_of
        assert all(group.waiting for group in self._groups.values())
        for group in self._groups.values():
            times = [expected_of(wire) for _, wire in group.waiting.values()]
            assert expected_of(group.shortest()) == min(times)
