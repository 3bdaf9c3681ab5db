"""The client's half of htex: the one truth about every unresolved task.

A task is in exactly one of these places:

    queued      ours alone; cancelling or reordering it concerns nobody else
    granted     sent to the interchange of this epoch, within its credit
    doubtful    granted in an epoch whose interchange died; some manager may have it

The interchange holds at most ``credit`` tasks, so what its death puts in doubt is bounded.
When it dies a new one is started with the next epoch, on new sockets. Each manager of the old
epoch registers with what it holds and what it has finished: those become granted again. Once
all of them have, whatever is doubtful still was never given to anyone and is queued again,
the same attempt, no failure. If instead a manager is found dead or stays away for longer than
``patience``, it is fenced, and whatever is doubtful still ends as node lost.

Of each manager it knows how many of its workers are busy, as the interchange has told it last,
and since when none is. A manager can be drained: it is given nothing more, and leaves when all
that it runs has ended and is acknowledged here. A block can be held: its managers are given
nothing until that is undone.

The machine is told of events and returns what is to be done, in order; it never acts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.forms import Form
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    DROP,
    FENCE,
    FORMS,
    HOLD,
    JOINED,
    LEFT,
    LOAD,
    LOST,
    NEED,
    READY,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNFIT,
    ManagerInfo,
    WireOutcome,
    WireTask,
)
from lamina.htex_core.orders import Levels, Queue

__all__ = [
    "Broken",
    "ClientEffect",
    "ClientMachine",
    "Deliver",
    "Ended",
    "ManagerCame",
    "ManagerLoad",
    "ManagerWent",
    "Ran",
    "Ready",
    "SendUp",
    "StartInterchange",
    "Unfit",
]


ACK_WITHIN = 0.05  # seconds; sooner if tasks go the same way
ACKS_LIMIT = 64  # batches of results
STALE_LIMIT = 64  # numbers of tasks that are gone in the queue, or as many as there are others


class StartInterchange(NamedTuple):
    """Start an interchange process with this epoch, on new sockets."""

    epoch: int


class SendUp(NamedTuple):
    """Send one frame to the interchange of the present epoch."""

    kind: int
    body: Any


class Deliver(NamedTuple):
    """These attempts ended, on that manager; the outcomes are as they came off the wire."""

    manager: ManagerInfo | None
    outcomes: list[WireOutcome]


class Ended(NamedTuple):
    """These attempts ended without a word from a worker."""

    attempts: list[int]
    cause: str
    reason: str
    started: str
    manager: ManagerInfo | None = None


class Ran(NamedTuple):
    """These attempts have started: ``[attempt, at]``, seconds since the epoch."""

    manager: ManagerInfo | None
    marks: list[list[Any]]


class ManagerCame(NamedTuple):
    """A manager has registered for the first time in this epoch."""

    manager: ManagerInfo


class ManagerWent(NamedTuple):
    """A manager is gone, and why."""

    manager: ManagerInfo
    reason: str
    drained: bool = False
    """Whether it was drained: nothing was lost with it, and its going is no failure."""


class ManagerLoad(NamedTuple):
    """How busy a manager is, as of the last word about it."""

    block: str
    slots: int
    """Its workers."""
    busy: int
    """How many of them have a task."""
    idle_since: float | None
    """Since when none has, on the machine's clock; None while one has."""
    draining: bool = False
    """Whether it is given no more tasks, and leaves when those that it runs have ended."""
    held: bool = False
    """Whether its block is on hold."""

    @property
    def usable(self) -> int:
        """Workers that may be given tasks, now or later."""
        return 0 if self.draining or self.held else self.slots


class Ready(NamedTuple):
    """The interchange can be reached; blocks may be asked for."""

    body: Any


class Unfit(NamedTuple):
    """The initializer has failed, in whose words; a Broken will follow. The user is to hear it."""

    reason: str


class Broken(NamedTuple):
    """The executor cannot go on; every unresolved attempt has been ended by an Ended before."""

    reason: str


