"""Lamina's own parts, each driven alone: the kernel without an executor, machines without I/O.

The machines get frames of 64 tasks, as the processes around them would pass them on. Only
their own calls are timed, never the making of what they are told.
"""

import gc
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from noop import noop
from rows import (
    CLIENT,
    COST_MANAGERS,
    INTERCHANGE,
    KERNEL,
    MANAGER,
    PER_MANAGER,
    Found,
)

from lamina.apps import python_app
from lamina.executors import Capabilities, Load, Outcome, Report, Site, TaskRequest
from lamina.htex_core import (
    READY,
    TASKS,
    VALUE,
    ClientMachine,
    Give,
    InterchangeMachine,
    ManagerInfo,
    ManagerMachine,
    SendOut,
    SendUp,
    ToManager,
    WireTask,
)

# The other kinds of frames are the business of the machines, and of whoever drives them.
from lamina.htex_core.frames import ACK, ADMIT, CREDIT, JOINED, REGISTER, RESULTS, WELCOME
from lamina.kernel import Config, DataFlowKernel
from lamina.vocabulary import AttemptId

FRAME = 64  # tasks
NEVER = 1e9  # seconds
TASK_TIME = 1e-5  # seconds that a worker says it took
MANAGERS = (10, 100, 1000, 10_000)
FEW_MANAGERS = 2  # where their number is not what is looked at

_R = TypeVar("_R")


class Stopwatch:
    """Adds up the time that some calls take, and not that of what lies between them."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, function: Callable[..., _R], *args: Any) -> _R:
        """Call, and count."""
        began = time.perf_counter()
        try:
            return function(*args)
        finally:
            self.total += time.perf_counter() - began


class NullExecutor:
    """Reports every task as done as soon as it gets it, and runs none."""

    label = "null"
    capabilities = Capabilities(stops_running_tasks=True, own_processes=False)

    def start(self, site: Site) -> None:
        """There is nothing to start."""

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Say at once that they are done."""
        report([Outcome(task.attempt) for task in tasks])

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """There is nothing left to cancel."""

    def load(self) -> Load:
        """It is never busy."""
        return Load(0, 1)

    def close(self, timeout: float | None = None) -> None:
        """There is nothing to close."""


