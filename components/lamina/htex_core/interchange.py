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

One that drains is given nothing any more, nor is one whose block is on hold, and credit does
not count them. A drained one has said that it holds nothing: the client is told once all that
was on its way there has come back, and only what the client answers lets the manager leave.

How busy each manager is the client hears by and by, and only of those of which that is news.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.choosy import AHEAD, FREE, FULL, Choosy, may_have
from lamina.htex_core.endings import BlockEnd
from lamina.htex_core.fitting import Fitting
from lamina.htex_core.forms import Forms, Known
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    DRAINED,
    DRAINING,
    DROP,
    FENCE,
    FORMS,
    GOODBYE,
    HEARTBEAT,
    HOLD,
    JOINED,
    LEFT,
    LOAD,
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
FORMS_LIMIT = 64 * 2**20  # bytes of functions and shared objects that are kept here
LOOK_AHEAD = 16  # tasks beyond capacity that are kept here at the least
YIELD_AFTER = 0.005  # seconds of idle workers here and tasks held ahead there; few last so long
CHOOSY_LIMIT = 4096  # tasks that wait here for another manager, beyond what is credited
LOAD_PERIOD = 0.1  # seconds for which news about how busy managers are gather


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
    wants: int
    """How many tasks it says it may hold."""
    registration: int
    last_heard: float
    admitted: bool = False
    held: set[int] = attrs.field(factory=set)
    forms: Known = attrs.field(factory=Known)
    idle: int = 0
    """Workers without a task, as far as we know."""
    asked: bool = False
    """Whether it was asked to yield, and has ended, returned and been given nothing since."""
    draining: bool = False
    drained: str | None = None
    """What it said once it was."""
    on_hold: bool = False
    """Whether its block is."""
    room: int = FULL
    """As choosy tasks see it."""
    end: BlockEnd | None = None
    """Of its block, if it knows."""
    said: int = 0
    """How many busy workers the client was told of last, or counted when it joined."""
    said_draining: bool = False

    @property
    def capacity(self) -> int:
        """How many tasks it may hold just now."""
        return 0 if self.draining or self.on_hold else self.wants

    @property
    def busy(self) -> int:
        """Workers that have a task, as far as we know."""
        return min(len(self.held), self.info.slots)

    @property
    def ends(self) -> float:
        """When its block does, or never."""
        return math.inf if self.end is None else self.end.at

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
    _choosy: Choosy = attrs.field(factory=Choosy, init=False)
    _ending: int = attrs.field(default=0, init=False)
    """Managers whose block is known to end; without any, nobody need care how long tasks take."""
    _reserved: set[str] = attrs.field(factory=set, init=False)
    """Managers to which nothing is sent ahead just now."""
    _asking_first: bool = attrs.field(default=False, init=False)
    """Whose turn it is: that of tasks that ask for something, or of the others."""
    _lacking: dict[bytes, dict[str, None]] = attrs.field(factory=dict, init=False)
    """What the client was asked for, and for which managers."""
    _holder: dict[int, _Manager] = attrs.field(factory=dict, init=False)
    """Who holds an attempt, so that one that is to be cancelled is found."""
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
    _news: dict[str, _Manager] = attrs.field(factory=dict, init=False)
    """Those that may be busier or less busy than the client was told."""
    _news_by: float | None = attrs.field(default=None, init=False)
    """When the client is to be told, if there is anything to tell."""
    _on_hold: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """Blocks that are."""
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
        if self._news_by is not None:
            deadline = min(deadline, self._news_by)
        return deadline

    # Events.

    def client_frame(self, kind: int, body: Any, now: float) -> list[InterchangeEffect]:
        """Take a frame from the client."""
        handler = _FROM_CLIENT.get(kind)
        effects = [] if handler is None else handler(self, body, now)
        self._notice_news(now)
        return effects

    def client_gone(self) -> list[InterchangeEffect]:
        """The program is dead or has closed us: nobody wants any of this."""
        return self._on_stop("the program has ended", 0.0)

    def manager_frame(
        self, route: bytes, kind: int, epoch: int, body: Any, now: float
    ) -> list[InterchangeEffect]:
        """Take a frame that came along a route."""
        if kind == REGISTER:
            effects = self._on_register(route, body, now)
            self._notice_news(now)
            return effects
        manager = self._routes.get(route)
        if manager is None or epoch != self.epoch:
            self.dropped += 1
            return []
        manager.last_heard = now
        handler = _FROM_MANAGER.get(kind)
        effects = [] if handler is None else handler(self, manager, body, now)
        self._notice_news(now)
        return effects

    def manager_died(self, uid: str, reason: str, now: float) -> list[InterchangeEffect]:
        """The process of a manager has ended."""
        manager = self._managers.get(uid)
        return [] if manager is None else self._lose(manager, reason, now)

    def time_passed(self, now: float) -> list[InterchangeEffect]:
        """Give up the silent, ask the rich to yield, and tell who is busy."""
        effects: list[InterchangeEffect] = []
        if self._short_since is not None and now >= self._short_since + YIELD_AFTER:
            effects += self._ask_to_yield(now)
        if self._news_by is not None and now >= self._news_by:
            effects += self._tell_news()
        return effects + self._give_up_the_silent(now)

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
                effects += self._lose(manager, f"it was silent for {silence:.1f} s", now)
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
            self._let_go(known, known.held)
            self._capacity -= known.capacity
            self._ending -= known.end is not None
            self._leave_out(known)
            for askers in self._lacking.values():
                askers.pop(info.uid, None)  # it will ask again, and is to be sent it once
        manager = _Manager(info, route, body["capacity"], number, last_heard=now)
        manager.admitted = known is not None and known.admitted
        manager.held.update(body["held"], body["finished"])
        manager.said = manager.busy  # the client counts these as well
        manager.draining = body.get("draining", False) or (known is not None and known.draining)
        manager.on_hold = info.block in self._on_hold
        if "block_end" in body:
            left, margin = body["block_end"]
            manager.end = BlockEnd(now + left, margin)
            self._ending += 1
        effects: list[InterchangeEffect] = []
        if known is not None and (astray := known.held - manager.held):
            # We sent these into the old connection and it never got them.
            effects.append(ToClient(RETURNED, sorted(astray)))
        self._managers[info.uid] = self._routes[route] = manager
        self._holder.update(dict.fromkeys(manager.held, manager))
        self._capacity += manager.capacity
        self.selector.came(info)
        self._fitting.came(info.uid, body.get("offer", _NOTHING), manager.held)
        if self._choosy.awake:
            self._choosy.came(info.uid, info.host, manager.ends)
        if manager.end is not None and self._ending == 1:
            self._sort_by_time()
        self._place(manager)
        if self._checked is None:
            self._checked = now
            self._soonest = now + self.heartbeat_threshold + GRACE
        effects += [
            ToManager(route, WELCOME, None),
            ToClient(JOINED, [list(info), body["held"], body["finished"]]),
            Watch(info),
        ]
        if manager.on_hold and body["held"] and not manager.draining:
            effects.append(ToManager(route, YIELD, len(body["held"])))
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
        held, holder = manager.held, self._holder
        for outcome in outcomes:
            attempt = outcome[0]
            held.discard(attempt)
            if holder.get(attempt) is manager:
                del holder[attempt]
        if self._fitting.concerns(manager.info.uid):
            self._fitting.ended(manager.info.uid, [outcome[0] for outcome in outcomes])
        effects: list[InterchangeEffect] = [ToClient(RESULTS, [manager.info.uid, number, outcomes])]
        if capacity != manager.wants:
            before, manager.wants = manager.capacity, capacity
            self._capacity += manager.capacity - before
            effects += self._credit_now()
        manager.asked = False
        self._place(manager)
        return effects + self._dispatch(now)

    def _on_started(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return [ToClient(STARTED, [manager.info.uid, body])]

    def _on_unfit(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        return [ToClient(UNFIT, [manager.info.uid, body])]

    def _on_returned(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        # What somebody else has must not be given to a third one, whoever says so.
        body = [attempt for attempt in body if attempt in manager.held]
        if not body:
            return []  # it was asked to yield, and has nothing that its workers have not begun
        manager.held.difference_update(body)
        self._let_go(manager, body)
        self._fitting.ended(manager.info.uid, body)
        manager.asked = False
        self._place(manager)
        # There is room now. A manager that leaves has said before that it has none.
        return [ToClient(RETURNED, body), *self._left_by(manager), *self._dispatch(now)]

    def _on_need(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        have = [self._forms.entry(digest) for digest in body if digest in self._forms]
        lack = [digest for digest in body if digest not in self._forms]
        manager.forms.drop(lack)
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
        self._let_go(manager, astray)
        effects: list[InterchangeEffect] = []
        if astray:
            effects.append(ToClient(RETURNED, sorted(astray)))
        return effects + self._lose(manager, reason, now)

    def _on_draining(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        """It drains of its own accord, or does what it was told."""
        return self._close(manager, draining=True) + self._credit_now()

    def _on_drained(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        """It holds nothing; what is still on its way there comes back."""
        manager.drained = body
        effects = self._close(manager, draining=True) + self._credit_now()
        return effects + self._left_by(manager)

    def _left_by(self, manager: _Manager) -> list[InterchangeEffect]:
        if manager.drained is None or manager.held:
            return []
        return [ToClient(LEFT, [manager.info.uid, manager.drained])]

    def _on_heartbeat(self, manager: _Manager, body: Any, now: float) -> list[InterchangeEffect]:
        """Send it back as it is: the manager counts its lease from when it said this."""
        return [ToManager(manager.route, HEARTBEAT, body)]

    # From the client.

    def _on_tasks(self, body: Any, now: float) -> list[InterchangeEffect]:
        waiting, asking = self._waiting, self._fitting.waiting
        for wire in body:
            options = wire[3]
            if options is None:
                waiting[wire[0]] = wire
            elif asks(wire):
                asking[wire[0]] = wire
            elif "avoid" in options or ("expected" in options and self._ending):
                self._let_choose(wire)
            else:
                waiting[wire[0]] = wire
        return self._dispatch(now)

    def _let_choose(self, wire: WireTask) -> None:
        """A task waits for a manager that may have it."""
        choosy = self._choosy
        if not choosy.awake:
            choosy.awake = True
            for uid, manager in self._managers.items():
                choosy.came(uid, manager.info.host, manager.ends)
                choosy.placed(uid, manager.room)
        choosy.add(wire)

    def _sort_by_time(self) -> None:
        """The first block is there of which the end is known: from now on it matters."""
        timed = [wire for wire in self._waiting.values() if wire[3] and "expected" in wire[3]]
        for wire in timed:
            del self._waiting[wire[0]]
            self._let_choose(wire)

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
            manager.forms.drop(body)
        return [ToManager(manager.route, DROP, body) for manager in self._managers.values()]

    def _on_cancel(self, body: Any, now: float) -> list[InterchangeEffect]:
        returned: list[int] = []
        by_manager: dict[bytes, list[int]] = {}
        for attempt in body:
            asking = self._fitting.waiting.pop(attempt, None) or self._choosy.pop(attempt)
            if asking is not None or self._waiting.pop(attempt, None) is not None:
                returned.append(attempt)
                continue
            holder = self._holder.get(attempt)
            if holder is not None:
                by_manager.setdefault(holder.route, []).append(attempt)
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

    def _on_drain(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = []
        for uid in body:
            manager = self._managers.get(uid)
            if manager is not None:
                effects.append(ToManager(manager.route, DRAIN, "it was asked to"))
                effects += self._close(manager, draining=True)
        return effects + self._credit_now()

    def _on_hold_of(self, body: Any, now: float) -> list[InterchangeEffect]:
        """Blocks that are on hold from now on; all others are not."""
        self._on_hold = frozenset(body)
        effects: list[InterchangeEffect] = []
        for manager in self._managers.values():
            if manager.on_hold != (manager.info.block in self._on_hold):
                effects += self._close(manager, on_hold=not manager.on_hold)
        return effects + self._credit_now() + self._dispatch(now)

    def _on_stop(self, body: Any, now: float) -> list[InterchangeEffect]:
        effects: list[InterchangeEffect] = [
            ToManager(manager.route, STOP, body) for manager in self._managers.values()
        ]
        effects.append(Leave(str(body)))
        return effects

    # Decisions.

    def _close(
        self, manager: _Manager, *, draining: bool = False, on_hold: bool | None = None
    ) -> list[InterchangeEffect]:
        """Give a manager no tasks any more, or some again; what is not begun there comes back."""
        before = manager.capacity
        manager.draining = manager.draining or draining
        if on_hold is not None:
            manager.on_hold = on_hold
        self._capacity += manager.capacity - before
        self._place(manager)
        if manager.on_hold and not manager.draining and manager.held:
            return [ToManager(manager.route, YIELD, len(manager.held))]
        return []  # one that drains gives it back anyhow

    def _let_go(self, manager: _Manager, attempts: Iterable[int]) -> None:
        """A manager holds these no more; another may have said meanwhile that it does."""
        holder = self._holder
        for attempt in attempts:
            if holder.get(attempt) is manager:
                del holder[attempt]

    def _place(self, manager: _Manager) -> None:
        """Note what room a manager has: after each change of what it holds or may hold."""
        uid, held, slots = manager.info.uid, len(manager.held), manager.info.slots
        if min(held, slots) != manager.said or manager.draining != manager.said_draining:
            self._news[uid] = manager
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
        room = FREE if idle else AHEAD if manager.free > 0 else FULL
        if room == AHEAD:
            self._ahead.setdefault(uid, manager)
        else:
            self._ahead.pop(uid, None)
        if room != manager.room:
            manager.room = room
            if self._choosy.awake:
                self._choosy.placed(uid, room)
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
        self._news.pop(uid, None)
        self._choosy.gone(uid)
        self._idle_workers -= manager.idle
        self.selector.gone(uid)

    def _dispatch(self, now: float) -> list[InterchangeEffect]:
        """Give what waits to managers with room, one frame to each."""
        waiting, idle, ahead = self._waiting, self._idle, self._ahead
        if (waiting or self._fitting.waiting or self._choosy) and (idle or ahead):
            batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]] = {}
            # In turn, so that neither kind of task starves the other.
            self._asking_first = not self._asking_first
            if self._asking_first:
                self._take_asking(batches, now)
                self._take_choosy(batches, now)
            while waiting and idle:
                manager = self._chosen()
                only = len(idle) == 1
                self._take(manager, min(manager.idle if only else 1, len(waiting)), batches)
            self._take_choosy(batches, now)
            reserved = self._reserve(now)
            while waiting and ahead:
                # An equal share each, so that a short queue is not all given to the first.
                share = max(1, len(waiting) // len(ahead))
                for manager in list(islice(ahead.values(), len(waiting))):
                    ahead.move_to_end(manager.info.uid)
                    self._take(manager, min(share, manager.free, len(waiting)), batches)
            ahead.update(reserved)
            self._take_asking(batches, now)
            effects: list[InterchangeEffect] = []
            for manager, tasks, forms in batches.values():
                if forms:
                    effects.append(ToManager(manager.route, FORMS, forms))
                effects.append(ToManager(manager.route, TASKS, tasks))
            self._notice_shortage(now)
            return effects + self._credit_for_choosy()
        self._notice_shortage(now)
        return self._credit_for_choosy()

    def _reserve(self, now: float) -> dict[str, _Manager]:
        """Take those out to which nothing is to be sent ahead."""
        self._reserved = self._choosy.reserved(now) if self._choosy else set()
        return {uid: self._ahead.pop(uid) for uid in sorted(self._reserved)}

    def _credit_for_choosy(self) -> list[InterchangeEffect]:
        return self._credit_now() if self._choosy.awake else []

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
        self, batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]], now: float
    ) -> None:
        """Take tasks that ask for something, the oldest first, while anybody may have it."""
        managers = self._managers

        def may(uid: str, wire: WireTask) -> bool:
            return may_have(wire, managers[uid].info.host, managers[uid].ends, now)

        for wire, uid in self._fitting.matches(may):
            self._add(self._managers[uid], [wire], batches)

    def _take_choosy(
        self, batches: dict[str, tuple[_Manager, list[WireTask], list[list[Any]]]], now: float
    ) -> None:
        """Take tasks that not everybody may have, while somebody who may has a free worker."""
        if self._choosy:
            for wire, uid in self._choosy.matches(now):
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
        held, holder = manager.held, self._holder
        for wire in wires:
            digest, options = wire[1], wire[3]
            if digest is not None and digest not in manager.forms and digest in self._forms:
                manager.forms.add(digest)
                forms.append(self._forms.entry(digest))
            held.add(wire[0])
            holder[wire[0]] = manager
            ours = options and not _FOR_US.isdisjoint(options)
            tasks.append(_without_ours(wire) if ours else wire)
        manager.asked = False
        self._place(manager)

    def _notice_shortage(self, now: float) -> None:
        if self._rich and self._idle and not self._waiting:
            if self._short_since is None:
                self._short_since = now
        else:
            self._short_since = None

    def _notice_news(self, now: float) -> None:
        if self._news and self._news_by is None:
            self._news_by = now + LOAD_PERIOD

    def _tell_news(self) -> list[InterchangeEffect]:
        """How busy managers are. One that was busy in between, and is idle again, is news."""
        news, self._news, self._news_by = self._news, {}, None
        loads: list[list[Any]] = []
        for uid, manager in news.items():
            busy, draining = manager.busy, manager.draining
            if busy == 0 or busy != manager.said or draining != manager.said_draining:
                manager.said, manager.said_draining = busy, draining
                loads.append([uid, busy, draining])
        return [ToClient(LOAD, loads)] if loads else []

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
        """Capacity, and a small look-ahead so that a free slot never waits for the client.

        Tasks that wait for another manager than those that are here stand in nobody's way.
        """
        credit = self._capacity + max(LOOK_AHEAD, self._capacity) if self._managers else 0
        if credit:
            credit += min(len(self._choosy), CHOOSY_LIMIT)
        if credit == self._credit:
            return []
        self._credit = credit
        return [ToClient(CREDIT, credit)]

    def _lose(self, manager: _Manager, reason: str, now: float) -> list[InterchangeEffect]:
        info = manager.info
        self._fenced.add(info.uid)
        why = f"the manager on {info.host} (block {info.block}) is gone: {reason}"
        cause, period = "node_lost", self.heartbeat_period
        if manager.end is not None and manager.end.explains(now, manager.last_heard, period):
            cause, why = "block_ended", f"{why}; its block was to end about now"
        lost = ToClient(LOST, [info.uid, sorted(manager.held), why, cause])
        return [
            ToManager(manager.route, REFUSE, why),
            *self._drop(manager),
            lost,
            *self._credit_now(),
        ]

    def _drop(self, manager: _Manager) -> list[InterchangeEffect]:
        del self._managers[manager.info.uid]
        self._let_go(manager, manager.held)
        self._ending -= manager.end is not None
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
        holders = {each: m for m in self._managers.values() for each in m.held}
        assert holders == self._holder
        waiting = self._waiting.keys() | self._fitting.waiting.keys() | self._choosy.attempts
        assert len(waiting) == len(self._waiting) + len(self._fitting.waiting) + len(self._choosy)
        self._choosy.check()
        assert not waiting & set(held), "an attempt both waits and is held"
        self._fitting.check()
        assert self._ending == sum(m.end is not None for m in self._managers.values())
        asking = next(iter(self._fitting.waiting.values()), None)
        # What nobody has any more is refused by whoever is next to have room, not at once.
        if asking and _FOR_US.isdisjoint(asking[3]) and self._fitting.possible(asking):
            assert self._fitting.choose(asking) is None, "a task waits beside room"
        managers = self._managers
        assert all(m.free >= 0 or m.held for m in managers.values())
        assert self._idle == {uid: m for uid, m in managers.items() if m.idle}
        assert self._idle_workers == sum(m.idle for m in managers.values())
        assert self._ahead == {uid: m for uid, m in managers.items() if m.free > 0 and not m.idle}
        assert self._rich.keys() <= managers.keys()
        assert not any(m.idle or m.free > 0 for m in managers.values() if m.draining or m.on_hold)
        assert {m.info.block for m in managers.values() if m.on_hold} <= self._on_hold
        assert self._news.keys() <= managers.keys()
        open_ones = self._idle.keys() | self._ahead.keys() - self._reserved
        assert not self._waiting or not open_ones, "a task waits beside room"


_NOTHING: Mapping[str, Any] = MappingProxyType({})


_FOR_US = frozenset({"avoid", "expected", "hints"})
"""Options that are for the interchange and its selector, and for them alone."""


def _without_ours(wire: WireTask) -> WireTask:
    """The task as managers get it."""
    attempt, digest, buffers, options = wire
    left = {name: value for name, value in options.items() if name not in _FOR_US}
    return [attempt, digest, buffers, left or None]


_FROM_CLIENT = {
    TASKS: InterchangeMachine._on_tasks,
    FORMS: InterchangeMachine._on_forms,
    DROP: InterchangeMachine._on_drop,
    CANCEL: InterchangeMachine._on_cancel,
    ACK: InterchangeMachine._on_ack,
    ADMIT: InterchangeMachine._on_admit,
    FENCE: InterchangeMachine._on_fence,
    DRAIN: InterchangeMachine._on_drain,
    HOLD: InterchangeMachine._on_hold_of,
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
    DRAINING: InterchangeMachine._on_draining,
    DRAINED: InterchangeMachine._on_drained,
}
