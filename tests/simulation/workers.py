"""A worker process and its pipe, as ``htex_worker`` has them: claims that outlive the worker."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lamina.htex_core import RAISED, UNSENT, VALUE
from tests.simulation.clockwork import Channel, Killed, Process, Violation

if TYPE_CHECKING:
    from tests.simulation.managers import ManagerProcess
    from tests.simulation.truth import Attempt

# Down, then up.
TASK, FORM, MARK, UP, OUTCOME, DRY, NEED, DROP = range(8)
QUICK = 0.00005, 0.001  # seconds for a few bytes between two processes of one host
DEATH = 2.0  # seconds within which the death of a process on one host has its consequences
SAID = 1.0  # seconds within which the program hears that a task runs, if it still does
LOOKS = 1.0  # seconds within which somebody looks at what a limited task uses
FUNCTIONS = 2  # functions by value that a worker remembers
SHARED = 1  # objects that it was given by digest and remembers


class Pipe:
    """What the manager has of one worker: a socket each way, and the counter of claims."""

    def __init__(self, manager: "ManagerProcess", number: int) -> None:
        self.number = number
        self.claims = 0
        self.worker = Worker(manager, number, self)
        self.up = Channel(manager, manager.host)
        self.down = Channel(self.worker, manager.host)
        self.hung_up = False
        """The worker's end is closed, so that after its last words comes the end."""
        self.ended = False
        self.status: str | None = None
        self.recall_waits = False

    def unclaimed(self) -> int:
        count, self.claims = self.claims, 0
        return count


