"""The interchange's half of htex: which manager gets which task.

It holds few tasks, never looks into them, and owns none: what a manager gives back goes up to
the client, whose truth is the only one. A task is either *waiting* here, or *held* by one
manager, of which only its number is kept.

Tasks go to managers with free workers first, one by one, to the manager that the selector
chooses. What is left while no worker is free is shared out evenly, up to the capacity of each.
If workers are free later and nothing waits, managers that hold more than their workers can run
are asked to yield some: else these would wait behind a long task beside idle workers.

All this costs the same for each task and each event, however many managers there are.

A manager is given tasks only after the client has admitted it. Otherwise this process could
die between giving it a task and telling the client that it exists, and nobody would know whom
to ask.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.fitting import Fitting
from lamina.htex_core.forms import Forms
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DROP,
    FENCE,
    FORMS,
    GOODBYE,
    HEARTBEAT,
    JOINED,
    LOST,
    NEED,
    PROTOCOL,
    REFUSE,
    REGISTER,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNFIT,
    WELCOME,
    YIELD,
    ManagerInfo,
    WireTask,
)
from lamina.htex_core.packing import asks
from lamina.htex_core.selectors import ManagerSelector, TurnManagerSelector

__all__ = [
    "Forget",
    "InterchangeEffect",
    "InterchangeMachine",
    "Leave",
    "ToClient",
    "ToManager",
    "Watch",
]

GRACE = 2.0  # seconds beyond the threshold, so that a manager gives itself up first
FORMS_LIMIT = 64 * 2**20  # bytes of functions by value and shared objects that are kept here
LOOK_AHEAD = 16  # tasks beyond capacity that are kept here at the least
YIELD_AFTER = 0.005  # seconds of idle workers here and tasks held ahead there; few last so long


class ToClient(NamedTuple):
    """Send one frame to the client."""

    kind: int
    body: Any


class ToManager(NamedTuple):
    """Send one frame to whoever is at the other end of this route."""

    route: bytes
    kind: int
    body: Any


class Watch(NamedTuple):
    """Watch the process of a manager, if it is on this host."""

    manager: ManagerInfo


class Forget(NamedTuple):
    """Stop watching."""

    uid: str


class Leave(NamedTuple):
    """End this process."""

    reason: str


InterchangeEffect: TypeAlias = ToClient | ToManager | Watch | Forget | Leave


@attrs.define(eq=False)
class _Manager:
    info: ManagerInfo
    route: bytes
    capacity: int
    registration: int
    last_heard: float
    admitted: bool = False
    held: set[int] = attrs.field(factory=set)
    forms: set[bytes] = attrs.field(factory=set)
    idle: int = 0
    """Workers without a task, as far as we know."""
    asked: bool = False
    """Whether it was asked to yield, and has ended, returned and been given nothing since."""

    @property
    def free(self) -> int:
        return self.capacity - len(self.held) if self.admitted else 0


@attrs.define
class InterchangeMachine:
    """Managers and the tasks between them. Times are seconds on one monotonic clock."""

    epoch: int
    python: str
    package: str
    heartbeat_period: float
    heartbeat_threshold: float
    selector: ManagerSelector = attrs.field(factory=TurnManagerSelector)
    chance: Callable[[], float] = float
    """Random numbers of 0 or more, below 1, for the selector; without it always 0."""

    _waiting: OrderedDict[int, WireTask] = attrs.field(factory=OrderedDict, init=False)
    """Tasks that ask for nothing."""
    _fitting: Fitting = attrs.field(factory=Fitting, init=False)
    _asking_first: bool = attrs.field(default=False, init=False)
    """Whose turn it is: that of tasks that ask for something, or of the others."""
    _lacking: dict[bytes, dict[str, None]] = attrs.field(factory=dict, init=False)
    """What the client was asked for, and for which managers."""
    _managers: dict[str, _Manager] = attrs.field(factory=dict, init=False)
    _routes: dict[bytes, _Manager] = attrs.field(factory=dict, init=False)
    _fenced: set[str] = attrs.field(factory=set, init=False)
    _idle: dict[str, _Manager] = attrs.field(factory=dict, init=False)
    """Those with idle workers."""
    _idle_workers: int = attrs.field(default=0, init=False)
    _ahead: OrderedDict[str, _Manager] = attrs.field(factory=OrderedDict, init=False)
    """Those without, that have room still; in turn."""
    _rich: dict[str, _Manager] = attrs.field(factory=dict, init=False)
    """Those that hold more than their workers can run, and may be asked for it."""
    _short_since: float | None = attrs.field(default=None, init=False)
    """Since when there have been both idle workers and rich managers, and nothing waits."""
    _forms: Forms = attrs.field(factory=lambda: Forms(FORMS_LIMIT), init=False)
    _credit: int = attrs.field(default=0, init=False)
    _capacity: int = attrs.field(default=0, init=False)
    _checked: float | None = attrs.field(default=None, init=False)
    _soonest: float = attrs.field(default=0.0, init=False)
    """No manager is to be given up before."""
    dropped: int = attrs.field(default=0, init=False)
    """Frames of another epoch or of a fenced incarnation."""

    def next_deadline(self) -> float | None:
        """When ``time_passed`` wants to be called; None while there is no manager."""
        if not self._managers or self._checked is None:
            return None
        deadline = min(self._checked + self.heartbeat_period / 2, self._soonest)
        if self._short_since is not None:
            deadline = min(deadline, self._short_since + YIELD_AFTER)
        return deadline

    # Events.

    def client_frame(self, kind: int, body: Any, now: float) -> list[InterchangeEffect]:
        """Take a frame from the client."""
        handler = _FROM_CLIENT.get(kind)
        return [] if handler is None else handler(self, body, now)

    def client_gone(self) -> list[InterchangeEffect]:
        """The program is dead or has closed us: nobody wants any of this."""
        return self._on_stop("the program has ended", 0.0)

    def manager_frame(
        self, route: bytes, kind: int, epoch: int, body: Any, now: float
    ) -> list[InterchangeEffect]:
        """Take a frame that came along a route."""
        if kind == REGISTER:
            return self._on_register(route, body, now)
        manager = self._routes.get(route)
        if manager is None or epoch != self.epoch:
            self.dropped += 1
            return []
        manager.last_heard = now
        handler = _FROM_MANAGER.get(kind)
        return [] if handler is None else handler(self, manager, body, now)

    def manager_died(self, uid: str, reason: str) -> list[InterchangeEffect]:
        """The process of a manager has ended."""
        manager = self._managers.get(uid)
        return [] if manager is None else self._lose(manager, reason)

    def time_passed(self, now: float) -> list[InterchangeEffect]:
        """Give up the silent, and ask the rich to yield."""
        if self._short_since is not None and now >= self._short_since + YIELD_AFTER:
            return self._ask_to_yield(now) + self._give_up_the_silent(now)
        return self._give_up_the_silent(now)

    def _give_up_the_silent(self, now: float) -> list[InterchangeEffect]:
        if self._checked is not None:
            if now < min(self._checked + self.heartbeat_period / 2, self._soonest):
                return []
            # Asleep for longer than asked: we were stopped, and frames wait unread. Nobody's
            # silence across that gap is held against them.
            gap = now - self._checked - self.heartbeat_period
            if gap > self.heartbeat_period:
                for manager in self._managers.values():
                    # What had waited for us was read just now, and is no older for it.
                    manager.last_heard = min(now, manager.last_heard + gap)
        self._checked = now
        effects: list[InterchangeEffect] = []
        limit = self.heartbeat_threshold + GRACE
        self._soonest = now + limit
        for manager in list(self._managers.values()):
            if now >= manager.last_heard + limit:
                silence = now - manager.last_heard
                effects += self._lose(manager, f"it was silent for {silence:.1f} s")
            else:
                self._soonest = min(self._soonest, manager.last_heard + limit)
        return effects

    # From managers.

    def _on_register(self, route: bytes, body: Any, now: float) -> list[InterchangeEffect]:
        info = ManagerInfo(*body["info"])
        refusal = self._refusal(info, body)
        if refusal:
            self.dropped += 1
            return [ToManager(route, REFUSE, refusal)]
        known = self._managers.get(info.uid)
        number = body["registration"]
        if known is not None and number <= known.registration:
            # Sent into an old connection and overtaken by the one that replaced it.
            self.dropped += 1
            return []
        if known is not None:
            # It lost its connection and came by a new one; the same incarnation goes on.
            self._routes.pop(known.route, None)
            self._capacity -= known.capacity
            self._leave_out(known)
            for askers in self._lacking.values():
                askers.pop(info.uid, None)  # it will ask again, and is to be sent it once
        manager = _Manager(info, route, body["capacity"], number, last_heard=now)
        manager.admitted = known is not None and known.admitted
        manager.held.update(body["held"], body["finished"])
        effects: list[InterchangeEffect] = []
        if known is not None and (astray := known.held - manager.held):
            # We sent these into the old connection and it never got them.
            effects.append(ToClient(RETURNED, sorted(astray)))
        self._managers[info.uid] = self._routes[route] = manager
        self._capacity += manager.capacity
        self.selector.came(info)
        self._fitting.came(info.uid, body.get("offer", _NOTHING), manager.held)
        self._place(manager)
        if self._checked is None:
            self._checked = now
            self._soonest = now + self.heartbeat_threshold + GRACE
        effects += [
            ToManager(route, WELCOME, None),
            ToClient(JOINED, [list(info), body["held"], body["finished"]]),
            Watch(info),
        ]
        return effects + self._credit_now() + self._dispatch(now)

    def _refusal(self, info: ManagerInfo, body: Any) -> str:
        if body["protocol"] != PROTOCOL:
            return (
                f"the manager on {info.host} speaks protocol {body['protocol']}, the interchange "
                f"{PROTOCOL}; install the same version of the package on both sides"
            )
        if (info.python, info.package) != (self.python, self.package):
            return (
                f"the manager on {info.host} has Python {info.python} and package {info.package}, "
                f"the program Python {self.python} and package {self.package}; they must agree. "
                "Check the environment that the provider's worker_init activates"
            )
        if info.uid in self._fenced:
            return "this incarnation was given up; its tasks have been resolved without it"
        return ""

    def _on_results(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        number, capacity, outcomes = body
        held = manager.held
        for outcome in outcomes:
            held.discard(outcome[0])
        if self._fitting.concerns(manager.info.uid):
            self._fitting.ended(manager.info.uid, [outcome[0] for outcome in outcomes])
        effects: list[InterchangeEffect] = [ToClient(RESULTS, [manager.info.uid, number, outcomes])]
        if capacity != manager.capacity:
            self._capacity += capacity - manager.capacity
            manager.capacity = capacity
            effects += self._credit_now()
        manager.asked = False
        self._place(manager)
        return effects + self._dispatch(now)

    def _on_started(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return [ToClient(STARTED, [manager.info.uid, body])]

    def _on_unfit(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return [ToClient(UNFIT, [manager.info.uid, body])]

    def _on_returned(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        if not body:
            return []  # it was asked to yield, and has nothing that its workers have not begun
        manager.held.difference_update(body)
        self._fitting.ended(manager.info.uid, body)
        manager.asked = False
        self._place(manager)
        # There is room now. A manager that leaves has said before that it has none.
        return [ToClient(RETURNED, body), *self._dispatch(now)]

    def _on_need(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        have = [self._forms.entry(digest) for digest in body if digest in self._forms]
        lack = [digest for digest in body if digest not in self._forms]
        manager.forms.difference_update(lack)
        effects: list[InterchangeEffect] = []
        if have:
            effects.append(ToManager(manager.route, FORMS, have))
        unasked = [digest for digest in lack if digest not in self._lacking]
        for digest in lack:
            self._lacking.setdefault(digest, {})[manager.info.uid] = None
        if unasked:
            effects.append(ToClient(NEED, unasked))
        return effects

    def _on_goodbye(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        """Whatever it does not say that it may have begun never reached it."""
        reason, begun = body
        astray = manager.held.difference(begun)
        manager.held -= astray
        effects: list[InterchangeEffect] = []
        if astray:
            effects.append(ToClient(RETURNED, sorted(astray)))
        return effects + self._lose(manager, reason)

    def _on_heartbeat(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        """Send it back as it is: the manager counts its lease from when it said this."""
        return [ToManager(manager.route, HEARTBEAT, body)]

    # From the client.

    def _on_tasks(self, body: Any, now: float) -> list[InterchangeEffect]:
        waiting, asking = self._waiting, self._fitting.waiting
        for wire in body:
            (asking if asks(wire) else waiting)[wire[0]] = wire
        return self._dispatch(now)

    def _on_forms(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = []
        for entry in body:
            digest, form = entry[:2]
            if form is not None:
                self._forms.put(entry)
            for uid in self._lacking.pop(digest, ()):
                manager = self._managers.get(uid)
                if manager is not None:
                    if form is not None:
                        manager.forms.add(digest)
                    effects.append(ToManager(manager.route, FORMS, [entry]))
        self._forms.trim({entry[0] for entry in body})
        return effects

    def _on_drop(self, body: Any, now: float) -> list[InterchangeEffect]:
        for digest in body:
            self._forms.drop(digest)
        for manager in self._managers.values():
            manager.forms.difference_update(body)
        return [ToManager(manager.route, DROP, body) for manager in self._managers.values()]

    def _on_cancel(self, body: Any, now: float) -> list[InterchangeEffect]:
        returned: list[int] = []
        by_manager: dict[bytes, list[int]] = {}
        for attempt in body:
            asking = self._fitting.waiting.pop(attempt, None)
            if asking is not None or self._waiting.pop(attempt, None) is not None:
                returned.append(attempt)
                continue
            for manager in self._managers.values():
                if attempt in manager.held:
                    by_manager.setdefault(manager.route, []).append(attempt)
                    break
        effects: list[InterchangeEffect] = []
        if returned:
            effects.append(ToClient(RETURNED, returned))
        for route, attempts in by_manager.items():
            effects.append(ToManager(route, CANCEL, attempts))
        return effects

    def _on_ack(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = []
        for uid, number in body:
            manager = self._managers.get(uid)
            if manager is not None:
                effects.append(ToManager(manager.route, ACK, number))
        return effects

    def _on_admit(self, body: Any, now: float) -> list[InterchangeEffect]:
        for uid in body:
            manager = self._managers.get(uid)
            if manager is not None:
                manager.admitted = True
                self._place(manager)
        return self._credit_now() + self._dispatch(now)

    def _on_fence(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = []
        for uid in body:
            self._fenced.add(uid)
            manager = self._managers.get(uid)
            if manager is not None:
                effects.append(ToManager(manager.route, REFUSE, "this incarnation was given up"))
                effects += self._drop(manager)
        return effects + self._credit_now()

    def _on_stop(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = [
            ToManager(manager.route, STOP, body) for manager in self._managers.values()
        ]
        effects.append(Leave(str(body)))
        return effects

    # Decisions.

    def _place(self, manager: _Manager) -> None:
        """Note what room a manager has: after each change of what it holds or may hold."""
        uid, held, slots = manager.info.uid, len(manager.held), manager.info.slots
        self._fitting.placed(uid, room=manager.free > 0)
        idle = max(0, min(manager.capacity, slots) - held) if manager.admitted else 0
        if idle != manager.idle:
            self._idle_workers += idle - manager.idle
            manager.idle = idle
            self.selector.changed(uid, idle)
            if idle:
                self._idle[uid] = manager
            else:
                del self._idle[uid]
        if not idle and manager.free > 0:
            self._ahead.setdefault(uid, manager)
        else:
            self._ahead.pop(uid, None)
        if held > slots and manager.capacity and not manager.asked:
            self._rich[uid] = manager
        else:
            self._rich.pop(uid, None)

    def _leave_out(self, manager: _Manager) -> None:
        """A manager is to be given nothing any more."""
        uid = manager.info.uid
        self._idle.pop(uid, None)
        self._ahead.pop(uid, None)
        self._rich.pop(uid, None)
        self._idle_workers -= manager.idle
        self.selector.gone(uid)

    def _dispatch(self, now: float) -> list[InterchangeEffect]:
        """Give what waits to managers with room, one frame to each."""
        waiting, idle, ahead = self._waiting, self._idle, self._ahead
        if (waiting or self._fitting.waiting) and (idle or ahead):
            batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]] = {}
            # In turn, so that neither kind of task starves the other.
            self._asking_first = not self._asking_first
            if self._asking_first:
                self._take_asking(batches)
            while waiting and idle:
                manager = self._chosen()
                only = len(idle) == 1
                self._take(manager, min(manager.idle if only else 1, len(waiting)), batches)
            while waiting and ahead:
                # An equal share each, so that a short queue is not all given to the first.
                share = max(1, len(waiting) // len(ahead))
                for manager in list(islice(ahead.values(), len(waiting))):
                    ahead.move_to_end(manager.info.uid)
                    self._take(manager, min(share, manager.free, len(waiting)), batches)
            self._take_asking(batches)
            effects: list[InterchangeEffect] = []
            for manager, tasks, forms in batches.values():
                if forms:
                    effects.append(ToManager(manager.route, FORMS, forms))
                effects.append(ToManager(manager.route, TASKS, tasks))
            self._notice_shortage(now)
            return effects
        self._notice_shortage(now)
        return []

    def _chosen(self) -> _Manager:
        """The manager with idle workers that gets the next task."""
        idle = self._idle
        if len(idle) > 1:
            options = next(iter(self._waiting.values()))[3]
            hints = options.get("hints", _NOTHING) if options else _NOTHING
            manager = idle.get(self.selector.choose(hints, self.chance()))
            if manager is not None:
                return manager
        return next(iter(idle.values()))

    def _take(
        self,
        manager: _Manager,
        count: int,
        batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]],
    ) -> None:
        """Take so many of what waits into the batch of a manager."""
        waiting = self._waiting
        self._add(manager, [waiting.popitem(last=False)[1] for _ in range(count)], batches)

    def _take_asking(
        self, batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]]
    ) -> None:
        """Take tasks that ask for something, the oldest first, while anybody may have it."""
        fitting = self._fitting
        for wire, uid in fitting.matches():
            self._add(self._managers[uid], [wire], batches)

    def _add(
        self,
        manager: _Manager,
        wires: Sequence[WireTask],
        batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]],
    ) -> None:
        batch = batches.get(manager.info.uid)
        if batch is None:
            batch = batches[manager.info.uid] = (manager, [], [])
        _, tasks, forms = batch
        held = manager.held
        for wire in wires:
            digest, options = wire[1], wire[3]
            if digest is not None and digest not in manager.forms and digest in self._forms:
                manager.forms.add(digest)
                forms.append(self._forms.entry(digest))
            held.add(wire[0])
            tasks.append(_without_hints(wire) if options and "hints" in options else wire)
        manager.asked = False
        self._place(manager)

    def _notice_shortage(self, now: float) -> None:
        if self._rich and self._idle and not self._waiting:
            if self._short_since is None:
                self._short_since = now
        else:
            self._short_since = None

    def _ask_to_yield(self, now: float) -> list[InterchangeEffect]:
        """Ask managers that hold too much for a fair share of it."""
        self._short_since = None
        effects: list[InterchangeEffect] = []
        idle = self._idle_workers
        for manager in list(islice(self._rich.values(), idle)):
            slots = manager.info.slots
            surplus = len(manager.held) - slots
            manager.asked = True
            self._place(manager)
            count = max(1, surplus * idle // (idle + slots))
            effects.append(ToManager(manager.route, YIELD, count))
        self._notice_shortage(now)
        return effects

    def _credit_now(self) -> list[InterchangeEffect]:
        """Capacity, and a small look-ahead so that a free slot never waits for the client."""
        credit = self._capacity + max(LOOK_AHEAD, self._capacity) if self._managers else 0
        if credit == self._credit:
            return []
        self._credit = credit
        return [ToClient(CREDIT, credit)]

    def _lose(self, manager: _Manager, reason: str) -> list[InterchangeEffect]:
        info = manager.info
        self._fenced.add(info.uid)
        why = f"the manager on {info.host} (block {info.block}) is gone: {reason}"
        lost = ToClient(LOST, [info.uid, sorted(manager.held), why])
        return [
            ToManager(manager.route, REFUSE, why),
            *self._drop(manager),
            lost,
            *self._credit_now(),
        ]

    def _drop(self, manager: _Manager) -> list[InterchangeEffect]:
        del self._managers[manager.info.uid]
        self._routes.pop(manager.route, None)
        self._leave_out(manager)
        self._fitting.gone(manager.info.uid)
        self._capacity -= manager.capacity
        return [Forget(manager.info.uid)]

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        assert self._capacity == sum(m.capacity for m in self._managers.values())
        held = [attempt for m in self._managers.values() for attempt in m.held]
        assert len(held) == len(set(held)), "an attempt is held by two managers"
        waiting = self._waiting.keys() | self._fitting.waiting.keys()
        assert not waiting & set(held), "an attempt both waits and is held"
        self._fitting.check()
        asking = next(iter(self._fitting.waiting.values()), None)
        assert asking is None or self._fitting.choose(asking) is None, "a task waits beside room"
        managers = self._managers
        assert all(m.free >= 0 or m.held for m in managers.values())
        assert self._idle == {uid: m for uid, m in managers.items() if m.idle}
        assert self._idle_workers == sum(m.idle for m in managers.values())
        assert self._ahead == {uid: m for uid, m in managers.items() if m.free > 0 and not m.idle}
        assert self._rich.keys() <= managers.keys()
        assert not self._waiting or not (self._idle or self._ahead), "a task waits beside room"


_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _without_hints(wire: WireTask) -> WireTask:
    """The task as managers get it: hints are for the selector, and for it alone."""
    attempt, digest, buffers, options = wire
    left = {name: value for name, value in options.items() if name != "hints"}
    return [attempt, digest, buffers, left or None]


_FROM_CLIENT = {
    TASKS: InterchangeMachine._on_tasks,
    FORMS: InterchangeMachine._on_forms,
    DROP: InterchangeMachine._on_drop,
    CANCEL: InterchangeMachine._on_cancel,
    ACK: InterchangeMachine._on_ack,
    ADMIT: InterchangeMachine._on_admit,
    FENCE: InterchangeMachine._on_fence,
    STOP: InterchangeMachine._on_stop,
}
_FROM_MANAGER = {
    RESULTS: InterchangeMachine._on_results,
    STARTED: InterchangeMachine._on_started,
    UNFIT: InterchangeMachine._on_unfit,
    RETURNED: InterchangeMachine._on_returned,
    NEED: InterchangeMachine._on_need,
    GOODBYE: InterchangeMachine._on_goodbye,
    HEARTBEAT: InterchangeMachine._on_heartbeat,
}
