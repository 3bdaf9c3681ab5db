"""Which task is next: the queue of the client, and the orders in which it may be kept.

An order is asked once for each task, when that is submitted, and answers with a key; the task
with the lowest key is next. It is never shown the queue, so a decision costs the logarithm of
its length at most.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import attrs

__all__ = [
    "FirstInFirstOut",
    "Levels",
    "PriorityFirst",
    "Queue",
    "QueueOrder",
    "QueuedTask",
    "ShortestFirst",
    "Sorted",
    "comparable",
]

Key: TypeAlias = Any
"""A number, text, None, or a tuple of these."""


class QueuedTask(NamedTuple):
    """A task, as an order sees it."""

    name: str = ""
    """What messages call it: of an app, its name."""
    priority: float = 0
    """Higher is meant to run sooner."""
    expected: float | None = None
    """Seconds that it is expected to take, if somebody said so."""
    walltime: float | None = None
    """Seconds that it may take."""
    hints: Mapping[str, Any] = {}
    """Whatever was said by ``hints=``."""


class QueueOrder(Protocol):
    """**Protocol:** says which task of an executor is next.

    It lives in the program and may be any object. Asked by several threads, perhaps at once.
    """

    def key(self, task: QueuedTask) -> Key:
        """The task with the lowest key is next; of equals, the one that came first.

        A key is a number, text, None, or a tuple of these; None comes before numbers, and
        numbers before text. A task for which this raises, or gives anything else, fails alone.
        """
        ...


@attrs.frozen
class PriorityFirst:
    """Higher priority first, and otherwise in the order they came."""

    def key(self, task: QueuedTask) -> Key:
        """Its priority."""
        return -task.priority


@attrs.frozen
class FirstInFirstOut:
    """In the order they came, whatever their priority."""

    def key(self, task: QueuedTask) -> Key:
        """The same for all."""
        return 0


@attrs.frozen
class ShortestFirst:
    """Of those with the highest priority, the one that is expected to end soonest.

    Those of which nobody said how long they take come last.
    """

    def key(self, task: QueuedTask) -> Key:
        """Its priority, and how long it takes."""
        return -task.priority, math.inf if task.expected is None else task.expected


def comparable(key: Any) -> Key:
    """The key in a form in which any two can be compared.

    Raises:
        TypeError: It is no number, text, None or tuple of these.
    """
    if key is None:
        return (0,)
    if isinstance(key, int | float):
        if key != key:
            msg = "a queue order gave NaN as a key, which is neither low nor high"
            raise TypeError(msg)
        return (1, key)
    if isinstance(key, str):
        return (2, key)
    if isinstance(key, tuple):
        return (3, tuple(comparable(part) for part in key))
    msg = f"a queue order gave {key!r:.100} as a key; it must be a number, text or a tuple of these"
    raise TypeError(msg)


class Queue(Protocol):
    """Attempts that wait, by rank; the client's machine has one of these."""

    def push(self, attempt: int, rank: Any, *, first: bool = False) -> None:
        """Add one: the last of its rank, or the first."""
        ...

    def pop(self) -> int | None:
        """Take the next; None when there is none."""
        ...

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Let go of all others; it costs as much as there are."""
        ...

    def __len__(self) -> int: ...


class Levels:
    """Ranks are priorities: the higher first. O(1) while there are few different ones."""

    def __init__(self) -> None:
        self._levels: dict[float, deque[int]] = {}
        self._order: list[float] = []  # a heap of minus the priorities

    def push(self, attempt: int, rank: float, *, first: bool = False) -> None:
        """Add one: the last of its priority, or the first."""
        level = self._levels.get(rank)
        if level is None:
            level = self._levels[rank] = deque()
            heapq.heappush(self._order, -rank)
        if first:
            level.appendleft(attempt)
        else:
            level.append(attempt)

    def pop(self) -> int | None:
        """Take the next; None when there is none."""
        while self._order:
            priority = -self._order[0]
            level = self._levels[priority]
            if level:
                return level.popleft()
            heapq.heappop(self._order)
            del self._levels[priority]
        return None

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Let go of all others."""
        kept = {rank: deque(filter(wanted, level)) for rank, level in self._levels.items()}
        self._levels = {rank: level for rank, level in kept.items() if level}
        self._order = [-rank for rank in self._levels]
        heapq.heapify(self._order)

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))


class Sorted:
    """Ranks are whatever can be compared: the lower first, in logarithmic time."""

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, int]] = []
        self._last = self._first = 0

    def push(self, attempt: int, rank: Any, *, first: bool = False) -> None:
        """Add one: the last of its rank, or the first."""
        if first:
            self._first -= 1
            number = self._first
        else:
            self._last += 1
            number = self._last
        heapq.heappush(self._heap, (rank, number, attempt))

    def pop(self) -> int | None:
        """Take the next; None when there is none."""
        return heapq.heappop(self._heap)[2] if self._heap else None

    def keep(self, wanted: Callable[[int], bool]) -> None:
        """Let go of all others."""
        self._heap = [item for item in self._heap if wanted(item[2])]
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)
