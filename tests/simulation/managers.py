"""The shell of a manager, as ``htex_worker_pool`` has it, around the real machine."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lamina.htex_core import (
    Give,
    KillWorker,
    LeaveNode,
    ManagerEffect,
    ManagerInfo,
    Measure,
    Recall,
    SendOut,
    StartWorker,
)
from lamina.htex_core.frames import DRAIN, RESULTS, RETURNED, TASKS
from lamina.resources import NodeBinder, NodeFacts
from tests.simulation.clockwork import Channel, Host, Process, Violation
from tests.simulation.workers import (
    DRY,
    FORM,
    MARK,
    NEED,
    OUTCOME,
    QUICK,
    TASK,
    UP,
    Pipe,
    Zygote,
)

if TYPE_CHECKING:
    from tests.simulation.interchanges import InterchangeProcess
    from tests.simulation.world import World

NETWORK = 0.0002, 0.004  # seconds between two hosts
RECONNECT = 0.2
CORES = 4  # that most nodes have


class Connection:
    """One connection between a manager and an interchange; a broken one is never mended."""

    def __init__(self, manager: "ManagerProcess", route: bytes) -> None:
        self.manager, self.route = manager, route
        self.interchange: InterchangeProcess | None = None
        self.down = Channel(manager, manager.host, wired=not manager.host.local)
        self.up: Channel | None = None
        self.open = True
        self.lost_at = math.inf
        self._early: list[Any] = []
        self._told = False
        """Whether the manager hears of the break although no byte passes."""

    def attach(self, interchange: "InterchangeProcess") -> None:
        self.interchange = interchange
        self.up = Channel(interchange, self.manager.host, wired=not self.manager.host.local)
        interchange.connections[self.route] = self
        for data in self._early:
            self.up.send(data, *NETWORK)
        self._early.clear()

    def send_up(self, data: Any) -> None:
        if self.up is None:
            self._early.append(data)
        elif self.open:
            self.up.send(data, *NETWORK)

    def send_down(self, data: Any) -> None:
        if self.open:
            self.down.send(data, *NETWORK)

    def tear(self, *, told: bool = False) -> None:
        """It breaks: some of what is under way still arrives, then each end hears of it."""
        self._told = told
        if self.open:
            self.open = False
            self.down.cut_short()
            if self.up is not None:
                self.up.cut_short()
            clockwork = self.manager.clockwork
            self.lost_at = clockwork.now + clockwork.between(*NETWORK)
            self.manager.wake(self.lost_at)

    @property
    def lost(self) -> bool:
        held_up = self.down.held_up and not self._told
        return self.lost_at <= self.manager.clockwork.now and not held_up


class ManagerProcess(Process):
    """One node."""

    def __init__(self, world: "World", uid: str, host: Host, slots: int) -> None:
        super().__init__(world.clockwork, uid, host)
        self.world, self.uid, self.slots = world, uid, slots
        world.pids += 1
        self.pid = world.pids
        chance = world.clockwork.chance
        # Few cores for each worker, so that tasks which ask for some compete with the others.
        self.cores = CORES if chance.random() < 0.7 else 2
        self.binder = NodeBinder(cores_per_worker=chance.choice([0.5, 1.0]))
        facts = NodeFacts(
            host=host.name, cores=tuple(range(self.cores)), memory=2**34, most_workers=slots
        )
        offer = self.binder.offer(facts)
        self.slots = slots = offer.workers
        self.block = f"b-{uid}"
        info = ManagerInfo(
            uid, self.block, host.name, host.boot, self.pid, slots, "3.11", "0.1"
        )  # fmt: skip
        self.block_ends = math.inf
        """When the batch system ends its block, on its own clock."""
        if chance.random() < 0.3:
            self.block_ends = self.time() + world.clockwork.spread(3.0, 100.0)
        self.machine = world.machines.manager(
            info,
            heartbeat_period=world.period,
            heartbeat_threshold=world.threshold,
            wall_offset=host.wall + host.lag,
            binder=self.binder,
            offer=offer.totals(),
            drain_period=world.clockwork.spread(2.0, 60.0) if chance.random() < 0.1 else None,
            block_ends=None if self.block_ends == math.inf else self.block_ends,
        )
        self.pipes: dict[int, Pipe] = {}
        self.zygote = Zygote(self)
        self.connection: Connection | None = None
        self.left: LeaveNode | None = None
        self.drains_at = math.inf
        """When it drains of its own accord, on its own clock."""
        self.told_to_end = False
        self.drains = False
        """Whether it has been told to drain, or does so of its own accord."""
        self._begun = False
        self.leaving = False
        self._connecting_until = self.time() + world.threshold
        self.watchers: list[InterchangeProcess] = []

    def channels(self) -> Iterable[Channel]:
        if self.connection is None:
            return
        yield self.connection.down
        yield self.zygote.said
        for pipe in self.pipes.values():
            if not pipe.ended:
                yield pipe.up

    def arm(self) -> None:
        if self.leaving:
            return
        if self.connection is None:
            self.wake(self.clockwork.now + RECONNECT)
            return
        super().arm()
        if self.connection.lost_at < math.inf:
            self.wake(max(self.connection.lost_at, self.clockwork.now + 0.001))
        deadline = self.machine.next_deadline(self.time())
        if not self.drains:
            deadline = min(deadline, self.drains_at)
        self.wake(max(deadline + self.host.lag, self.clockwork.now + 0.001))

    # The loop.

    def step(self) -> None:
        if self.leaving:
            return
        now = self.time()
        connection = self.connection
        if connection is None:
            self._connect(now)
            return
        did = False
        for data in connection.down.take(256):
            did = True
            frame = self.world.wire.read(data)
            if frame.kind == TASKS and frame.epoch == self.machine.epoch:
                for wire in frame.body:
                    self.world.truth.arrived(wire[0], self)
            if frame.kind == DRAIN and frame.epoch == self.machine.epoch:
                self.drains = True
            self.told(self.machine.frame(*frame, now), "frame", frame)
        if self.drains_at <= now and not self.drains and self._begun and self.left is None:
            self.drains = did = True
            self.told(self.machine.drain("its time is over", now), "drain")
        if connection.lost and self.left is None:
            self._hang_up()
            self._connecting_until = now + self.world.threshold
            self._connect(now)
            return
        for pipe in list(self.pipes.values()):
            if not pipe.ended and (pipe.up.ready or pipe.hung_up):
                did = True
                self._read(pipe, now)
        did = self._listen(now) or did
        if self.told_to_end and self.left is None:
            self._end("the block was told to end", "block_ended", now)
        self.perform(self.machine.flush(now))
        deadline = self.machine.next_deadline(now)
        if now >= deadline:
            self.told(self.machine.time_passed(now), "time passed")
            self.drains = self.drains or self.machine.draining is not None
        self.spins(self.machine.next_deadline(now), did=did)
        if self.left is not None:
            self._leave()

    def told(self, effects: Sequence[ManagerEffect], what: str, *facts: Any) -> None:
        """The machine has been told of an event; these are its effects."""
        self.clockwork.events += 1
        self.clockwork.note(self.name, what, *facts, effects)
        self.machine.check()
        self.perform(effects)

    def _connect(self, now: float) -> None:
        connection = self.world.connect(self)
        if connection is None:
            if now >= self._connecting_until:
                self._leave()
            return
        self.connection = connection
        if self._begun:
            self.told(self.machine.reconnected(now), "reconnected")
        else:
            self._begun = True
            self.told(self.machine.start(now), "start")

    def _hang_up(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.open = False
            connection.down.queue.clear()
            self.world.pending.discard(connection)

    def _read(self, pipe: Pipe, now: float) -> bool:
        records = pipe.up.take(64)
        if not records:
            if pipe.hung_up:
                pipe.ended = True
                self._bury(pipe, now)
            return False
        machine = self.machine
        for kind, body in records:
            if kind == OUTCOME:
                self.told(machine.worker_ended_task(pipe.number, body, now), "ended", body)
            elif kind == UP:
                self.told(machine.worker_up(pipe.number, now), "worker up", pipe.number)
            elif kind == DRY:
                self.told(machine.worker_dry(pipe.number, now), "worker dry", pipe.number)
            elif kind == NEED:
                self.told(machine.worker_needs(pipe.number, [body], now), "needs", pipe.number)
            if pipe.recall_waits and kind == OUTCOME:
                pipe.recall_waits = False
                self.told(machine.recalled(pipe.number, 0, now), "recalled late", pipe.number)
        return True

    def _listen(self, now: float) -> bool:
        if not self.zygote.alive and self.left is None:
            self._end("the process that starts workers has died", "worker_lost", now)
            return True
        dead = self.zygote.said.take(64)
        for number in dead:
            pipe = self.pipes.get(number)
            if pipe is not None:
                pipe.status = "signal 9"
                self._bury(pipe, now)
        return bool(dead)

    def _bury(self, pipe: Pipe, now: float) -> None:
        if pipe.status is None:
            return
        while not pipe.ended and self._read(pipe, now):
            pass
        if self.pipes.pop(pipe.number, None) is None:
            return
        unclaimed = pipe.unclaimed()
        self.told(
            self.machine.worker_died(pipe.number, pipe.status, unclaimed, now),
            "worker died", pipe.number, unclaimed,
        )  # fmt: skip

    def _end(self, reason: str, cause: str, now: float) -> None:
        for worker in self.zygote.workers:
            worker.kill("its manager ends")
        for pipe in list(self.pipes.values()):
            while not pipe.ended and self._read(pipe, now):
                pass
        unclaimed = {number: pipe.unclaimed() for number, pipe in self.pipes.items()}
        self.told(self.machine.stop(reason, now, unclaimed, cause), "stop", reason, unclaimed)

    def _leave(self) -> None:
        """Below us first, then we; what was sent is given a second."""
        self.leaving = True
        self.clockwork.soon(lambda: self.zygote.die("its manager leaves"))
        self.clockwork.soon(lambda: self.kill("it has left"), 0.03, 0.1)

    # Effects.

    def perform(self, effects: Sequence[ManagerEffect]) -> None:
        for effect in effects:
            self.burn()
            if type(effect) is Give:
                self._give(effect)
            elif type(effect) is SendOut:
                self._send(effect)
            elif type(effect) is Recall:
                self._recall(effect.worker)
            elif type(effect) is StartWorker:
                self._start_worker(effect.worker)
            elif type(effect) is KillWorker:
                self.zygote.asked_to_kill(effect.worker)
            elif type(effect) is Measure:
                self._measure(effect)
            elif type(effect) is LeaveNode:
                self.left = effect
                if effect.drained:
                    self.drained(effect)

    def _send(self, effect: SendOut) -> None:
        if effect.kind == RETURNED:
            for number in effect.body:
                self.world.truth.given_back(number, self)
        elif effect.kind == RESULTS:
            self.world.truth.finished(effect.body[2], self)
        if self.connection is not None:
            data = self.world.wire.write(effect.kind, self.machine.epoch, effect.body)
            self.connection.send_up(data)

    def _give(self, effect: Give) -> None:
        if self.drains and effect.tasks:
            raise Violation(f"{self.name} drains, and gives a worker {effect.tasks}")
        for wire in effect.tasks:
            self.world.truth.given(wire[0], self)
        pipe = self.pipes.get(effect.worker)
        if pipe is None:
            return
        pipe.claims += len(effect.tasks)
        if pipe.hung_up:
            return
        for digest, _ in effect.forms:
            pipe.down.send((FORM, digest), *QUICK)
        for wire in effect.tasks:
            pipe.down.send((TASK, wire), *QUICK)

    def _measure(self, effect: Measure) -> None:
        pipe = self.pipes.get(effect.worker)
        if pipe is not None:
            used = pipe.worker.memory
            effects = self.machine.measured(effect.worker, used, self.time())
            self.told(effects, "measured", effect.worker, used)

    def _recall(self, worker: int) -> None:
        pipe = self.pipes.get(worker)
        count = 0 if pipe is None else pipe.unclaimed()
        if pipe is not None and count == 0:
            pipe.recall_waits = True
        else:
            if pipe is not None and not pipe.hung_up:
                pipe.down.send((MARK, None), *QUICK)
            self.told(self.machine.recalled(worker, count, self.time()), "recalled", worker, count)

    def _start_worker(self, number: int) -> None:
        living = [worker for worker in self.zygote.workers if worker.alive]
        if len(living) >= self.slots:
            raise Violation(f"{self.name} has {self.slots} slots and starts one worker more")
        pipe = self.pipes[number] = Pipe(self, number)
        self.zygote.fork(pipe.worker)

    def buried(self) -> None:
        if self.connection is not None:
            if self.connection.up is not None and (not self.leaving or self.host.cut):
                self.connection.up.cut_short()
            self.connection.open = False
            self.world.pending.discard(self.connection)
        self.clockwork.soon(lambda: self.zygote.die("its manager is dead"))
        for watcher in self.watchers:
            watcher.wake(self.clockwork.now)
        self.world.manager_died(self)

    def drained(self, left: LeaveNode) -> None:
        """It leaves because nothing is left to do."""
        if not self.drains:
            raise Violation(f"{self.name} is drained, and nobody had asked for it")
        self.world.truth.drained(self)
