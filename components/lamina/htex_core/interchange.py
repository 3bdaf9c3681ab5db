"""The interchange's half of htex: which manager gets which task.

It holds few tasks, never looks into them, and owns none: what a manager gives back goes up to
the client, whose truth is the only one. A task is either *waiting* here, or *held* by one
manager, of which only its number is kept.

A manager is given tasks only after the client has admitted it. Otherwise this process could
die between giving it a task and telling the client that it exists, and nobody would know whom
to ask.
"""

from collections import OrderedDict, deque
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
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
    WELCOME,
    ManagerInfo,
    WireTask,
)

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
FORMS_LIMIT = 64 * 2**20  # bytes of functions by value that are kept here
LOOK_AHEAD = 16  # tasks beyond capacity that are kept here at the least


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
    last_heard: float
    last_sent: float
    admitted: bool = False
    held: set[int] = attrs.field(factory=set)
    forms: set[bytes] = attrs.field(factory=set)
    leaving: bool = False

    @property
    def free(self) -> int:
        if not self.admitted or self.leaving:
            return 0
        return self.capacity - len(self.held)


@attrs.define
class InterchangeMachine:
    """Managers and the tasks between them. Times are seconds on one monotonic clock."""

    epoch: int
    python: str
    package: str
    heartbeat_period: float
    heartbeat_threshold: float

    _waiting: OrderedDict[int, WireTask] = attrs.field(factory=OrderedDict, init=False)
    _lacking: dict[bytes, list[int]] = attrs.field(factory=dict, init=False)
    _managers: dict[str, _Manager] = attrs.field(factory=dict, init=False)
    _routes: dict[bytes, _Manager] = attrs.field(factory=dict, init=False)
    _fenced: set[str] = attrs.field(factory=set, init=False)
    _turn: deque[str] = attrs.field(factory=deque, init=False)
    _forms: dict[bytes, bytes] = attrs.field(factory=dict, init=False)
    _forms_size: int = attrs.field(default=0, init=False)
    _credit: int = attrs.field(default=0, init=False)
    _capacity: int = attrs.field(default=0, init=False)
    _checked: float | None = attrs.field(default=None, init=False)
    dropped: int = attrs.field(default=0, init=False)
    """Frames of another epoch or of a fenced incarnation."""

    def next_deadline(self) -> float | None:
        """When ``time_passed`` wants to be called; None while there is no manager."""
        if not self._managers or self._checked is None:
            return None
        return self._checked + self.heartbeat_period / 2

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
        """Give up the silent, and say that we are here."""
        if self._checked is not None:
            # Asleep for longer than asked: we were stopped, and frames wait unread. Nobody's
            # silence across that gap is held against them.
            gap = now - self._checked - self.heartbeat_period
            if gap > self.heartbeat_period:
                for manager in self._managers.values():
                    manager.last_heard += gap
        self._checked = now
        effects: list[InterchangeEffect] = []
        limit = self.heartbeat_threshold + GRACE
        for manager in list(self._managers.values()):
            silence = now - manager.last_heard
            if silence > limit:
                effects += self._lose(manager, f"it was silent for {silence:.1f} s")
            elif now - manager.last_sent >= self.heartbeat_period / 2:
                manager.last_sent = now
                effects.append(ToManager(manager.route, HEARTBEAT, None))
        return effects

    # From managers.

    def _on_register(self, route: bytes, body: Any, now: float) -> list[InterchangeEffect]:
        info = ManagerInfo(*body["info"])
        refusal = self._refusal(info, body)
        if refusal:
            self.dropped += 1
            return [ToManager(route, REFUSE, refusal)]
        known = self._managers.get(info.uid)
        if known is not None:
            # It lost its connection and came by a new one; the same incarnation goes on.
            self._routes.pop(known.route, None)
            self._capacity -= known.capacity
        else:
            self._turn.append(info.uid)
        manager = _Manager(info, route, body["capacity"], last_heard=now, last_sent=now)
        manager.admitted = known is not None and known.admitted
        manager.held.update(body["held"], body["finished"])
        effects: list[InterchangeEffect] = []
        if known is not None and (astray := known.held - manager.held):
            # We sent these into the old connection and it never got them.
            effects.append(ToClient(RETURNED, sorted(astray)))
        self._managers[info.uid] = self._routes[route] = manager
        self._capacity += manager.capacity
        if self._checked is None:
            self._checked = now
        effects += [
            ToManager(route, WELCOME, None),
            ToClient(JOINED, [list(info), body["held"], body["finished"]]),
            Watch(info),
        ]
        return effects + self._credit_now() + self._dispatch()

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
        effects: list[InterchangeEffect] = [ToClient(RESULTS, [manager.info.uid, number, outcomes])]
        if capacity != manager.capacity:
            self._capacity += capacity - manager.capacity
            manager.capacity = capacity
            effects += self._credit_now()
        return effects + self._dispatch()

    def _on_started(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return [ToClient(STARTED, [manager.info.uid, body])]

    def _on_returned(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        manager.held.difference_update(body)
        # There is room now. A manager that leaves has said before that it has none.
        return [ToClient(RETURNED, body), *self._dispatch()]

    def _on_need(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        have = [[digest, self._forms[digest]] for digest in body if digest in self._forms]
        lack = [digest for digest in body if digest not in self._forms]
        manager.forms.difference_update(lack)
        effects: list[InterchangeEffect] = []
        if have:
            effects.append(ToManager(manager.route, FORMS, have))
        if lack:
            for digest in lack:
                self._lacking.setdefault(digest, [])
            effects.append(ToClient(NEED, lack))
        return effects

    def _on_goodbye(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return self._lose(manager, str(body))

    def _on_heartbeat(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return []

    # From the client.

    def _on_tasks(self, body: Any, now: float) -> list[InterchangeEffect]:
        waiting = self._waiting
        for wire in body:
            waiting[wire[0]] = wire
        return self._dispatch()

    def _on_forms(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = []
        for digest, form in body:
            if digest not in self._forms:
                self._forms[digest] = form
                self._forms_size += len(form)
            if self._lacking.pop(digest, None) is not None:
                for manager in self._managers.values():
                    if digest not in manager.forms:
                        manager.forms.add(digest)
                        effects.append(ToManager(manager.route, FORMS, [[digest, form]]))
        while self._forms_size > FORMS_LIMIT and len(self._forms) > len(body):
            oldest = next(iter(self._forms))
            self._forms_size -= len(self._forms.pop(oldest))
        return effects

    def _on_cancel(self, body: Any, now: float) -> list[InterchangeEffect]:
        returned: list[int] = []
        by_manager: dict[bytes, list[int]] = {}
        for attempt in body:
            if self._waiting.pop(attempt, None) is not None:
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
        return self._credit_now() + self._dispatch()

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

    def _dispatch(self) -> list[InterchangeEffect]:
        """Give what waits to managers with room, in turn, one frame to each."""
        if not self._waiting:
            return []
        effects: list[InterchangeEffect] = []
        managers = self._managers
        turn = self._turn
        room = [managers[uid] for uid in turn if managers[uid].free > 0]
        turn.rotate(-1)
        while self._waiting and room:
            # An equal share each, so that a short queue is not all given to the first.
            share = max(1, len(self._waiting) // len(room))
            left: list[_Manager] = []
            for manager in room:
                count = min(share, manager.free, len(self._waiting))
                if count <= 0:
                    continue
                effects += self._give(manager, count)
                if manager.free > 0:
                    left.append(manager)
            room = left
        return effects

    def _give(self, manager: _Manager, count: int) -> list[InterchangeEffect]:
        batch: list[WireTask] = []
        forms: list[list[bytes]] = []
        waiting = self._waiting
        for _ in range(count):
            attempt, wire = waiting.popitem(last=False)
            digest = wire[1]
            if digest is not None and digest not in manager.forms and digest in self._forms:
                manager.forms.add(digest)
                forms.append([digest, self._forms[digest]])
            manager.held.add(attempt)
            batch.append(wire)
        effects: list[InterchangeEffect] = []
        if forms:
            effects.append(ToManager(manager.route, FORMS, forms))
        effects.append(ToManager(manager.route, TASKS, batch))
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
        self._turn.remove(manager.info.uid)
        self._capacity -= manager.capacity
        return [Forget(manager.info.uid)]

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        assert self._capacity == sum(m.capacity for m in self._managers.values())
        held = [attempt for m in self._managers.values() for attempt in m.held]
        assert len(held) == len(set(held)), "an attempt is held by two managers"
        assert not self._waiting.keys() & set(held), "an attempt both waits and is held"
        assert set(self._turn) == set(self._managers)
        assert all(m.free >= 0 or m.held for m in self._managers.values())


_FROM_CLIENT = {
    TASKS: InterchangeMachine._on_tasks,
    FORMS: InterchangeMachine._on_forms,
    CANCEL: InterchangeMachine._on_cancel,
    ACK: InterchangeMachine._on_ack,
    ADMIT: InterchangeMachine._on_admit,
    FENCE: InterchangeMachine._on_fence,
    STOP: InterchangeMachine._on_stop,
}
_FROM_MANAGER = {
    RESULTS: InterchangeMachine._on_results,
    STARTED: InterchangeMachine._on_started,
    RETURNED: InterchangeMachine._on_returned,
    NEED: InterchangeMachine._on_need,
    GOODBYE: InterchangeMachine._on_goodbye,
    HEARTBEAT: InterchangeMachine._on_heartbeat,
}
