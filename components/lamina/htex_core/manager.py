"""The manager's half of htex: which worker on this node runs what.

A task is *queued* here or *held* by one worker, which claims its held tasks one by one before
it runs them. The claim is the start mark: the shell keeps it in memory that outlives the
worker, so that the loss of a worker tells the started task from those merely held.

Short tasks are given to a worker several at a time, by measured duration. When a worker runs
dry while another sits on a long task with more behind it, the unclaimed ones are taken back:
``Recall`` asks the shell to take as many claims as are left, and ``recalled`` says how many
there were, always the last ones given. A recalled worker gets nothing new until it says that
it is dry, since until then it may remember tasks that are no longer its own.

A result is kept until the client's acknowledgement of its batch has come.
"""

from collections import OrderedDict, deque
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.htex_core.frames import (
    ACK,
    CANCEL,
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
    WELCOME,
    ManagerInfo,
    WireOutcome,
    WireTask,
)

__all__ = [
    "Give",
    "KillWorker",
    "LeaveNode",
    "ManagerEffect",
    "ManagerMachine",
    "Recall",
    "SendOut",
    "StartWorker",
]

BUNDLE_TIME = 0.002  # seconds of work that one worker is given at once
PREFETCH_TIME = 0.005  # seconds of work that is kept here beyond what the workers hold
BUNDLE_LIMIT = 32  # tasks
PREFETCH_LIMIT = 64  # tasks for each worker
STUCK_TIME = 0.005  # seconds without progress before a worker's held tasks are taken back
SAY_STARTED_AFTER = 0.1  # seconds; a task that ends sooner never says that it started
CRASHES_LIMIT = 10  # workers that die in a row with no task ended between
FORMS_LIMIT = 64 * 2**20  # bytes of functions by value that are kept here


class StartWorker(NamedTuple):
    """Start a worker process with this number."""

    worker: int


class Give(NamedTuple):
    """Send these tasks to a worker, after as many claims."""

    worker: int
    tasks: list[WireTask]
    forms: list[tuple[bytes, bytes]]


class Recall(NamedTuple):
    """Take all claims that are left from a worker, and tell the machine how many there were."""

    worker: int


class KillWorker(NamedTuple):
    """Kill a worker and everything below it."""

    worker: int


class SendOut(NamedTuple):
    """Send one frame to the interchange."""

    kind: int
    body: Any


class LeaveNode(NamedTuple):
    """Kill all workers and end this process."""

    reason: str
    orderly: bool


ManagerEffect: TypeAlias = StartWorker | Give | Recall | KillWorker | SendOut | LeaveNode


@attrs.define(eq=False)
class _Worker:
    number: int
    up: bool = False
    held: OrderedDict[int, WireTask] = attrs.field(factory=OrderedDict)
    forms: set[bytes] = attrs.field(factory=set)
    wants: set[bytes] = attrs.field(factory=set)
    """Forms that it has asked for and that we asked for in turn."""
    recalled: bool = False
    recalling: bool = False
    progress: float = 0.0
    """When it last began something, on the machine's clock."""
    said: bool = False
    """Whether the start of its present task has been reported."""
    wish: int | None = None
    """The attempt that is to be cancelled, once nothing else can be hit."""
    verdict: tuple[str, str] | None = None
    """Why we are killing it: cause and reason."""

    @property
    def able(self) -> bool:
        """Whether it may be given more: nothing behind a task that may have to be killed."""
        if not self.up or self.recalled or self.verdict is not None:
            return False
        return not self.held or not (self.wish in self.held or next(iter(self.held.values()))[3])


