"""The manager's half of htex: which worker on this node runs what.

A task is *queued* here or *held* by one worker, which claims its held tasks one by one before
it runs them. The claim is the start mark: the shell keeps it in memory that outlives the
worker, so that the loss of a worker tells the started task from those merely held.

Short tasks are given to a worker several at a time, by measured duration. When a worker runs
dry while another sits on a long task with more behind it, the unclaimed ones are taken back:
``Recall`` asks the shell to take as many claims as are left, and ``recalled`` says how many
there were, always the last ones given. A recalled worker gets nothing new until it says that
it is dry, since until then it may remember tasks that are no longer its own.

When the interchange asks us to yield, what no worker has begun goes back, the last first: from
the queue, and from behind tasks that have been running for a while.

A manager that drains gives back what no worker has begun, ends the rest, and says so once every
result is acknowledged; it leaves when it is refused, which means that the client knows.

A result is kept until the client's acknowledgement of its batch has come.

While a task with a memory limit runs, ``Measure`` asks the shell every now and then what it and
all that it has started use; ``measured`` has it killed when that is too much.

Tasks that ask for cores or other things of the node wait apart, in ``packing``, and are alone
with the worker that is bound for them.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping
from heapq import nsmallest
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.endings import BlockEnd, block_margin
from lamina.htex_core.forms import Form, Forms
from lamina.htex_core.frames import (
    ACK,
    CANCEL,
    DRAIN,
    DRAINED,
    DRAINING,
    DROP,
    FORMS,
    GOODBYE,
    HEARTBEAT,
    NEED,
    PROTOCOL,
    REFUSE,
    REGISTER,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNDONE,
    UNFIT,
    WELCOME,
    YIELD,
    ManagerInfo,
    WireOutcome,
    WireTask,
)
from lamina.htex_core.limits import (
    excess,
    facts_of_excess,
    killed_by_kernel,
)
from lamina.htex_core.packing import Packing, asks, with_binding
from lamina.htex_core.workers import SAY_STARTED_AFTER, Worker, Workers
from lamina.resources import Binding, ResourceBinder

__all__ = [
    "DropForms",
    "Give",
    "KillWorker",
    "LeaveNode",
    "ManagerEffect",
    "ManagerMachine",
    "Measure",
    "Recall",
    "SendOut",
    "StartWorker",
]

BUNDLE_TIME = 0.002  # seconds of work that one worker is given at once
PREFETCH_TIME = 0.005  # seconds of work that is kept here beyond what the workers hold
BUNDLE_LIMIT = 64  # tasks
PREFETCH_LIMIT = 64  # tasks for each worker
STUCK_TIME = 0.005  # seconds without progress before a worker's held tasks are taken back
CRASHES_LIMIT = 10  # workers that die in a row and none of which has begun a task
FORMS_LIMIT = 64 * 2**20  # bytes of functions that are kept here; what is shared stays


class StartWorker(NamedTuple):
    """Start a worker process with this number, and with what its place is due from the start."""

    worker: int
    binding: Binding | None = None


class Give(NamedTuple):
    """Send these tasks to a worker, after as many claims; first forms, or that there is none."""

    worker: int
    tasks: list[WireTask]
    forms: list[tuple[bytes, Form | None]]


class DropForms(NamedTuple):
    """Tell a worker that nobody needs these shared objects any more."""

    worker: int
    digests: list[bytes]


class Recall(NamedTuple):
    """Take all claims that are left from a worker, and tell the machine how many there were."""

    worker: int


class KillWorker(NamedTuple):
    """Kill a worker and everything below it."""

    worker: int


class Measure(NamedTuple):
    """See how much memory a worker's task uses, and tell the machine by ``measured``.

    It need not be exact where it is not more than ``limit``, in bytes.
    """

    worker: int
    limit: int


class SendOut(NamedTuple):
    """Send one frame to the interchange."""

    kind: int
    body: Any


class LeaveNode(NamedTuple):
    """Kill all workers and end this process."""

    reason: str
    orderly: bool
    drained: bool = False
    """Whether nothing was left to do, and everybody knows: all is well."""


ManagerEffect: TypeAlias = (
    StartWorker | Give | DropForms | Recall | KillWorker | Measure | SendOut | LeaveNode
)


@attrs.define
class ManagerMachine:
    """The workers of one node. Times are seconds on one monotonic clock."""

    info: ManagerInfo
    heartbeat_period: float
    heartbeat_threshold: float
    wall_offset: float = 0.0
    """What to add to ``now`` for seconds since the epoch."""
    binder: ResourceBinder | None = None
    """It has looked at the node already. Without one, no task gets what it asks for."""
    prefetch: int | None = None
    """Tasks beyond its workers that it is to hold; None for as many as are short."""
    watched_limit: int | None = None
    """What a worker may use, in bytes."""
    offer: Mapping[str, float] = attrs.field(factory=dict)
    """What tasks may ask for, by name, and how much of it there is in all."""

    drain_period: float | None = None
    """So many seconds after its start it drains of its own accord."""
    block_ends: float | None = None
    """When its block ends, if that is known; it drains before."""

    epoch: int = attrs.field(default=0, init=False)
    connected: bool = attrs.field(default=False, init=False)
    leaving: str | None = attrs.field(default=None, init=False)
    _unfit: str | None = attrs.field(default=None, init=False)
    """Why no worker of ours can run a task."""
    draining: str | None = attrs.field(default=None, init=False)
    """Why, from the moment it is to take no more tasks."""
    _end: BlockEnd | None = attrs.field(default=None, init=False)
    _drains: float = attrs.field(default=math.inf, init=False)
    """When it drains, if it has not begun before."""
    _said_draining: bool = attrs.field(default=False, init=False)
    """Whether it has, or its last registration: it may drain while that is under way."""
    _said_drained: bool = attrs.field(default=False, init=False)
    """Whether it has said so along this connection."""
    _was_drained: bool = attrs.field(default=False, init=False)
    """Whether it has ever: nothing has come since, and a refusal may be the answer to that."""
    _workers: Workers = attrs.field(
        default=attrs.Factory(lambda self: Workers(self.watched_limit), takes_self=True), init=False
    )
    _queue: deque[WireTask] = attrs.field(factory=deque, init=False)
    """Tasks that ask for nothing."""
    _packing: Packing = attrs.field(init=False)
    _lacking: dict[bytes, list[WireTask]] = attrs.field(factory=dict, init=False)
    _forms: Forms = attrs.field(factory=lambda: Forms(FORMS_LIMIT, keeps=True), init=False)
    _asked: set[bytes] = attrs.field(factory=set, init=False)
    """What was asked for on this connection, and has not come."""
    _unacked: OrderedDict[int, list[WireOutcome]] = attrs.field(factory=OrderedDict, init=False)
    _number: int = attrs.field(default=0, init=False)
    _given_back: list[int] = attrs.field(factory=list, init=False)
    """What we gave back between a registration that named it and the answer to that."""
    _outbox: list[WireOutcome] = attrs.field(factory=list, init=False)
    _estimate: float | None = attrs.field(default=None, init=False)
    _crashes: int = attrs.field(default=0, init=False)
    _lease: float = attrs.field(default=0.0, init=False)
    """When we said what the interchange has answered last."""
    _registered: float = attrs.field(default=0.0, init=False)
    _registrations: int = attrs.field(default=0, init=False)
    _beat: float = attrs.field(default=0.0, init=False)
    _look_again: float | None = attrs.field(default=None, init=False)
    _owed: int = attrs.field(default=0, init=False)
    """Tasks that are wanted back still, once they are recalled, unless we get new ones before."""

    def __attrs_post_init__(self) -> None:
        self._packing = Packing(self.info.host, self.binder)

    # What the shell asks.

    @property
    def capacity(self) -> int:
        """How many tasks it wants to hold: one for each worker, and those that are prefetched."""
        if self.leaving is not None or self.draining is not None:
            return 0
        slots = self.info.slots
        if self.prefetch is not None:
            return slots + self.prefetch
        if self._estimate is None:
            return slots
        ahead = int(PREFETCH_TIME / max(self._estimate, 1e-6))
        return slots + slots * min(PREFETCH_LIMIT, ahead)

    @property
    def lease_ends(self) -> float:
        """When it gives itself up unless the interchange answers before.

        The threshold counts from when the answered word was *said*, which is before the
        interchange heard it: so we are gone before the interchange gives us up, however long
        each of us had been silent when the link between us fell silent.
        """
        return self._lease + self.heartbeat_threshold

    def next_deadline(self, now: float) -> float:
        """When ``time_passed`` wants to be called at the latest."""
        deadline = self.lease_ends
        if self.draining is None:
            deadline = min(deadline, self._drains)
        if self.connected:
            deadline = min(deadline, self._beat + self.heartbeat_period)
        if self._look_again is not None:
            deadline = min(deadline, self._look_again)
        return min(deadline, self._workers.due)

    # Events.

    def start(self, now: float) -> list[ManagerEffect]:
        """Start as many workers as there are slots, and introduce ourselves."""
        self._lease = now
        if self.block_ends is not None:
            self._end = BlockEnd(self.block_ends, block_margin(self.block_ends - now))
            self._drains = self._end.drains
        if self.drain_period is not None:
            self._drains = min(self._drains, now + self.drain_period)
        effects: list[ManagerEffect] = [self._new_worker() for _ in range(self.info.slots)]
        return [*effects, *self.reconnected(now)]

    def reconnected(self, now: float) -> list[ManagerEffect]:
        """A new connection is open: say who we are, what we hold and what we have finished."""
        self.connected = False
        if now >= self.lease_ends:
            return self._lease_over(now)
        self._registered = now
        self._registrations += 1
        self._said_drained = False
        self._given_back.clear()  # they are not named this time, which says the same
        self._owed = 0
        self._asked.clear()
        self._forms.keep_no_longer()  # we may miss the word that they are not needed
        held = [wire[0] for wire in (*self._queue, *self._packing.waiting())]
        held += [wire[0] for wires in self._lacking.values() for wire in wires]
        held += self._workers.held()
        finished = [outcome[0] for batch in self._unacked.values() for outcome in batch]
        finished += [outcome[0] for outcome in self._outbox]
        body = {
            "protocol": PROTOCOL,
            "registration": self._registrations,
            "info": list(self.info),
            "capacity": self.capacity,
            "held": held,
            "finished": finished,
        }
        if self.offer:
            body["offer"] = dict(self.offer)
        if self.draining is not None:
            self._said_draining = body["draining"] = True
        if self._end is not None:
            body["block_end"] = [self._end.at - now, self._end.margin]
        return [SendOut(REGISTER, body)]

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ManagerEffect]:
        """Take a frame from the interchange; one of another epoch is dropped."""
        if kind == WELCOME:
            self.epoch = epoch
        elif kind != REFUSE and epoch != self.epoch:
            return []
        if now >= self.lease_ends:
            return self._lease_over(now)  # we were stopped, and this has waited for us
        handler = _HANDLERS.get(kind)
        return [] if handler is None else handler(self, body, now)

    def worker_up(self, number: int, now: float) -> list[ManagerEffect]:
        """A worker is ready for tasks."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        worker.up = True
        worker.progress = now
        self._workers.note(worker)
        return self._assign(now)

    def worker_unfit(self, number: int, why: str, now: float) -> list[ManagerEffect]:
        """The initializer has failed in a worker: nobody is to run tasks with these settings."""
        if self._unfit is None:
            self._unfit = why
        return self._say_unfit(now) if self.connected else []

    def worker_ended_task(
        self, number: int, outcome: WireOutcome, now: float
    ) -> list[ManagerEffect]:
        """A worker has done one of its tasks. ``flush`` sends what has gathered."""
        worker = self._workers.get(number)
        if worker is None or worker.held.pop(outcome[0], None) is None:
            return []
        worker.progress = now
        worker.said = False
        if worker.bound is not None and not worker.held:
            self._release(worker)
        worker.wishes.discard(outcome[0])
        if worker.held:
            self._workers.given(worker, self.connected)
        else:
            self._workers.note(worker)
        worker.proven = True
        self._crashes = 0
        began, ended = outcome[3], outcome[4]
        took = max(0.0, ended - began)
        estimate = self._estimate
        # One long task is believed at once, short ones only by and by.
        if estimate is None or took > estimate:
            self._estimate = took
        else:
            self._estimate = 0.8 * estimate + 0.2 * took
        self._outbox.append(outcome)
        return self._grant_wish(worker)

    def worker_needs(self, number: int, digests: list[bytes], now: float) -> list[ManagerEffect]:
        """A worker has to have a shared object, or has dropped a function that it was given."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        forms: list[tuple[bytes, Form | None]] = []
        for digest in digests:
            if digest in self._forms:
                worker.forms.add(digest)
                forms.append((digest, self._forms.use(digest)))
            else:
                worker.wants.add(digest)
        effects: list[ManagerEffect] = [Give(number, [], forms)] if forms else []
        return effects + self._ask(worker.wants)

    def worker_dry(self, number: int, now: float) -> list[ManagerEffect]:
        """A worker has noticed that it was recalled, and remembers no task."""
        worker = self._workers.get(number)
        if worker is not None:
            worker.recalled = False
            self._workers.note(worker)
        return []

    def recalled(self, number: int, count: int, now: float) -> list[ManagerEffect]:
        """So many claims were left with a worker: its last tasks are ours again."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        worker.recalling = False
        worker.recalled = worker.recalled or count > 0
        effects = self._unhold(worker, count)
        self._workers.note(worker)
        effects += self._grant_wish(worker)
        effects += self._assign(now)
        if self._owed and self.connected and (returned := self._yielded()):
            effects.append(SendOut(RETURNED, returned))
        return effects

    def worker_died(self, number: int, how: str, unclaimed: int, now: float) -> list[ManagerEffect]:
        """A worker is dead, and everything below it; so many of its tasks were not claimed."""
        worker = self._workers.remove(number)
        if worker is None:
            return []
        effects = self._unhold(worker, unclaimed)
        if worker.held:  # what is left it had claimed
            worker.proven = True
        cause, reason = worker.verdict or (
            "worker_lost",
            f"worker {number} on {self.info.host} died under the task: {how}",
        )
        self._end_held(worker, cause, reason, now)
        self._release(worker)
        if self.leaving is not None or self._unfit is not None:
            return effects
        if self.draining is not None:
            return effects + self._assign(now)
        if worker.proven:
            self._crashes = 0  # a task's own fault, which is for the retry policy to judge
        else:
            self._crashes += 1
            if self._crashes > CRASHES_LIMIT:
                why = (
                    f"{self._crashes} workers in a row died before they began a task; the last: "
                    f"{how}"
                )
                return [*effects, *self._leave(why, now, orderly=True)]
        return [*effects, self._new_worker(), *self._assign(now)]

    def flush(self, now: float) -> list[ManagerEffect]:
        """Send what has gathered, and give workers what is next: after each batch of events."""
        effects = self._assign(now)
        if self._outbox and self.connected and self.leaving is None:
            effects += self._send_results(now)
        return effects + self._perhaps_drained()

    def drain(self, reason: str, now: float) -> list[ManagerEffect]:
        """Take no more tasks, give back what no worker has begun, and leave when all has ended."""
        if self.draining is not None or self.leaving is not None:
            return []
        self.draining = reason
        self._said_draining = self.connected
        said: list[ManagerEffect] = [SendOut(DRAINING, reason)] if self.connected else []
        return said + self._assign(now) + self._perhaps_drained()

    def time_passed(self, now: float) -> list[ManagerEffect]:
        """Walltimes, memory limits, start marks, work to take back, and the lease."""
        if now >= self.lease_ends:
            return self._lease_over(now)
        effects: list[ManagerEffect] = []
        if now >= self._drains:
            effects += self.drain(self._why_now(now), now)
        marks: list[list[Any]] = []
        looks = now >= self._workers.due
        for worker in self._workers if looks else ():
            if not worker.held:
                continue
            ran = now - worker.progress
            if not worker.said and self.connected and ran >= SAY_STARTED_AFTER:
                worker.said = True
                first = next(iter(worker.held))
                marks.append([first, worker.progress + self.wall_offset])
            walltime = worker.walltime
            if walltime is not None and ran >= walltime and worker.verdict is None:
                reason = f"it ran for {ran:.2f} s; its walltime is {walltime:g} s"
                worker.verdict = ("task_walltime", reason)
                self._workers.note(worker)
                effects.append(KillWorker(worker.number))
            limit = self._workers.limit_of(worker)
            if limit is not None and now >= worker.look_at:
                worker.looked = now
                effects.append(Measure(worker.number, limit))
        if looks:
            self._workers.look_at_all(self.connected)
        if marks:
            effects.append(SendOut(STARTED, marks))
        if self._look_again is not None and now >= self._look_again:
            self._look_again = None
            effects += self._assign(now)
        if self.connected and now >= self._beat + self.heartbeat_period:
            self._beat = now
            effects.append(SendOut(HEARTBEAT, now))
        return effects

    def _why_now(self, now: float) -> str:
        if self._end is not None and now >= self._end.drains:
            return f"its block ends in {max(0.0, self._end.at - now):.0f} s"
        return f"its drain_period of {self.drain_period:g} s is over"

    def measured(self, number: int, used: int, now: float) -> list[ManagerEffect]:
        """What a worker's task, and all that it has started, use just now, in bytes."""
        worker = self._workers.get(number)
        limit = None if worker is None else self._workers.limit_of(worker)
        if worker is None or limit is None or (reason := excess(used, limit)) is None:
            return []
        worker.verdict = ("out_of_memory", reason)
        self._workers.note(worker)
        worker.numbers = facts_of_excess(used, limit)
        return [KillWorker(number)]

    def holds(self, number: int) -> int:
        """How many tasks a worker holds, the one that it runs among them."""
        worker = self._workers.get(number)
        return 0 if worker is None else len(worker.held)

    def killed_by_kernel(self, number: int, peak: int, limit: int) -> list[ManagerEffect]:
        """The kernel has killed a worker, or something below it, for their memory."""
        worker = self._workers.get(number)
        if worker is None or worker.verdict is not None:
            return []
        worker.verdict = ("out_of_memory", killed_by_kernel(peak, limit))
        self._workers.note(worker)
        worker.numbers = facts_of_excess(peak, limit, "cgroup")
        return [KillWorker(number)]

    def stop(
        self,
        reason: str,
        now: float,
        unclaimed: Mapping[int, int] | None = None,
        cause: str = "block_ended",
    ) -> list[ManagerEffect]:
        """Leave of our own accord, giving back what has not started.

        ``unclaimed`` says of workers that are all dead by now how many of each one's tasks were
        not claimed; what they had claimed ends with this cause.
        """
        effects: list[ManagerEffect] = []
        for number, count in (unclaimed or {}).items():
            worker = self._workers.remove(number)
            if worker is not None:
                effects += self._unhold(worker, count)
                self._end_held(worker, *(worker.verdict or (cause, reason)), now)
        return [*effects, *self._leave(reason, now, orderly=True)]

    # Frames.

    def _on_welcome(self, body: Any, now: float) -> list[ManagerEffect]:
        self.connected = True
        self._workers.look_at_all(self.connected)  # some may have what could not be said meanwhile
        self._lease = self._beat = self._registered
        if self._unfit is not None:
            return self._say_unfit(now)
        effects: list[ManagerEffect] = []
        if self.draining is not None and not self._said_draining:
            self._said_draining = True
            effects.append(SendOut(DRAINING, self.draining))
        if self._given_back:
            effects.append(SendOut(RETURNED, self._given_back))
            self._given_back = []
        for number, batch in self._unacked.items():
            effects.append(SendOut(RESULTS, [number, self.capacity, batch]))
        wanted = {digest for worker in self._workers for digest in worker.wants}
        effects += self._ask(wanted | self._lacking.keys())
        return effects + self.flush(now)

    def _on_drain(self, body: Any, now: float) -> list[ManagerEffect]:
        return self.drain(str(body), now)

    def _on_refuse(self, body: Any, now: float) -> list[ManagerEffect]:
        if self._was_drained and self.leaving is None:
            self.leaving = f"it is drained: {self.draining}"
            return [LeaveNode(self.leaving, orderly=True, drained=True)]
        return self._leave(str(body), now, orderly=False)

    def _on_stop(self, body: Any, now: float) -> list[ManagerEffect]:
        return self._leave(str(body), now, orderly=False)

    def _on_tasks(self, body: Any, now: float) -> list[ManagerEffect]:
        self._owed = 0
        for wire in body:
            digest = wire[1]
            if digest is not None and digest not in self._forms:
                self._lacking.setdefault(digest, []).append(wire)
            else:
                self._put(wire, now)
        return [*self._assign(now), *self._ask(self._lacking)]

    def _on_forms(self, body: Any, now: float) -> list[ManagerEffect]:
        effects: list[ManagerEffect] = []
        for entry in body:
            digest, form = entry[:2]
            self._asked.discard(digest)
            if form is not None:
                self._forms.put(entry)
                for wire in self._lacking.pop(digest, ()):
                    self._put(wire, now)
            for worker in self._workers:
                if digest in worker.wants:
                    worker.wants.discard(digest)
                    worker.forms.add(digest)
                    effects.append(Give(worker.number, [], [(digest, form)]))
        self._forms.trim({wire[1] for wire in (*self._queue, *self._packing.waiting())})
        return effects + self._assign(now)

    def _on_drop(self, body: Any, now: float) -> list[ManagerEffect]:
        for digest in body:
            self._forms.drop(digest)
        effects: list[ManagerEffect] = []
        for worker in self._workers:
            if has := [digest for digest in body if digest in worker.forms]:
                worker.forms.drop(has)
                effects.append(DropForms(worker.number, has))
        return effects

    def _on_cancel(self, body: Any, now: float) -> list[ManagerEffect]:
        wanted = set(body)
        effects: list[ManagerEffect] = []
        returned = [wire[0] for wire in self._queue if wire[0] in wanted]
        if returned:
            self._queue = deque(wire for wire in self._queue if wire[0] not in wanted)
        returned += [wire[0] for wire in self._packing.take(wanted)]
        for digest, wires in list(self._lacking.items()):
            returned += [wire[0] for wire in wires if wire[0] in wanted]
            wires[:] = [wire for wire in wires if wire[0] not in wanted]
            if not wires:
                del self._lacking[digest]
        for worker in self._workers:
            hits = wanted & worker.held.keys()
            if not hits or worker.verdict is not None:
                continue
            worker.wishes |= hits
            self._workers.note(worker)
            # The first is running. If others are behind it they are taken back first, so that
            # none of them can have begun by the time the worker is killed.
            if len(worker.held) == 1:
                effects += self._grant_wish(worker)
            elif not worker.recalling:
                effects.append(self._recall(worker))
        if returned:
            effects.append(SendOut(RETURNED, returned))
        return effects

    def _on_yield(self, body: Any, now: float) -> list[ManagerEffect]:
        """Workers elsewhere have nothing to do. It is answered, even if by nothing for now."""
        self._owed = body
        returned: list[ManagerEffect] = [SendOut(RETURNED, self._yielded())]
        return returned + self._take_back(now) if self._owed else returned

    def _on_ack(self, body: Any, now: float) -> list[ManagerEffect]:
        self._unacked.pop(body, None)
        return []

    def _on_heartbeat(self, body: Any, now: float) -> list[ManagerEffect]:
        if isinstance(body, float) and self._lease < body <= now:
            self._lease = body
        return []

    # Decisions.

    def _send_results(self, now: float) -> list[ManagerEffect]:
        batch, self._outbox = self._outbox, []
        self._number += 1
        self._unacked[self._number] = batch
        return [SendOut(RESULTS, [self._number, self.capacity, batch])]

    def _unhold(self, worker: Worker, count: int) -> list[ManagerEffect]:
        """Queue the last tasks of a worker again; one that is to be cancelled goes up instead."""
        effects: list[ManagerEffect] = []
        for _ in range(min(count, len(worker.held))):
            attempt, wire = worker.held.popitem(last=True)
            if attempt in worker.wishes:
                worker.wishes.discard(attempt)
                if self.connected:
                    effects.append(SendOut(RETURNED, [attempt]))
                else:
                    self._given_back.append(attempt)
            elif asks(wire):
                self._packing.add(wire, first=True)
            else:
                self._queue.appendleft(wire)
        if not worker.held:
            self._release(worker)
        return effects

    def _put(self, wire: WireTask, now: float) -> None:
        """Let a task wait for a worker; what can never be bound here ends at once."""
        if not asks(wire):
            self._queue.append(wire)
        elif refusal := self._packing.add(wire):
            facts = {"cause": "resources", "reason": refusal, "started": "no"}
            at = now + self.wall_offset
            self._outbox.append([wire[0], UNDONE, [], at, at, facts])

    def _recall(self, worker: Worker) -> Recall:
        worker.recalling = True
        self._workers.note(worker)
        return Recall(worker.number)

    def _release(self, worker: Worker) -> None:
        """What a worker held of the node is free again."""
        bound, worker.bound = worker.bound, None
        if bound is not None:
            self._packing.release(bound)

    def _end_held(self, worker: Worker, cause: str, reason: str, now: float) -> None:
        """What a dead worker still holds it had claimed."""
        for attempt in worker.held:
            facts = {
                "cause": cause, "reason": reason, "started": "yes", "worker": str(worker.number),
                **worker.numbers,
            }  # fmt: skip
            began = worker.progress + self.wall_offset
            self._outbox.append([attempt, UNDONE, [], began, now + self.wall_offset, facts])

    def _yielded(self) -> list[int]:
        """Take the last of the queue, as many as are owed."""
        count = min(self._owed, len(self._queue))
        returned = [self._queue.pop()[0] for _ in range(count)]
        self._owed -= count
        return returned[::-1]

    def _grant_wish(self, worker: Worker) -> list[ManagerEffect]:
        """Kill a worker whose one task is to be cancelled, unless that has ended meanwhile."""
        if len(worker.held) != 1 or worker.verdict is not None or not worker.wishes:
            return []
        worker.verdict = ("cancelled", "it was cancelled while it ran")
        self._workers.note(worker)
        return [KillWorker(worker.number)]

    def _new_worker(self) -> StartWorker:
        worker = self._workers.add()
        binding = None if self.binder is None else self.binder.at_place(worker.place)
        return StartWorker(worker.number, binding)

    def _assign(self, now: float) -> list[ManagerEffect]:
        """Give queued tasks to workers, and look for work to take back where one is dry."""
        if self.leaving is not None:
            return []
        if self.draining is not None:
            return self._let_go()
        effects = [] if self._packing.idle and not self._packing.counting else self._pack(now)
        if self._queue and self._workers.able_count:
            bundle = self._bundle()
            if bundle > 1:
                bundle = min(bundle, max(1, -(-len(self._queue) // self._workers.able_count)))
            for count in range(bundle // 2 + 1):
                if self._queue and (able := self._workers.able(count)):
                    effects += self._hand_out(able, bundle, now)
        if not self._queue:
            effects += self._take_back(now)
        return effects

    def _hand_out(self, able: Mapping[int, Worker], bundle: int, now: float) -> list[ManagerEffect]:
        """Give what waits to some that may have more, and hold the same number of tasks."""
        effects: list[ManagerEffect] = []
        counting = self._packing.counting
        # Each of them takes one at least, unless what it is due is not to be had.
        few = not counting and len(self._queue) < len(able)
        for number in nsmallest(len(self._queue), able) if few else sorted(able):
            worker = able[number]
            if not self._queue or (worker.held and self._queue[0][3]):
                break  # what has options goes to those that hold nothing
            if counting and not self._may_have_more(worker):
                continue
            effects += self._give(worker, bundle, now)
            if not worker.held:
                self._release(worker)
        return effects

    def _let_go(self) -> list[ManagerEffect]:
        """Take back what workers have not begun, and give back what none has."""
        effects: list[ManagerEffect] = [*map(self._recall, list(self._workers.rich.values()))]
        if self.connected and (returned := self._take_waiting()):
            effects.append(SendOut(RETURNED, returned))
        return effects

    def _take_waiting(self) -> list[int]:
        """Take all that no worker holds."""
        taken = [wire[0] for wire in (*self._queue, *self._packing.take())]
        taken += [wire[0] for wires in self._lacking.values() for wire in wires]
        self._queue.clear()
        self._lacking.clear()
        return taken

    def _perhaps_drained(self) -> list[ManagerEffect]:
        """Say so once nothing of any task is here any more."""
        if self.draining is None or self._said_drained or not self.connected:
            return []
        if self.leaving is not None or self._outbox or self._unacked or self._given_back:
            return []
        waits = self._queue or self._lacking or self._packing.waits
        if waits or any(worker.held for worker in self._workers):
            return []
        self._said_drained = self._was_drained = True
        return [SendOut(DRAINED, self.draining)]

    def _pack(self, now: float) -> list[ManagerEffect]:
        """Give tasks that ask for something to idle workers, the oldest first, while they fit."""
        packing = self._packing
        if packing.counting == packing.idle:
            packing.count(not packing.idle)
            for worker in self._workers:
                if packing.idle:
                    self._release(worker)
                elif worker.held:
                    worker.bound = packing.due(worker.place, at_work=True)
        effects: list[ManagerEffect] = []
        idle = self._workers.able(0)
        for worker in [idle[number] for number in sorted(idle)]:
            if not packing.waits:
                break
            found = packing.next_for(worker.place)
            if found is None:
                break
            wire, worker.bound = found
            effects += self._give_bound(worker, wire, now)
        return effects

    def _may_have_more(self, worker: Worker) -> bool:
        """Whether it may have tasks that ask for nothing beside the one that waits, if any."""
        if worker.held:
            # The one that waits needs a worker as well: those at work run dry, and one is its own.
            return not self._packing.waits
        worker.bound = self._packing.due(worker.place)
        return worker.bound is not None

    def _give_bound(self, worker: Worker, wire: WireTask, now: float) -> list[ManagerEffect]:
        assert worker.bound is not None
        digest = wire[1]
        forms: list[tuple[bytes, Form | None]] = []
        if digest is not None and digest not in worker.forms:
            if digest not in self._forms:
                self._release(worker)
                self._lacking.setdefault(digest, []).append(wire)
                return self._ask([digest])
            worker.forms.add(digest)
            forms.append((digest, self._forms.use(digest)))
        worker.progress = now
        worker.said = False
        worker.held[wire[0]] = wire
        self._workers.given(worker, self.connected)
        return [Give(worker.number, [with_binding(wire, worker.bound.binding)], forms)]

    def _ask(self, digests: Collection[bytes]) -> list[ManagerEffect]:
        """Ask for what has not been asked for; while nobody is there, the next one to be is."""
        if not self.connected or not digests:
            return []
        unasked = sorted(set(digests) - self._asked)
        self._asked.update(unasked)
        return [SendOut(NEED, unasked)] if unasked else []

    def _bundle(self) -> int:
        if self._estimate is None:
            return 1
        return max(1, min(BUNDLE_LIMIT, int(BUNDLE_TIME / max(self._estimate, 1e-6))))

    def _give(self, worker: Worker, most: int, now: float) -> list[ManagerEffect]:
        batch: list[WireTask] = []
        forms: list[tuple[bytes, Form | None]] = []
        if not worker.held:
            worker.progress = now
            worker.said = False
        while self._queue and len(batch) < most:
            wire = self._queue[0]
            # A task with options of its own is alone with its worker: its time is counted from
            # here, and stopping it must not stop others.
            if wire[3] and (batch or worker.held):
                break
            self._queue.popleft()
            digest = wire[1]
            if digest is not None and digest not in worker.forms:
                if digest not in self._forms:
                    self._lacking.setdefault(digest, []).append(wire)
                    continue
                worker.forms.add(digest)
                forms.append((digest, self._forms.use(digest)))
            batch.append(wire)
            worker.held[wire[0]] = wire
            if wire[3]:
                break
        effects: list[ManagerEffect] = []
        if batch:
            self._workers.given(worker, self.connected)
            effects.append(Give(worker.number, batch, forms))
        return effects + self._ask(self._lacking)

    def _take_back(self, now: float) -> list[ManagerEffect]:
        """Recall what stands behind long tasks, if a worker here or elsewhere has nothing to do."""
        if not self._workers.rich or not (self._owed or self._workers.able(0)):
            return []
        if self._look_again is not None and now < self._look_again:
            return []  # we have looked just now
        effects: list[ManagerEffect] = []
        soonest: float | None = None
        for worker in list(self._workers.rich.values()):
            stuck_at = worker.progress + STUCK_TIME
            if now >= stuck_at:
                effects.append(self._recall(worker))
            else:
                soonest = stuck_at if soonest is None else min(soonest, stuck_at)
        if soonest is not None:
            self._look_again = soonest
        return effects

    def _say_unfit(self, now: float) -> list[ManagerEffect]:
        assert self._unfit is not None
        reason = f"the initializer of a worker has failed: {self._unfit}"
        return [SendOut(UNFIT, self._unfit), *self._leave(reason, now, orderly=True)]

    def _lease_over(self, now: float) -> list[ManagerEffect]:
        silence = now - self._lease
        why = f"the interchange has answered nothing for {silence:.0f} s"
        return self._leave(why, now, orderly=False)

    def _leave(self, reason: str, now: float, *, orderly: bool) -> list[ManagerEffect]:
        if self.leaving is not None:
            return []
        self.leaving = reason
        effects: list[ManagerEffect] = []
        if orderly and self.connected:
            # What has ended, even if that is nothing: it says that our capacity is 0 now, so
            # that what we give back is not given to us again.
            effects += self._send_results(now)
            if returned := self._take_waiting():
                effects.append(SendOut(RETURNED, returned))
            begun = self._workers.held()
            effects.append(SendOut(GOODBYE, [reason, begun]))
        effects.append(LeaveNode(reason, orderly))
        return effects

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        places = [wire[0] for wire in (*self._queue, *self._packing.waiting())]
        places += [wire[0] for wires in self._lacking.values() for wire in wires]
        places += self._workers.held()
        assert len(places) == len(set(places)), "a task is in two places"
        self._workers.check(self.connected)


_HANDLERS = {
    WELCOME: ManagerMachine._on_welcome,
    REFUSE: ManagerMachine._on_refuse,
    STOP: ManagerMachine._on_stop,
    TASKS: ManagerMachine._on_tasks,
    FORMS: ManagerMachine._on_forms,
    DROP: ManagerMachine._on_drop,
    CANCEL: ManagerMachine._on_cancel,
    ACK: ManagerMachine._on_ack,
    HEARTBEAT: ManagerMachine._on_heartbeat,
    YIELD: ManagerMachine._on_yield,
    DRAIN: ManagerMachine._on_drain,
}
