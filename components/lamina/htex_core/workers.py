"""The workers of one node, as their manager's machine knows them.

Each event concerns a few of many workers, so nobody looks at all of them: they are found by how
many tasks they hold, and one number says until when none has to be looked at. After each change
of a worker, ``note`` or ``given`` is called with it.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any

import attrs

from lamina.htex_core.forms import Known
from lamina.htex_core.frames import WireTask
from lamina.htex_core.limits import LOOK_PERIOD, memory_limit
from lamina.htex_core.packing import Bound, asks

__all__ = ["SAY_STARTED_AFTER", "Worker", "Workers"]

SAY_STARTED_AFTER = 0.1  # seconds; a task that ends sooner never says that it started


@attrs.define(eq=False)
class Worker:
    """One worker process. The first of the tasks that it holds is the one that it runs."""

    number: int
    place: int
    """Below the number of workers, and its own while it lives."""
    up: bool = False
    proven: bool = False
    """Whether it has ever begun a task: then it is not the way it is born that kills it."""
    held: OrderedDict[int, WireTask] = attrs.field(factory=OrderedDict)
    forms: Known = attrs.field(factory=Known)
    wants: set[bytes] = attrs.field(factory=set)
    """Forms that it has asked for and that we asked for in turn."""
    recalled: bool = False
    recalling: bool = False
    progress: float = 0.0
    """When it last began something, on the machine's clock."""
    looked: float = 0.0
    """When the memory that it uses was measured last."""
    said: bool = False
    """Whether the start of its present task has been reported."""
    wishes: set[int] = attrs.field(factory=set)
    """Those of its tasks that are to be cancelled, once nothing else can be hit."""
    verdict: tuple[str, str] | None = None
    """Why we are killing it: cause and reason."""
    numbers: dict[str, Any] = attrs.field(factory=dict)
    """What goes with the verdict, as facts of the outcome."""
    bound: Bound | None = None
    """What it holds of the node, where that is counted."""
    ranked: int | None = None
    """How many tasks it holds, if it may be given more, as noted last."""

    @property
    def able(self) -> bool:
        """Whether it may be given more: nothing behind a task that may have to be killed."""
        if not self.up or self.recalled or self.verdict is not None:
            return False
        return not self.held or not (self.wishes or self.options)

    @property
    def options(self) -> Mapping[str, Any] | None:
        """Those of the task that it runs; it must hold one."""
        options: Mapping[str, Any] | None = next(iter(self.held.values()))[3]
        return options

    @property
    def walltime(self) -> float | None:
        """Seconds that the task that it runs may take; it must hold one."""
        options = self.options
        return options.get("walltime") if options else None

    @property
    def look_at(self) -> float:
        """When its memory is to be measured next, if at all."""
        return max(self.progress, self.looked) + LOOK_PERIOD


_NOBODY: Mapping[int, Worker] = MappingProxyType({})


@attrs.define
class Workers:
    """All workers that live, by number."""

    watched_limit: int | None
    """What each may use, in bytes."""
    able_count: int = attrs.field(default=0, init=False)
    """How many may be given more."""
    rich: dict[int, Worker] = attrs.field(factory=dict, init=False)
    """Those that hold more than one task, and are not being recalled."""
    due: float = attrs.field(default=math.inf, init=False)
    """Nothing has to be done about any worker's present task before."""
    _living: dict[int, Worker] = attrs.field(factory=dict, init=False)
    _able: dict[int, dict[int, Worker]] = attrs.field(factory=dict, init=False)
    """Those that may be given more, by how many tasks they hold."""
    _next: int = attrs.field(default=0, init=False)
    _free: list[int] = attrs.field(factory=list, init=False)
    """Places of workers that have died, a heap."""

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._living.values())

    def get(self, number: int) -> Worker | None:
        """The worker with this number, if it lives."""
        return self._living.get(number)

    def able(self, count: int) -> Mapping[int, Worker]:
        """Those that may be given more and hold so many tasks."""
        return self._able.get(count, _NOBODY)

    def held(self) -> list[int]:
        """The attempts that any of them holds."""
        return [attempt for worker in self for attempt in worker.held]

    def limit_of(self, worker: Worker) -> int | None:
        """Bytes that what it runs may use; None if that is any, or if we are killing it already."""
        if not worker.held or worker.verdict is not None:
            return None
        own = memory_limit(next(iter(worker.held.values())))
        if own is None or self.watched_limit is None:
            return self.watched_limit if own is None else own
        return min(own, self.watched_limit)

    # Changes.

    def add(self) -> Worker:
        """A new one, in the first place that is free."""
        number = self._next
        self._next += 1
        place = heappop(self._free) if self._free else len(self._living)
        worker = self._living[number] = Worker(number, place)
        return worker

    def remove(self, number: int) -> Worker | None:
        """It is dead, and its place free."""
        worker = self._living.pop(number, None)
        if worker is not None:
            heappush(self._free, worker.place)
            self.note(worker)
        return worker

    def note(self, worker: Worker) -> None:
        """It has changed: whether it may be given more, or how many tasks it holds."""
        number, count = worker.number, len(worker.held)
        lives = self._living.get(number) is worker
        rank = count if lives and worker.able else None
        if rank != worker.ranked:
            if worker.ranked is not None:
                del self._able[worker.ranked][number]
                self.able_count -= 1
            if rank is not None:
                self._able.setdefault(rank, {})[number] = worker
                self.able_count += 1
            worker.ranked = rank
        if lives and count > 1 and not worker.recalling:
            self.rich[number] = worker
        else:
            self.rich.pop(number, None)

    def given(self, worker: Worker, connected: bool) -> None:
        """It holds other tasks than before, and perhaps runs another."""
        self.note(worker)
        plain = self.watched_limit is None and not worker.options
        due = worker.progress + SAY_STARTED_AFTER if plain else self._due_of(worker, connected)
        if due < self.due:
            self.due = due

    def look_at_all(self, connected: bool) -> None:
        """Find out anew when one has to be looked at; a start can be told if ``connected``."""
        self.due = min((self._due_of(worker, connected) for worker in self), default=math.inf)

    def _due_of(self, worker: Worker, connected: bool) -> float:
        """When something has to be done about a worker's present task."""
        if not worker.held:
            return math.inf
        due = math.inf
        if not worker.said and connected:
            due = worker.progress + SAY_STARTED_AFTER
        walltime = worker.walltime
        if walltime is not None and worker.verdict is None:
            due = min(due, worker.progress + walltime)
        if self.limit_of(worker) is not None:
            due = min(due, worker.look_at)
        return due

    def check(self, connected: bool) -> None:
        """Assert what holds after every event; for tests."""
        for worker in self:
            alone = any(wire[3] for wire in worker.held.values())
            assert not alone or len(worker.held) == 1, "a task with options is not alone"
            asking = any(map(asks, worker.held.values()))
            asked = worker.bound is not None and worker.bound.asked
            assert asked == asking, "a worker has what its task did not ask for, or has not"
            assert worker.bound is None or worker.held, "a worker with no task holds something"
            assert worker.wishes <= worker.held.keys()
            assert worker.ranked == (len(worker.held) if worker.able else None)
            assert self.due <= self._due_of(worker, connected), "a worker is looked at too late"
        able = {number: count for count, some in self._able.items() for number in some}
        assert able == {w.number: w.ranked for w in self if w.ranked is not None}
        assert self.able_count == len(able)
        rich = {w.number for w in self if len(w.held) > 1 and not w.recalling}
        assert self.rich.keys() == rich
        own = [worker.place for worker in self]
        assert len(own) == len(set(own)), "two workers have one place"