ClientEffect: TypeAlias = (
    StartInterchange
    | SendUp
    | Deliver
    | Ended
    | Ran
    | ManagerCame
    | ManagerWent
    | Ready
    | Unfit
    | Broken
)

_QUEUED, _GRANTED, _DOUBTFUL = range(3)
_NOTHING: Mapping[int, Sequence[tuple[bytes, Form]]] = MappingProxyType({})


class _Task:
    """One unresolved attempt."""

    __slots__ = ("cancelled", "place", "rank", "started", "wire")

    def __init__(self, wire: WireTask, rank: Any) -> None:
        self.wire = wire
        self.rank = rank
        self.place = _QUEUED
        self.cancelled = False
        self.started = False


@attrs.define
class ClientMachine:
    """Every unresolved task of one executor. Times are seconds on one monotonic clock."""

    patience: float
    """How long a manager of an old epoch may stay away, in seconds."""
    starts_limit: int = 3
    """So many starts of the interchange within ``starts_window`` seconds, and no more."""
    starts_window: float = 60.0
    make_queue: Callable[[], Queue] = Levels
    """Where tasks wait; their rank is what this understands, for Levels the priority."""

    epoch: int = attrs.field(default=0, init=False)
    broken: str | None = attrs.field(default=None, init=False)
    managers: dict[str, ManagerInfo] = attrs.field(factory=dict, init=False)
    loads: dict[str, ManagerLoad] = attrs.field(factory=dict, init=False)
    """How busy each manager is; those of an old epoch that are awaited are among them."""
    slots: int = attrs.field(default=0, init=False)
    """Workers of all managers, but for those that drain or are on hold."""
    _draining_blocks: set[str] = attrs.field(factory=set, init=False)
    """Whatever comes from them is drained."""
    _held_blocks: set[str] = attrs.field(factory=set, init=False)
    _tasks: dict[int, _Task] = attrs.field(factory=dict, init=False)
    _queue: Queue = attrs.field(
        default=attrs.Factory(lambda self: self.make_queue(), takes_self=True), init=False
    )
    _stale: int = attrs.field(default=0, init=False)
    """Tasks in the queue that have ended without being taken from it."""
    _forms: dict[bytes, list[Any]] = attrs.field(factory=dict, init=False)
    """By digest: the form, and for how many it is kept: tasks, and the handle if it is shared."""
    _forms_sent: set[bytes] = attrs.field(factory=set, init=False)
    _needs: dict[int, list[bytes]] = attrs.field(factory=dict, init=False)
    """What tasks share with others, of those that do."""
    _shared: set[bytes] = attrs.field(factory=set, init=False)
    """Which of the forms are shared objects."""
    _handles: set[bytes] = attrs.field(factory=set, init=False)
    """Those of which the program still has a handle, as far as is known."""
    _unneeded: list[bytes] = attrs.field(factory=list, init=False)
    """Shared objects that others keep for us, and need not any more."""
    _credit: int = attrs.field(default=0, init=False)
    _granted: int = attrs.field(default=0, init=False)
    _ready: bool = attrs.field(default=False, init=False)
    _doubtful: set[int] = attrs.field(factory=set, init=False)
    _awaited: dict[str, ManagerInfo] = attrs.field(factory=dict, init=False)
    _fenced: dict[str, ManagerInfo] = attrs.field(factory=dict, init=False)
    _lost: set[str] = attrs.field(factory=set, init=False)
    _deadline: float | None = attrs.field(default=None, init=False)
    _starts: list[float] = attrs.field(factory=list, init=False)
    _acks: list[list[Any]] = attrs.field(factory=list, init=False)
    """Batches of results that have come and whose managers do not know it yet."""
    _ack_by: float | None = attrs.field(default=None, init=False)

    # What the shell asks.

    @property
    def outstanding(self) -> int:
        """Unresolved attempts."""
        return len(self._tasks)

    @property
    def workers_idle(self) -> bool:
        """Whether a worker may have nothing to do, as far as is known here."""
        return self._granted <= self.slots

    @property
    def awaited(self) -> list[ManagerInfo]:
        """Managers of an old epoch that have not registered yet."""
        return list(self._awaited.values())

    def next_deadline(self) -> float | None:
        """When ``time_passed`` wants to be called, if at all."""
        if self._ack_by is None or self._deadline is None:
            return self._deadline if self._ack_by is None else self._ack_by
        return min(self._deadline, self._ack_by)

    # Events.

    def start(self, now: float) -> list[ClientEffect]:
        """Ask for the first interchange."""
        return self._start_interchange(now, "")

    def submitted(
        self,
        tasks: Iterable[tuple[WireTask, Any, bytes | None]],
        shared: Mapping[int, Sequence[tuple[bytes, Form]]] = _NOTHING,
    ) -> list[ClientEffect]:
        """Take tasks: their wire form, rank, and the form of their function.

        ``shared`` is what some of them are given by its digest, by attempt. That is kept, here
        and by managers, until these tasks have ended and ``handle_gone`` was said.
        """
        if self.broken is not None:
            attempts = [wire[0] for wire, _, _ in tasks]
            return [Ended(attempts, "executor_lost", self.broken, "no")]
        for wire, rank, form in tasks:
            attempt, digest = wire[0], wire[1]
            self._tasks[attempt] = _Task(wire, rank)
            self._queue.push(attempt, rank)
            if digest is not None:
                held = self._forms.get(digest)
                if held is None:
                    self._forms[digest] = [form, 1]
                else:
                    held[1] += 1
            if shared and attempt in shared:
                self._share(attempt, shared[attempt])
        return self._grant()

    def handle_gone(self, digest: bytes) -> list[ClientEffect]:
        """The program has no handle to this shared object any more; tasks may still need it."""
        if digest in self._handles:
            self._handles.discard(digest)
            self._release(digest)
        return self._drop()

    def cancelled(self, attempts: Iterable[int]) -> list[ClientEffect]:
        """Stop these: at once where they are ours alone, otherwise as soon as it can be done."""
        ended: list[int] = []
        sent: list[int] = []
        for attempt in attempts:
            task = self._tasks.get(attempt)
            if task is None or task.cancelled:
                continue
            if task.place == _QUEUED:
                self._forget(attempt)
                ended.append(attempt)
            else:
                task.cancelled = True
                if task.place == _GRANTED:
                    sent.append(attempt)
        effects: list[ClientEffect] = []
        if sent and self._ready:
            effects.append(SendUp(CANCEL, sent))
        if ended:
            effects.append(Ended(ended, "cancelled", "it was cancelled before it started", "no"))
        return effects + self._drop()

    def drain(self, managers: Iterable[str], blocks: Iterable[str] = ()) -> list[ClientEffect]:
        """Let these managers leave when what they run has ended, and all that come of these blocks.

        Each is told again wherever it registers anew, until it is gone.
        """
        wanted, fresh = set(blocks), []
        self._draining_blocks |= wanted
        named = set(managers)
        if wanted:
            named.update(uid for uid, load in self.loads.items() if load.block in wanted)
        for uid in sorted(named & self.loads.keys()):
            load = self.loads[uid]
            if not load.draining:
                self._turn(uid, load._replace(draining=True))
                if uid in self.managers:
                    fresh.append(uid)
        return [SendUp(DRAIN, fresh)] if fresh and self._ready else []

    def hold(self, block: str) -> list[ClientEffect]:
        """Give the managers of a block nothing more, and those that come yet nothing."""
        self._held_blocks.add(block)
        return self._held_anew(block)

    def unhold(self, block: str) -> list[ClientEffect]:
        """Give them tasks again."""
        self._held_blocks.discard(block)
        return self._held_anew(block)

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ClientEffect]:
        """Take a frame from the interchange; one of another epoch is dropped."""
        if epoch != self.epoch or self.broken is not None:
            return []
        handler = _HANDLERS.get(kind)
        return [] if handler is None else handler(self, body, now)

    def interchange_died(self, now: float, why: str) -> list[ClientEffect]:
        """Everything granted is in doubt now; start another, unless that has been tried enough."""
        if self.broken is not None:
            return []
        self._ready = False
        self._credit = self._granted = 0
        self._forms_sent.clear()
        self._unneeded.clear()  # managers keep nothing for an interchange that is gone
        self._acks, self._ack_by = [], None  # what they were for is sent again, and acknowledged
        for attempt, task in self._tasks.items():
            if task.place == _GRANTED:
                task.place = _DOUBTFUL
                self._doubtful.add(attempt)
        self._awaited.update(self.managers)
        self.managers.clear()
        self.slots = 0
        self._deadline = now + self.patience
        return self._start_interchange(now, why)

    def manager_gone(self, uid: str, reason: str) -> list[ClientEffect]:
        """The process of a manager that is awaited is known to have ended."""
        info = self._awaited.pop(uid, None)
        if info is None:
            return []
        self._fenced[uid] = info
        self._lost.add(uid)
        effects: list[ClientEffect] = [self._went(info, reason)]
        if self._ready:
            effects.append(SendUp(FENCE, [uid]))
        return effects + self._settle()

    def time_passed(self, now: float) -> list[ClientEffect]:
        """Fence the managers that stayed away beyond the patience; acknowledge what is due."""
        effects: list[ClientEffect] = []
        if self._ack_by is not None and now >= self._ack_by:
            effects.append(self._acknowledge())
        if self._deadline is None or now < self._deadline:
            return effects
        self._deadline = None
        for uid in list(self._awaited):
            reason = f"it did not come back within {self.patience:g} s of the interchange's restart"
            effects += self.manager_gone(uid, reason)
        return effects

    def fail(self, reason: str, cause: str = "executor_lost") -> list[ClientEffect]:
        """End every unresolved attempt; the machine takes no more."""
        self.broken = reason
        sure: list[int] = []
        unsure: list[int] = []
        begun: list[int] = []
        for attempt, task in self._tasks.items():
            if task.place == _QUEUED:
                sure.append(attempt)
            else:
                (begun if task.started else unsure).append(attempt)
        self._tasks.clear()
        self._forms.clear()
        self._needs.clear()
        self._shared.clear()
        self._handles.clear()
        self._unneeded.clear()
        self._doubtful.clear()
        for uid in self._awaited:
            del self.loads[uid]
        self._awaited.clear()
        self._queue = self.make_queue()
        self._granted = self._stale = 0
        effects: list[ClientEffect] = []
        if self._ready:
            effects.append(SendUp(STOP, reason))
        for attempts, started in ((sure, "no"), (unsure, "unknown"), (begun, "yes")):
            if attempts:
                effects.append(Ended(attempts, cause, reason, started))
        effects.append(Broken(reason))
        return effects

    # Frames.

    def _on_ready(self, body: Any, now: float) -> list[ClientEffect]:
        self._ready = True
        effects: list[ClientEffect] = [Ready(body)]
        if self._held_blocks:
            effects.append(SendUp(HOLD, sorted(self._held_blocks)))
        if self._fenced:
            effects.append(SendUp(FENCE, list(self._fenced)))
        return effects + self._settle() + self._grant()

    def _on_credit(self, body: Any, now: float) -> list[ClientEffect]:
        self._credit = body
        return self._grant()

    def _on_joined(self, body: Any, now: float) -> list[ClientEffect]:
        fields, held, finished = body
        info = ManagerInfo(*fields)
        if info.uid in self._lost:
            return [SendUp(FENCE, [info.uid])]  # its tasks have been given up; it is too late
        awaited = self._awaited.pop(info.uid, None)
        new = awaited is None and info.uid not in self.managers
        self._joined(info, len(held) + len(finished), now)
        unwanted: list[int] = []
        for attempt in (*held, *finished):
            task = self._tasks.get(attempt)
            if task is not None and task.place == _DOUBTFUL:
                self._doubtful.discard(attempt)
                task.place = _GRANTED
                self._granted += 1
            if task is None or task.cancelled:
                unwanted.append(attempt)
        effects: list[ClientEffect] = [ManagerCame(info)] if new else []
        if self.loads[info.uid].draining:
            effects.append(SendUp(DRAIN, [info.uid]))
        effects.append(SendUp(ADMIT, [info.uid]))
        if unwanted:
            effects.append(SendUp(CANCEL, unwanted))
        return effects + self._settle()

    def _on_lost(self, body: Any, now: float) -> list[ClientEffect]:
        uid, attempts, reason, cause = body
        info = self.managers.get(uid)
        self._lost.add(uid)
        sides: dict[bool, list[int]] = {True: [], False: []}
        for attempt in attempts:
            task = self._tasks.get(attempt)
            if task is not None:
                sides[task.started].append(attempt)
                self._forget(attempt)
        effects: list[ClientEffect] = []
        if info is not None:
            # It may have been killed while it waited to hear that it may leave.
            drained = self.loads[uid].draining and not any(sides.values())
            effects.append(self._went(info, reason, drained=drained))
        for started, some in sides.items():
            if some:
                word = "yes" if started else "unknown"
                effects.append(Ended(some, cause, reason, word, info))
        return effects + self._grant()

    def _on_load(self, body: Any, now: float) -> list[ClientEffect]:
        for uid, busy, draining in body:
            load = self.loads.get(uid)
            if load is not None:
                busy = min(busy, load.slots)
                idle_since = None if busy else now
                if draining and not load.draining and not busy and not load.busy:
                    idle_since = load.idle_since  # it is no news that it is idle
                draining = draining or load.draining
                news = load._replace(busy=busy, idle_since=idle_since, draining=draining)
                self._turn(uid, news)
        return []

    def _on_left(self, body: Any, now: float) -> list[ClientEffect]:
        """A manager holds nothing and waits for our word, so that it is not taken for lost."""
        uid, reason = body
        info = self.managers.get(uid)
        self._lost.add(uid)
        effects: list[ClientEffect] = []
        if info is not None:
            effects.append(self._went(info, reason, drained=True))
        return [*effects, SendUp(FENCE, [uid])]

    def _on_results(self, body: Any, now: float) -> list[ClientEffect]:
        uid, number, outcomes = body
        info = self.managers.get(uid)
        fresh: list[WireOutcome] = []
        for outcome in outcomes:
            # A second copy, sent again after a restart, finds its task gone.
            if outcome[0] in self._tasks:
                self._forget(outcome[0])
                fresh.append(outcome)
        effects: list[ClientEffect] = [Deliver(info, fresh)] if fresh else []
        self._acks.append([uid, number])
        effects += self._grant()
        if len(self._acks) >= ACKS_LIMIT:
            effects.append(self._acknowledge())
        elif self._acks and self._ack_by is None:
            self._ack_by = now + ACK_WITHIN
        return effects

    def _on_started(self, body: Any, now: float) -> list[ClientEffect]:
        uid, marks = body
        known = []
        for mark in marks:
            task = self._tasks.get(mark[0])
            if task is not None:
                task.started = True
                known.append(mark)
        return [Ran(self.managers.get(uid), known)] if known else []

    def _on_unfit(self, body: Any, now: float) -> list[ClientEffect]:
        """No worker will fare better, so nobody is to wait for one."""
        uid, why = body
        info = self.managers.get(uid)
        where = f"manager {uid}" if info is None else f"{info.host} (block {info.block})"
        reason = (
            f"the initializer has failed on {where}, so the executor gives up; see to it that it "
            f"can run there, or leave it out. It raised {why}"
        )
        return [Unfit(reason), *self.fail(reason)]

    def _on_need(self, body: Any, now: float) -> list[ClientEffect]:
        """What is asked for; nil for what no task needs, so that nobody waits for it."""
        return [SendUp(FORMS, [self._entry(digest) for digest in body])] if body else []

    def _on_returned(self, body: Any, now: float) -> list[ClientEffect]:
        """Attempts that a manager gave back unstarted: the same attempt goes elsewhere."""
        ended: list[int] = []
        for attempt in reversed(body):
            task = self._tasks.get(attempt)
            if task is None or task.place == _QUEUED:
                continue
            if task.cancelled:
                self._forget(attempt)
                ended.append(attempt)
                continue
            if task.place == _GRANTED:
                self._granted -= 1
            self._doubtful.discard(attempt)
            task.place = _QUEUED
            self._queue.push(attempt, task.rank, first=True)
        effects: list[ClientEffect] = []
        if ended:
            effects.append(Ended(ended, "cancelled", "it was cancelled before it started", "no"))
        return effects + self._grant()

    # Decisions.

    def _joined(self, info: ManagerInfo, has: int, now: float) -> None:
        """A manager is there, or there again, with so many tasks."""
        uid, block = info.uid, info.block
        before = self.loads.get(uid)
        busy = min(has, info.slots)
        draining = block in self._draining_blocks
        idle_since = None if busy else now
        if before is not None:
            draining = draining or before.draining
            if not busy and before.idle_since is not None:
                idle_since = before.idle_since
        held = block in self._held_blocks
        load = ManagerLoad(block, info.slots, busy, idle_since, draining, held)
        if uid in self.managers:
            self._turn(uid, load)
        else:
            self.loads[uid] = load
            self.slots += load.usable
        self.managers[uid] = info

    def _turn(self, uid: str, load: ManagerLoad) -> None:
        """The load of a manager is another one now."""
        if uid in self.managers:
            self.slots += load.usable - self.loads[uid].usable
        self.loads[uid] = load

    def _went(self, info: ManagerInfo, reason: str, *, drained: bool = False) -> ClientEffect:
        load = self.loads.pop(info.uid)
        if self.managers.pop(info.uid, None) is not None:
            self.slots -= load.usable
        return ManagerWent(info, reason, drained)

    def _held_anew(self, block: str) -> list[ClientEffect]:
        held = block in self._held_blocks
        for uid, load in list(self.loads.items()):
            if load.block == block:
                self._turn(uid, load._replace(held=held))
        return [SendUp(HOLD, sorted(self._held_blocks))] if self._ready else []

    def _start_interchange(self, now: float, why: str) -> list[ClientEffect]:
        self._starts = [at for at in self._starts if now - at < self.starts_window]
        if len(self._starts) >= self.starts_limit:
            return self.fail(
                f"the interchange ended {self.starts_limit} times within "
                f"{self.starts_window:g} s, so the executor gives up. It said: {why or 'nothing'}"
            )
        self._starts.append(now)
        self.epoch += 1
        return [StartInterchange(self.epoch)]

    def _grant(self) -> list[ClientEffect]:
        """Send as many queued tasks as the credit allows, in one frame."""
        room = self._credit - self._granted
        if room <= 0 or not self._ready:
            return self._drop() if self._unneeded else []
        batch: list[WireTask] = []
        forms: list[list[Any]] = []
        while len(batch) < room:
            attempt = self._queue.pop()
            if attempt is None:
                break
            task = self._tasks.get(attempt)
            if task is None or task.place != _QUEUED:
                self._stale -= 1  # cancelled while it waited
                continue
            task.place = _GRANTED
            batch.append(task.wire)
            digest = task.wire[1]
            if digest is not None and digest not in self._forms_sent:
                self._forms_sent.add(digest)
                forms.append([digest, self._forms[digest][0]])
        if not batch:
            return self._drop()
        self._granted += len(batch)
        effects: list[ClientEffect] = [SendUp(FORMS, forms)] if forms else []
        if self._acks:
            effects.append(self._acknowledge())
        effects.append(SendUp(TASKS, batch))
        return effects + self._drop()

    def _acknowledge(self) -> ClientEffect:
        acks, self._acks, self._ack_by = self._acks, [], None
        return SendUp(ACK, acks)

    def _settle(self) -> list[ClientEffect]:
        """Decide about what is doubtful still, once every manager of the old epoch is heard."""
        if self._awaited or not self._ready:
            return []
        self._deadline = None
        fenced, self._fenced = self._fenced, {}
        if not self._doubtful:
            return []
        doubtful = sorted(self._doubtful)
        self._doubtful.clear()
        if not fenced:
            for attempt in doubtful:
                self._tasks[attempt].place = _GRANTED  # as _on_returned expects it
            self._granted += len(doubtful)
            return self._on_returned(doubtful, 0.0)
        for attempt in doubtful:
            self._forget(attempt)
        lost = next(iter(fenced.values()))
        names = ", ".join(f"{info.uid} on {info.host}" for info in fenced.values())
        reason = f"the interchange died and so did a manager that may have had the task: {names}"
        return [Ended(doubtful, "node_lost", reason, "unknown", lost), *self._drop()]

    def _forget(self, attempt: int) -> None:
        task = self._tasks.pop(attempt)
        if task.place == _GRANTED:
            self._granted -= 1
        elif task.place == _DOUBTFUL:
            self._doubtful.discard(attempt)
        else:
            self._stale += 1
            if self._stale > max(STALE_LIMIT, len(self._tasks)):
                self._queue.keep(self._tasks.__contains__)
                self._stale = 0
        digest = task.wire[1]
        if digest is not None:
            self._release(digest)
        if self._needs:
            for shared in self._needs.pop(attempt, ()):
                self._release(shared)

    def _release(self, digest: bytes) -> None:
        held = self._forms[digest]
        held[1] -= 1
        if held[1] == 0:
            del self._forms[digest]
            self._forms_sent.discard(digest)
            if digest in self._shared:
                self._shared.discard(digest)
                self._unneeded.append(digest)

    def _share(self, attempt: int, shared: Sequence[tuple[bytes, Form]]) -> None:
        self._needs[attempt] = [digest for digest, _ in shared]
        for digest, form in shared:
            held = self._forms.setdefault(digest, [form, 0])
            held[1] += 1
            self._shared.add(digest)
            if digest not in self._handles:
                self._handles.add(digest)
                held[1] += 1

    def _entry(self, digest: bytes) -> list[Any]:
        held = self._forms.get(digest)
        if held is None:
            return [digest, None]
        return [digest, held[0], True] if digest in self._shared else [digest, held[0]]

    def _drop(self) -> list[ClientEffect]:
        """Say what need not be kept any more."""
        if not self._unneeded or not self._ready:
            return []
        # It may have been shared again meanwhile.
        unneeded = [digest for digest in self._unneeded if digest not in self._forms]
        self._unneeded = []
        return [SendUp(DROP, unneeded)] if unneeded else []

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        places = [0, 0, 0]
        for task in self._tasks.values():
            places[task.place] += 1
        assert places[_GRANTED] == self._granted, (places, self._granted)
        assert self.slots == sum(self.loads[uid].usable for uid in self.managers)
        assert self.loads.keys() == self.managers.keys() | self._awaited.keys()
        assert all(0 <= load.busy <= load.slots for load in self.loads.values())
        assert all((load.idle_since is None) == (load.busy > 0) for load in self.loads.values())
        assert len(self._queue) == places[_QUEUED] + self._stale
        assert places[_DOUBTFUL] == len(self._doubtful)
        assert not self._doubtful or self._awaited or not self._ready
        used: dict[bytes, int] = {}
        for task in self._tasks.values():
            if task.wire[1] is not None:
                used[task.wire[1]] = used.get(task.wire[1], 0) + 1
        for attempt, digests in self._needs.items():
            assert attempt in self._tasks
            for digest in digests:
                used[digest] = used.get(digest, 0) + 1
        for digest in self._handles:
            used[digest] = used.get(digest, 0) + 1
        assert used == {digest: held[1] for digest, held in self._forms.items()}


_HANDLERS = {
    READY: ClientMachine._on_ready,
    CREDIT: ClientMachine._on_credit,
    JOINED: ClientMachine._on_joined,
    LOST: ClientMachine._on_lost,
    LOAD: ClientMachine._on_load,
    LEFT: ClientMachine._on_left,
    RESULTS: ClientMachine._on_results,
    STARTED: ClientMachine._on_started,
    UNFIT: ClientMachine._on_unfit,
    NEED: ClientMachine._on_need,
    RETURNED: ClientMachine._on_returned,
}