class Worker(Process):
    """Takes tasks from its pipe, claims each, runs it, says what became of it."""

    def __init__(self, manager: "ManagerProcess", number: int, pipe: Pipe) -> None:
        super().__init__(manager.clockwork, f"{manager.name}/w{number}", manager.host)
        self.manager, self.number, self.pipe = manager, number, pipe
        self.truth = manager.world.truth
        self.runs: int | None = None
        """The attempt that it has claimed and not said to have ended."""
        self._held: deque[list[Any]] = deque()
        self._functions: deque[bytes] = deque(maxlen=FUNCTIONS)
        self._shared: deque[bytes] = deque(maxlen=SHARED)
        self.memory = 0
        """Bytes that its task uses."""
        self.cores = 0.0
        """What its task has asked for."""
        self._asleep_until = 0.0
        self._life = self._live()

    def channels(self) -> Iterable[Channel]:
        # While a task runs nothing is read.
        return (self.pipe.down,) if self._asleep_until <= self.clockwork.now else ()

    def step(self) -> None:
        now = self.clockwork.now
        if now < self._asleep_until:
            self.wake(self._asleep_until)
            return
        for pause in self._life:
            if pause is None:
                if not self.pipe.down.ready:
                    return
            elif pause > 0:
                self._asleep_until = now + pause
                self.wake(self._asleep_until)
                return

    def buried(self) -> None:
        self.pipe.hung_up = True
        self.pipe.up.hurry()
        self.manager.zygote.child_died(self)
        if self.runs is not None:
            self.manager.world.owe(self.truth.attempts[self.runs], DEATH, self)

    # What it does; None means that it waits for its pipe, a number that time passes.

    def _live(self) -> Iterator[float | None]:
        yield self.clockwork.between(*QUICK)
        self._say(UP, None)
        while True:
            while self._held:
                yield self._a_moment()
                if not self._claim():
                    self._held.clear()
                    break
                yield from self._do(self._held.popleft())
            yield from self._read()

    def _claim(self) -> bool:
        if self.pipe.claims == 0:
            return False
        self.pipe.claims -= 1
        self.runs = self._held[0][0]
        self.truth.claimed(self.runs, self)
        attempt = self.truth.attempts[self.runs]
        self.manager.world.owe_word(attempt, SAID, self)
        if attempt.options and "walltime" in attempt.options:
            walltime = attempt.options["walltime"]
            self.manager.world.owe(attempt, walltime + DEATH, self)
        return True

    def _read(self) -> Iterator[float | None]:
        chance = self.clockwork.chance
        while not self.pipe.down.ready:
            yield None
        for kind, body in self.pipe.down.take(chance.randint(1, 8)):
            if kind == TASK:
                self._held.append(body)
            elif kind == FORM:
                (self._shared if body.startswith(b"shared") else self._functions).append(body)
            elif kind == DROP and body in self._shared:
                self._shared.remove(body)
            elif kind == MARK:
                self._held.clear()
                self._say(DRY, None)

    def _do(self, wire: list[Any]) -> Iterator[float | None]:
        number, digest = wire[0], wire[1]
        while digest is not None and digest not in self._functions:
            self._say(NEED, digest)
            yield from self._read()
        attempt = self.truth.attempts[number]
        if attempt.shared is not None and attempt.shared not in self._shared:
            self._say(NEED, attempt.shared)
            while attempt.shared not in self._shared:
                yield from self._read()
        self._cores_held(attempt)
        began = self.host.wall + self.clockwork.now
        yield attempt.takes
        if attempt.fate == "gluts":
            self.memory = 2 * (attempt.options or {})["memory_limit"]
            self.manager.world.owe(attempt, LOOKS + DEATH, self)
            yield math.inf
        if attempt.fate == "hangs":
            yield math.inf
        if attempt.fate == "dies":
            raise Killed
        code = {"value": VALUE, "raises": RAISED, "unsent": UNSENT}[attempt.fate]
        buffers = [b"%s of %d" % (attempt.fate.encode(), number)]
        ended = self.host.wall + self.clockwork.now
        self.truth.produced(number, code, buffers)
        self.runs, self.cores = None, 0.0
        self._say(OUTCOME, [number, code, buffers, began, ended, None])
        yield self._a_moment()

    def _cores_held(self, attempt: "Attempt") -> None:
        """What runs at once on a node asks for no more than the node has."""
        wanted = (attempt.options or {}).get("resources", {})
        self.cores = wanted.get("cores", 0.0)
        others = [each.cores for each in self.manager.zygote.workers if each.alive]
        if sum(others) > self.manager.cores + 1e-6:
            names = [each.runs for each in self.manager.zygote.workers if each.cores]
            raise Violation(f"{self.manager.name} has {self.manager.cores} cores; it runs {names}")

    def _a_moment(self) -> float:
        return self.clockwork.between(0.0, 0.0004) if self.clockwork.likely(0.3) else 0.0

    def _say(self, kind: int, body: Any) -> None:
        self.pipe.up.send((kind, body), *QUICK)


class Zygote:
    """Starts workers, kills them, and says which have died."""

    def __init__(self, manager: "ManagerProcess") -> None:
        self.manager = manager
        self.clockwork = manager.clockwork
        self.alive = True
        self.said = Channel(manager, manager.host)
        self._workers: dict[int, Worker] = {}

    def fork(self, worker: Worker) -> None:
        if self.alive:
            self._workers[worker.number] = worker
            self.clockwork.soon(lambda: self._begin(worker))

    def _begin(self, worker: Worker) -> None:
        if self.alive and worker.alive:
            worker.wake(self.clockwork.now)

    def asked_to_kill(self, number: int) -> None:
        self.clockwork.soon(lambda: self._kill(number))

    def _kill(self, number: int) -> None:
        if self.alive and number in self._workers:
            self._workers[number].kill("signal 9, as the manager asked")

    def child_died(self, worker: Worker) -> None:
        if self._workers.pop(worker.number, None) is not None and self.alive:
            self.clockwork.soon(lambda: self._tell(worker.number))

    def _tell(self, number: int) -> None:
        if self.alive:
            self.said.send(number, *QUICK)

    @property
    def workers(self) -> list[Worker]:
        return list(self._workers.values())

    def die(self, why: str) -> None:
        """No worker outlives it: the parent-death signal sees to that."""
        if self.alive:
            self.alive = False
            for worker in self.workers:
                worker.kill(why)
            self.manager.wake(self.clockwork.now)
