"""Virtual time, processes that can be killed and stopped at any step, and what links them.

Nothing here waits: the clock jumps to whatever is due next. All chance comes from one seed.
"""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from lamina.htex_core import Frame, pack, unpack

BEGIN = 1000.0  # seconds on every monotonic clock
Step: TypeAlias = tuple[float, str, str, tuple[Any, ...]]


class Violation(AssertionError):
    """Something that must never happen has happened."""


class Killed(Exception):
    """The process that runs this code has been killed at this very step."""


class Clockwork:
    """What happens when; one seed is one history."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = BEGIN
        self.events = 0
        self.trail: deque[Step] | None = None
        self._heap: list[tuple[float, int, Any]] = []
        self._count = itertools.count()

    def at(self, when: float, what: "Process | Callable[[], object]") -> None:
        heapq.heappush(self._heap, (max(when, self.now), next(self._count), what))

    def soon(self, what: Callable[[], object], low: float = 0.0005, high: float = 0.02) -> None:
        self.at(self.now + self.between(low, high), what)

    def advance(self) -> bool:
        """Let the next thing happen; False when nothing is left that could."""
        if not self._heap:
            return False
        when, _, what = heapq.heappop(self._heap)
        self.now = when
        if isinstance(what, Process):
            what.run(when)
        else:
            what()
        return True

    def between(self, low: float, high: float) -> float:
        return low + self.chance.random() * (high - low)

    def spread(self, low: float, high: float) -> float:
        """Between two bounds, each order of magnitude as likely as another."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability

    def note(self, who: str, what: str, *facts: Any) -> None:
        if self.trail is not None:
            self.trail.append((self.now, who, what, facts))


class Host:
    """A machine. Its monotonic clock stands still while it is suspended; its wall clock jumps."""

    def __init__(self, name: str, *, local: bool) -> None:
        self.name, self.boot, self.local = name, f"boot-{name}", local
        self.cut = False
        """No byte passes between it and the interchange's host."""
        self.slow = 1.0
        self.lag = 0.0
        self.wall = 1e9
        self.troubled = False
        """Whether anything befell it that may look like silence."""
        self.gapped = False
        """Whether it, or a process of it, was stopped, suspended or slow: leases say little."""


class Process:
    """Something that runs when woken, unless it is stopped, until it dies."""

    def __init__(self, clockwork: Clockwork, name: str, host: Host) -> None:
        self.clockwork, self.name, self.host = clockwork, name, host
        self.alive = True
        self.stopped = False
        self.died_at = math.inf
        self.fuse: int | None = None
        """After so many effects it is killed, in the midst of what it does."""
        self._wake = math.inf
        self._idle_turns = 0

    def time(self) -> float:
        """What its monotonic clock says."""
        return self.clockwork.now - self.host.lag

    def wake(self, when: float) -> None:
        if when < self._wake:
            self._wake = max(when, self.clockwork.now)
            self.clockwork.at(self._wake, self)

    def run(self, when: float) -> None:
        if when != self._wake:
            return  # it was woken before, and has asked for another time since
        self._wake = math.inf
        if not self.running:
            return
        try:
            self.step()
        except Killed:
            self.kill("in the midst of a step")
        if self.running:
            self.arm()

    @property
    def running(self) -> bool:
        return self.alive and not self.stopped

    def arm(self) -> None:
        """Ask to be woken for whatever is on its way, and for the next deadline."""
        for channel in self.channels():
            if channel.queue and not channel.held_up:
                self.wake(channel.queue[0][0])

    def step(self) -> None:
        raise NotImplementedError

    def channels(self) -> "Iterable[Channel]":
        return ()

    def burn(self) -> None:
        """One effect more; the last one if a fuse was lit."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    def stop(self) -> None:
        self.stopped = True
        self.clockwork.note(self.name, "is stopped")

    def resume(self) -> None:
        if self.alive and self.stopped:
            self.stopped = False
            self.clockwork.note(self.name, "goes on")
            self.wake(self.clockwork.now)

    def kill(self, how: str) -> None:
        if self.alive:
            self.alive = False
            self.died_at = self.clockwork.now
            self.clockwork.note(self.name, "dies", how)
            self.buried()

    def buried(self) -> None:
        """What its death does to others."""

    def spins(self, deadline: float, *, did: bool) -> None:
        """Fail if it asks again and again for a time that has passed, and does nothing then."""
        self._idle_turns = 0 if did or deadline > self.time() else self._idle_turns + 1
        if self._idle_turns > 20:
            msg = f"{self.name} spins: its deadline {deadline:.3f} stays in the past"
            raise Violation(msg)


class Channel:
    """One direction of a stream: in order, with a delay, read by one process."""

    __slots__ = ("_clockwork", "_last", "host", "queue", "reader", "wired")

    def __init__(self, reader: Process, host: Host, *, wired: bool = False) -> None:
        self._clockwork = reader.clockwork
        self._last = 0.0
        self.queue: deque[tuple[float, Any]] = deque()
        self.reader, self.host, self.wired = reader, host, wired

    @property
    def held_up(self) -> bool:
        """Whether a partition keeps what is on its way."""
        return self.wired and self.host.cut

    def send(self, item: Any, low: float, high: float) -> None:
        delay = self._clockwork.between(low, high) * (self.host.slow if self.wired else 1.0)
        self._last = max(self._last, self._clockwork.now + delay)
        self.queue.append((self._last, item))
        if not self.held_up:
            self.reader.wake(self._last)

    def take(self, most: int) -> list[Any]:
        """What has come."""
        if self.held_up:
            return []
        now, queue = self._clockwork.now, self.queue
        items: list[Any] = []
        while queue and queue[0][0] <= now and len(items) < most:
            items.append(queue.popleft()[1])
        return items

    @property
    def ready(self) -> bool:
        return bool(self.queue) and self.queue[0][0] <= self._clockwork.now and not self.held_up

    def hurry(self) -> None:
        """All that was sent is here: its sender died, and the kernel has it."""
        now = self._clockwork.now
        self.queue = deque((min(when, now), item) for when, item in self.queue)
        self.reader.wake(now)

    def cut_short(self) -> None:
        """Only the first few of what is on its way arrive."""
        for _ in range(self._clockwork.chance.randrange(len(self.queue) + 1)):
            self.queue.pop()


class Wire:
    """How frames look while they travel: as bytes, or to save time as they are."""

    def __init__(self, *, real: bool) -> None:
        self._real = real

    def write(self, kind: int, epoch: int, body: Any) -> Any:
        return pack(kind, epoch, body) if self._real else Frame(kind, epoch, body)

    def read(self, data: Any) -> Frame:
        return unpack(data) if self._real else data