@attrs.define
class ManagerMachine:
    """The workers of one node. Times are seconds on one monotonic clock."""

    info: ManagerInfo
    heartbeat_period: float
    heartbeat_threshold: float
    wall_offset: float = 0.0
    """What to add to ``now`` for seconds since the epoch."""

    epoch: int = attrs.field(default=0, init=False)
    connected: bool = attrs.field(default=False, init=False)
    leaving: str | None = attrs.field(default=None, init=False)
    _workers: dict[int, _Worker] = attrs.field(factory=dict, init=False)
    _next_worker: int = attrs.field(default=0, init=False)
    _queue: deque[WireTask] = attrs.field(factory=deque, init=False)
    _lacking: dict[bytes, list[WireTask]] = attrs.field(factory=dict, init=False)
    _forms: OrderedDict[bytes, bytes] = attrs.field(factory=OrderedDict, init=False)
    _forms_size: int = attrs.field(default=0, init=False)
    _unacked: OrderedDict[int, list[WireOutcome]] = attrs.field(factory=OrderedDict, init=False)
    _number: int = attrs.field(default=0, init=False)
    _outbox: list[WireOutcome] = attrs.field(factory=list, init=False)
    _estimate: float | None = attrs.field(default=None, init=False)
    _crashes: int = attrs.field(default=0, init=False)
    _last_heard: float = attrs.field(default=0.0, init=False)
    _last_sent: float = attrs.field(default=0.0, init=False)
    _look_again: float | None = attrs.field(default=None, init=False)

    # What the shell asks.

    @property
    def capacity(self) -> int:
        """How many tasks it wants to hold: one for each worker, more while they are short."""
        if self.leaving is not None:
            return 0
        slots = self.info.slots
        if self._estimate is None:
            return slots
        ahead = int(PREFETCH_TIME / max(self._estimate, 1e-6))
        return slots + slots * min(PREFETCH_LIMIT, ahead)

    def next_deadline(self, now: float) -> float:
        """When ``time_passed`` wants to be called at the latest."""
        deadline = self._last_sent + self.heartbeat_period
        if self._look_again is not None:
            deadline = min(deadline, self._look_again)
        for worker in self._workers.values():
            if not worker.held:
                continue
            if not worker.said:
                deadline = min(deadline, worker.progress + SAY_STARTED_AFTER)
            walltime = _walltime(worker)
            if walltime is not None and worker.verdict is None:
                deadline = min(deadline, worker.progress + walltime)
        return deadline

    # Events.

    def start(self, now: float) -> list[ManagerEffect]:
        """Start as many workers as there are slots, and introduce ourselves."""
        self._last_heard = self._last_sent = now
        effects: list[ManagerEffect] = [self._new_worker() for _ in range(self.info.slots)]
        return [*effects, *self.reconnected(now)]

    def reconnected(self, now: float) -> list[ManagerEffect]:
        """A new connection is open: say who we are, what we hold and what we have finished."""
        self.connected = False
        self._last_sent = now
        held = [wire[0] for wire in self._queue]
        held += [wire[0] for wires in self._lacking.values() for wire in wires]
        held += [attempt for worker in self._workers.values() for attempt in worker.held]
        finished = [outcome[0] for batch in self._unacked.values() for outcome in batch]
        finished += [outcome[0] for outcome in self._outbox]
        body = {
            "protocol": PROTOCOL,
            "info": list(self.info),
            "capacity": self.capacity,
            "held": held,
            "finished": finished,
        }
        return [SendOut(REGISTER, body)]

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ManagerEffect]:
        """Take a frame from the interchange; one of another epoch is dropped."""
        if kind == WELCOME:
            self.epoch = epoch
        elif kind != REFUSE and epoch != self.epoch:
            return []
        self._last_heard = now
        handler = _HANDLERS.get(kind)
        return [] if handler is None else handler(self, body, now)

    def worker_up(self, number: int, now: float) -> list[ManagerEffect]:
        """A worker is ready for tasks."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        worker.up = True
        worker.progress = now
        return self._assign(now)

    def worker_ended_task(
        self, number: int, outcome: WireOutcome, now: float
    ) -> list[ManagerEffect]:
        """A worker has done one of its tasks. ``flush`` sends what has gathered."""
        worker = self._workers.get(number)
        if worker is None or worker.held.pop(outcome[0], None) is None:
            return []
        worker.progress = now
        worker.said = False
        self._crashes = 0
        began, ended = outcome[3], outcome[4]
        took = ended - began
        estimate = self._estimate
        # One long task is believed at once, short ones only by and by.
        if estimate is None or took > estimate:
            self._estimate = took
        else:
            self._estimate = 0.8 * estimate + 0.2 * took
        self._outbox.append(outcome)
        return []

    def worker_needs(self, number: int, digests: list[bytes], now: float) -> list[ManagerEffect]:
        """A worker has dropped the form of a function that it was given before."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        forms = [(digest, self._forms[digest]) for digest in digests if digest in self._forms]
        lack = [digest for digest in digests if digest not in self._forms]
        worker.wants.update(lack)
        effects: list[ManagerEffect] = [Give(number, [], forms)] if forms else []
        if lack:
            effects.append(SendOut(NEED, lack))
        return effects

    def worker_dry(self, number: int, now: float) -> list[ManagerEffect]:
        """A worker has noticed that it was recalled, and remembers no task."""
        worker = self._workers.get(number)
        if worker is not None:
            worker.recalled = False
        return []

    def recalled(self, number: int, count: int, now: float) -> list[ManagerEffect]:
        """So many claims were left with a worker: its last tasks are ours again."""
        worker = self._workers.get(number)
        if worker is None:
            return []
        worker.recalling = False
        worker.recalled = worker.recalled or count > 0
        effects = self._unhold(worker, count)
        return [*effects, *self._grant_wish(worker), *self._assign(now)]

    def worker_died(self, number: int, how: str, unclaimed: int, now: float) -> list[ManagerEffect]:
        """A worker is dead, and everything below it; so many of its tasks were not claimed."""
        worker = self._workers.pop(number, None)
        if worker is None:
            return []
        effects = self._unhold(worker, unclaimed)
        cause, reason = worker.verdict or (
            "worker_lost",
            f"worker {number} on {self.info.host} died under the task: {how}",
        )
        for attempt in worker.held:
            facts = {
                "cause": cause, "reason": reason, "started": "yes", "worker": str(number),
            }  # fmt: skip
            began = worker.progress + self.wall_offset
            self._outbox.append([attempt, UNDONE, [], began, now + self.wall_offset, facts])
        if self.leaving is not None:
            return effects
        if worker.verdict is None:
            self._crashes += 1
            if self._crashes > CRASHES_LIMIT:
                why = (
                    f"{self._crashes} workers in a row died without ending a task; the last: {how}"
                )
                return [*effects, *self._leave(why, now, orderly=True)]
        return [*effects, self._new_worker(), *self._assign(now)]

    def flush(self, now: float) -> list[ManagerEffect]:
        """Send what has gathered, and give workers what is next: after each batch of events."""
        effects = self._assign(now)
        if self._outbox and self.connected and self.leaving is None:
            effects += self._send_results(now)
        return effects

    def time_passed(self, now: float) -> list[ManagerEffect]:
        """Walltimes, start marks, work to take back, and the lease."""
        if now - self._last_heard > self.heartbeat_threshold:
            silence = now - self._last_heard
            why = f"nothing heard from the interchange for {silence:.0f} s"
            return self._leave(why, now, orderly=False)
        effects: list[ManagerEffect] = []
        marks: list[list[Any]] = []
        for worker in self._workers.values():
            if not worker.held:
                continue
            ran = now - worker.progress
            if not worker.said and ran >= SAY_STARTED_AFTER:
                worker.said = True
                first = next(iter(worker.held))
                marks.append([first, worker.progress + self.wall_offset])
            walltime = _walltime(worker)
            if walltime is not None and ran >= walltime and worker.verdict is None:
                reason = f"it ran for {ran:.2f} s; its walltime is {walltime:g} s"
                worker.verdict = ("task_walltime", reason)
                effects.append(KillWorker(worker.number))
        if marks and self.connected:
            effects.append(SendOut(STARTED, marks))
        if self._look_again is not None and now >= self._look_again:
            self._look_again = None
            effects += self._assign(now)
        if self.connected and now - self._last_sent >= self.heartbeat_period:
            self._last_sent = now
            effects.append(SendOut(HEARTBEAT, None))
        return effects

    def stop(self, reason: str, now: float) -> list[ManagerEffect]:
        """Leave of our own accord, giving back what has not started."""
        return self._leave(reason, now, orderly=True)

    # Frames.

    def _on_welcome(self, body: Any, now: float) -> list[ManagerEffect]:
        self.connected = True
        effects: list[ManagerEffect] = []
        for number, batch in self._unacked.items():
            effects.append(SendOut(RESULTS, [number, self.capacity, batch]))
        wanted = {digest for worker in self._workers.values() for digest in worker.wants}
        if need := sorted(wanted | self._lacking.keys()):
            effects.append(SendOut(NEED, need))
        return effects + self.flush(now)

    def _on_refuse(self, body: Any, now: float) -> list[ManagerEffect]:
        return self._leave(str(body), now, orderly=False)

    def _on_stop(self, body: Any, now: float) -> list[ManagerEffect]:
        return self._leave(str(body), now, orderly=False)

    def _on_tasks(self, body: Any, now: float) -> list[ManagerEffect]:
        need: list[bytes] = []
        for wire in body:
            digest = wire[1]
            if digest is not None and digest not in self._forms:
                if digest not in self._lacking:
                    need.append(digest)
                self._lacking.setdefault(digest, []).append(wire)
            else:
                self._queue.append(wire)
        effects = self._assign(now)
        if need:
            effects.append(SendOut(NEED, need))
        return effects

    def _on_forms(self, body: Any, now: float) -> list[ManagerEffect]:
        effects: list[ManagerEffect] = []
        for digest, form in body:
            if digest not in self._forms:
                self._forms[digest] = form
                self._forms_size += len(form)
            for worker in self._workers.values():
                if digest in worker.wants:
                    worker.wants.discard(digest)
                    effects.append(Give(worker.number, [], [(digest, form)]))
            self._queue.extend(self._lacking.pop(digest, ()))
        used = {wire[1] for wire in self._queue}
        while self._forms_size > FORMS_LIMIT:
            oldest = next((digest for digest in self._forms if digest not in used), None)
            if oldest is None:
                break
            self._forms_size -= len(self._forms.pop(oldest))
        return effects + self._assign(now)

    def _on_cancel(self, body: Any, now: float) -> list[ManagerEffect]:
        wanted = set(body)
        effects: list[ManagerEffect] = []
        returned = [wire[0] for wire in self._queue if wire[0] in wanted]
        if returned:
            self._queue = deque(wire for wire in self._queue if wire[0] not in wanted)
        for digest, wires in list(self._lacking.items()):
            returned += [wire[0] for wire in wires if wire[0] in wanted]
            wires[:] = [wire for wire in wires if wire[0] not in wanted]
            if not wires:
                del self._lacking[digest]
        for worker in self._workers.values():
            if not wanted & worker.held.keys() or worker.verdict is not None:
                continue
            # The first is running. If others are behind it they are taken back first, so that
            # none of them can have begun by the time the worker is killed.
            first = next(iter(worker.held))
            if first in wanted:
                worker.wish = first
                if len(worker.held) == 1:
                    effects += self._grant_wish(worker)
                elif not worker.recalling:
                    worker.recalling = True
                    effects.append(Recall(worker.number))
            # A short task behind another is left to run; its result is not wanted any more.
        if returned:
            effects.append(SendOut(RETURNED, returned))
        return effects

    def _on_ack(self, body: Any, now: float) -> list[ManagerEffect]:
        self._unacked.pop(body, None)
        return []

    def _on_heartbeat(self, body: Any, now: float) -> list[ManagerEffect]:
        return []

    # Decisions.

    def _send_results(self, now: float) -> list[ManagerEffect]:
        batch, self._outbox = self._outbox, []
        self._number += 1
        self._unacked[self._number] = batch
        self._last_sent = now
        return [SendOut(RESULTS, [self._number, self.capacity, batch])]

    def _unhold(self, worker: _Worker, count: int) -> list[ManagerEffect]:
        """Queue the last tasks of a worker again; one that is to be cancelled goes up instead."""
        effects: list[ManagerEffect] = []
        for _ in range(min(count, len(worker.held))):
            attempt, wire = worker.held.popitem(last=True)
            if attempt == worker.wish:
                effects.append(SendOut(RETURNED, [attempt]))
            else:
                self._queue.appendleft(wire)
        return effects

    def _grant_wish(self, worker: _Worker) -> list[ManagerEffect]:
        """Kill a worker whose one task is to be cancelled, unless that has ended meanwhile."""
        if worker.wish is None or worker.verdict is not None or list(worker.held) != [worker.wish]:
            return []
        worker.verdict = ("cancelled", "it was cancelled while it ran")
        return [KillWorker(worker.number)]

    def _new_worker(self) -> StartWorker:
        number = self._next_worker
        self._next_worker += 1
        self._workers[number] = _Worker(number)
        return StartWorker(number)

    def _assign(self, now: float) -> list[ManagerEffect]:
        """Give queued tasks to workers, and look for work to take back where one is dry."""
        if self.leaving is not None:
            return []
        effects: list[ManagerEffect] = []
        bundle = self._bundle()
        able = [w for w in self._workers.values() if w.able]
        if self._queue and able:
            if bundle > 1:
                bundle = min(bundle, max(1, -(-len(self._queue) // len(able))))
            for worker in sorted(able, key=lambda each: len(each.held)):
                if not self._queue:
                    break
                if not worker.held or (bundle > 1 and len(worker.held) <= bundle // 2):
                    effects += self._give(worker, bundle, now)
        if not self._queue:
            effects += self._take_back(able, now)
        return effects

    def _bundle(self) -> int:
        if self._estimate is None:
            return 1
        return max(1, min(BUNDLE_LIMIT, int(BUNDLE_TIME / max(self._estimate, 1e-6))))

    def _give(self, worker: _Worker, most: int, now: float) -> list[ManagerEffect]:
        batch: list[WireTask] = []
        forms: list[tuple[bytes, bytes]] = []
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
                forms.append((digest, self._forms[digest]))
            batch.append(wire)
            worker.held[wire[0]] = wire
            if wire[3]:
                break
        effects: list[ManagerEffect] = []
        if batch:
            effects.append(Give(worker.number, batch, forms))
        if self._lacking:
            effects.append(SendOut(NEED, list(self._lacking)))
        return effects

    def _take_back(self, able: list[_Worker], now: float) -> list[ManagerEffect]:
        rich = [w for w in self._workers.values() if len(w.held) > 1 and not w.recalling]
        if not rich or not any(not worker.held for worker in able):
            return []
        effects: list[ManagerEffect] = []
        soonest: float | None = None
        for worker in rich:
            stuck_at = worker.progress + STUCK_TIME
            if now >= stuck_at:
                worker.recalling = True
                effects.append(Recall(worker.number))
            else:
                soonest = stuck_at if soonest is None else min(soonest, stuck_at)
        if soonest is not None:
            self._look_again = soonest
        return effects

    def _leave(self, reason: str, now: float, *, orderly: bool) -> list[ManagerEffect]:
        if self.leaving is not None:
            return []
        self.leaving = reason
        effects: list[ManagerEffect] = []
        if orderly and self.connected:
            # What has ended, even if that is nothing: it says that our capacity is 0 now, so
            # that what we give back is not given to us again.
            effects += self._send_results(now)
            returned = [wire[0] for wire in self._queue]
            returned += [wire[0] for wires in self._lacking.values() for wire in wires]
            self._queue.clear()
            self._lacking.clear()
            if returned:
                effects.append(SendOut(RETURNED, returned))
            effects.append(SendOut(GOODBYE, reason))
        effects.append(LeaveNode(reason, orderly))
        return effects

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        places = [wire[0] for wire in self._queue]
        places += [wire[0] for wires in self._lacking.values() for wire in wires]
        places += [attempt for worker in self._workers.values() for attempt in worker.held]
        assert len(places) == len(set(places)), "a task is in two places"
        for worker in self._workers.values():
            alone = any(wire[3] for wire in worker.held.values())
            assert not alone or len(worker.held) == 1, "a task with options is not alone"


def _walltime(worker: _Worker) -> float | None:
    options = next(iter(worker.held.values()))[3]
    walltime: float | None = options.get("walltime") if options else None
    return walltime


_HANDLERS = {
    WELCOME: ManagerMachine._on_welcome,
    REFUSE: ManagerMachine._on_refuse,
    STOP: ManagerMachine._on_stop,
    TASKS: ManagerMachine._on_tasks,
    FORMS: ManagerMachine._on_forms,
    CANCEL: ManagerMachine._on_cancel,
    ACK: ManagerMachine._on_ack,
    HEARTBEAT: ManagerMachine._on_heartbeat,
}