def kernel(tasks: int) -> Found:
    """The program's processor time for each task, from the call of an app to the result."""
    with tempfile.TemporaryDirectory() as directory:
        config = Config(executors=[NullExecutor()], run_dir=directory)
        with DataFlowKernel(config) as running:
            app = python_app(noop, data_flow_kernel=running)
            for _ in range(tasks // 10):
                app().result()
            gc.collect()
            began = time.process_time()
            for future in [app() for _ in range(tasks)]:
                future.result()
            took = time.process_time() - began
    return {KERNEL: 1e6 * took / tasks}


def _wires(first: int) -> list[WireTask]:
    return [[first + each, None, [b"call"], None] for each in range(FRAME)]


def _outcomes(attempts: Sequence[int]) -> list[list[Any]]:
    return [[attempt, VALUE, [b"value"], 0.0, TASK_TIME, None] for attempt in attempts]


def _info(number: int, slots: int) -> ManagerInfo:
    return ManagerInfo(f"m{number}", "block", "host", "boot", 1, slots, "3.11", "htex")


def _registration(info: ManagerInfo) -> dict[str, Any]:
    started = ManagerMachine(info, NEVER, NEVER).start(0.0)
    (body,) = (e.body for e in started if isinstance(e, SendOut) and e.kind == REGISTER)
    return dict(body)


def client(tasks: int) -> Found:
    """From submission to delivery, a frame of each at a time, with four under way."""
    machine = ClientMachine(patience=NEVER)
    machine.start(0.0)
    epoch = machine.epoch
    machine.frame(READY, epoch, {}, 0.0)
    machine.frame(CREDIT, epoch, 8 * FRAME, 0.0)
    machine.frame(JOINED, epoch, [list(_info(0, 2)), [], []], 0.0)
    timed, sent = Stopwatch(), deque[list[int]]()
    for number in range(tasks // FRAME):
        now = number * FRAME * TASK_TIME
        wires = [(wire, 0.0, None) for wire in _wires(number * FRAME)]
        for effect in timed(machine.submitted, wires):
            if isinstance(effect, SendUp) and effect.kind == TASKS:
                sent.append([wire[0] for wire in effect.body])
        if len(sent) > 3:
            results = ["m0", number, _outcomes(sent.popleft())]
            timed(machine.frame, RESULTS, epoch, results, now)
            timed(machine.time_passed, now)
    for attempts in sent:
        machine.frame(RESULTS, epoch, ["m0", tasks, _outcomes(attempts)], 0.0)
    assert machine.outstanding == 0, "the client machine has not delivered everything"
    return {CLIENT: 1e6 * timed.total / tasks}


class _Interchange:
    """An interchange machine with managers that are full, and more tasks that wait."""

    def __init__(self, managers: int) -> None:
        self.machine = InterchangeMachine(
            epoch=1,
            python="3.11",
            package="htex",
            heartbeat_period=NEVER,
            heartbeat_threshold=NEVER,
        )
        self.held: dict[bytes, deque[int]] = {}
        self.names: dict[bytes, str] = {}
        self.timed = Stopwatch()
        self.next = 0
        for number in range(managers):
            info, route = _info(number, 2), b"r%d" % number
            self.held[route], self.names[route] = deque(), info.uid
            # What the real machine says of itself, but with room for a frame.
            body = {**_registration(info), "capacity": FRAME}
            self.machine.manager_frame(route, REGISTER, 0, body, 0.0)
        self.machine.client_frame(ADMIT, list(self.names.values()), 0.0)
        fill = [wire for _ in range(managers + 4) for wire in self._wires()]
        self._follow(self.machine.client_frame(TASKS, fill, 0.0))

    def _wires(self) -> list[WireTask]:
        self.next += FRAME
        return _wires(self.next)

    def _follow(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            if isinstance(effect, ToManager) and effect.kind == TASKS:
                self.held[effect.route].extend(wire[0] for wire in effect.body)

    def turn(self, route: bytes, number: int) -> int:
        """One manager has done a frame's worth; as much comes from the client."""
        held = self.held[route]
        done = [held.popleft() for _ in range(min(FRAME, len(held)))]
        results = [number, FRAME, _outcomes(done)]
        machine, timed = self.machine, self.timed
        self._follow(timed(machine.manager_frame, route, RESULTS, 1, results, 0.0))
        timed(machine.client_frame, ACK, [[self.names[route], number]], 0.0)
        self._follow(timed(machine.client_frame, TASKS, self._wires(), 0.0))
        return len(done)

    def cost(self, tasks: int) -> float:
        """Seconds for each task, managers in turn."""
        done = number = 0
        routes = list(self.held)
        while done < tasks:
            gained = self.turn(routes[number % len(routes)], number)
            assert gained, "the interchange machine has left a manager without tasks"
            done += gained
            number += 1
        return self.timed.total / done


def interchange(tasks: int) -> Found:
    """From the client's frame to the result's, with few managers."""
    return {INTERCHANGE: 1e6 * _Interchange(FEW_MANAGERS).cost(tasks)}


def managers(tasks: int) -> Found:
    """The same with ever more managers, all of them full."""
    points = [[count, 1e6 * _Interchange(count).cost(tasks)] for count in MANAGERS]
    return {COST_MANAGERS: points[-1][1] / points[0][1], PER_MANAGER: points}


def manager(tasks: int) -> Found:
    """From the interchange's frame to the results', on two workers."""
    machine = ManagerMachine(_info(0, 2), NEVER, NEVER)
    machine.start(0.0)
    machine.frame(WELCOME, 1, None, 0.0)
    for worker in range(2):
        machine.worker_up(worker, 0.0)
    timed, given = Stopwatch(), deque[Give]()
    ended, now = 0, 0.0

    def follow(effects: Sequence[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Give):
                given.append(effect)
            elif isinstance(effect, SendOut) and effect.kind == RESULTS:
                timed(machine.frame, ACK, 1, effect.body[0], now)

    for number in range(tasks // FRAME):
        follow(timed(machine.frame, TASKS, 1, _wires(number * FRAME), now))
        while given:
            worker, batch, _ = given.popleft()
            now += TASK_TIME * len(batch)
            for outcome in _outcomes([wire[0] for wire in batch]):
                timed(machine.worker_ended_task, worker, outcome, now)
            ended += len(batch)
            follow(timed(machine.flush, now))
    assert ended == tasks // FRAME * FRAME, "the manager machine has kept tasks back"
    return {MANAGER: 1e6 * timed.total / ended}


PARTS = {
    "kernel": kernel,
    "client": client,
    "interchange": interchange,
    "manager": manager,
    "managers": managers,
}
