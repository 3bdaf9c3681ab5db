"""The shell of the client, as ``executors_htex`` has it, around the real machine."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lamina.htex_core import (
    Broken,
    ClientEffect,
    Deliver,
    Ended,
    Levels,
    ManagerWent,
    QueuedTask,
    Ran,
    SendUp,
    Sorted,
    StartInterchange,
    comparable,
)
from lamina.htex_core.frames import ADMIT, CREDIT, JOINED, RETURNED, TASKS
from tests.simulation.clockwork import Channel, Process, Violation
from tests.simulation.interchanges import InterchangeProcess
from tests.simulation.truth import Attempt
from tests.simulation.workers import DEATH, QUICK

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_FOR_MANAGERS = 0.25


class Link:
    """The socket pair between the client and one interchange."""

    def __init__(self, program: "Program", epoch: int) -> None:
        self.epoch = epoch
        self.closed_above = False
        self.closed_below = False
        self.interchange = InterchangeProcess(program.world, epoch, self)
        self.down = Channel(self.interchange, program.host)
        self.up = Channel(program, program.host)


class Program(Process):
    """The user's program, with an executor in it."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.clockwork, "program", world.home)
        self.world, self.truth = world, world.truth
        self.machine = world.machines.client(
            patience=world.threshold + 2.0,
            starts_limit=world.starts_limit,
            starts_window=60.0,
            make_queue=Levels if world.order is None else Sorted,
        )
        self.link: Link | None = None
        self.broken: str | None = None
        self.on_hold: set[str] = set()
        self._granted: set[int] = set()
        self._credit = 0
        self._joined: list[int] = []
        self._handles: set[bytes] = set()
        """Shared objects that the user still has a handle to."""

    def begin(self) -> None:
        self.told(self.machine.start(self.time()), "start")

    def channels(self) -> Iterable[Channel]:
        return () if self.link is None else (self.link.up,)

    def arm(self) -> None:
        super().arm()
        if self.link is not None and self.link.closed_below:
            self.wake(self.clockwork.now + 0.01)
        deadline = self.machine.next_deadline()
        if deadline is not None:
            look = self.clockwork.now + LOOK_FOR_MANAGERS
            due = max(deadline + self.host.lag, self.clockwork.now + 0.001)
            self.wake(min(look, due))

    def step(self) -> None:
        now, link = self.time(), self.link
        if link is None:
            return
        frames = link.up.take(64)
        for data in frames:
            frame = self.world.wire.read(data)
            self._account(frame.kind, frame.body)
            self.told(self.machine.frame(*frame, now), "frame", frame)
        if self.machine.next_deadline() is not None:
            self.told(self.machine.time_passed(now), "time passed")
        for awaited in self.machine.awaited:
            manager = self.world.managers.get(awaited.uid)
            if awaited.boot == self.host.boot and (manager is None or not manager.alive):
                why = "its process is gone"
                self.told(self.machine.manager_gone(awaited.uid, why), "gone", awaited.uid)
        if link.closed_below and not link.up.queue and not frames:
            self.world.trouble(self.world.threshold + 6.0)
            self._granted.clear()
            self._credit = 0
            self.told(self.machine.interchange_died(now, "killed"), "interchange died")

    def told(self, effects: Sequence[ClientEffect], what: str, *facts: Any) -> None:
        """The machine has been told of an event; these are its effects."""
        self.clockwork.events += 1
        self.clockwork.note(self.name, what, *facts, effects)
        self.machine.check()
        self.perform(effects)
        if self.machine.outstanding != len(self.truth.alive):
            msg = f"{self.machine.outstanding} outstanding, {len(self.truth.alive)} unresolved"
            raise Violation(msg)

    def _account(self, kind: int, body: Any) -> None:
        if kind == CREDIT:
            self._credit = body
        elif kind == RETURNED:
            self._granted.difference_update(body)
        elif kind == JOINED:
            self._joined = [each for each in (*body[1], *body[2]) if each in self.truth.alive]

    # What the user does.

    def submit(self, attempts: Sequence[Attempt]) -> None:
        tasks = [(each.wire, self._rank(each), self.world.form(each)) for each in attempts]
        shared = {each.number: [(each.shared, b"it")] for each in attempts if each.shared}
        self.told(self.machine.submitted(tasks, shared), "submits", len(tasks))
        used = {each.shared for each in attempts if each.shared}
        self._handles |= used
        self.let_go(self._handles - used if used else set())

    def let_go(self, handles: Iterable[bytes] | None = None) -> None:
        """Drop handles, by default all; tasks may still need what they stand for."""
        for digest in sorted(self._handles if handles is None else handles):
            self._handles.discard(digest)
            self.told(self.machine.handle_gone(digest), "lets go", digest)

    def _rank(self, attempt: Attempt) -> Any:
        priority, order = float(attempt.number % 3), self.world.order
        if order is None:
            return priority
        expected = (attempt.options or {}).get("expected")
        return comparable(order.key(QueuedTask("", priority, expected)))

    def cancel(self, attempts: Sequence[Attempt]) -> None:
        for each in attempts:
            each.cancelled = True
            if each.claimed_by is not None and each.claimed_by.runs == each.number:
                self.world.owe(each, DEATH, each.claimed_by)
        numbers = [each.number for each in attempts]
        self.told(self.machine.cancelled(numbers), "cancels", numbers)

    def drain(self, manager: str) -> None:
        self.told(self.machine.drain([manager]), "drains", manager)

    def hold(self, block: str) -> None:
        self.on_hold.add(block)
        self.told(self.machine.hold(block), "holds", block)

    def unhold(self, block: str) -> None:
        self.on_hold.discard(block)
        self.told(self.machine.unhold(block), "holds no more", block)

    def close(self) -> None:
        self.told(self.machine.fail("the executor was closed", "closed"), "closes")
        if self.truth.alive:
            raise Violation(f"closing leaves unresolved: {list(self.truth.alive)}")
        self.kill("it is closed")

    # Effects.

    def perform(self, effects: Sequence[ClientEffect]) -> None:
        for effect in effects:
            if type(effect) is SendUp:
                self._send(effect)
            elif type(effect) is Deliver:
                self.truth.delivered(effect)
                self._granted.difference_update(each[0] for each in effect.outcomes)
            elif type(effect) is Ended:
                self.world.ended(effect)
                self._granted.difference_update(effect.attempts)
            elif type(effect) is ManagerWent and effect.drained:
                self.world.drained(effect.manager.uid)
            elif type(effect) is Ran:
                self.truth.ran(effect)
            elif type(effect) is StartInterchange:
                self.link = Link(self, effect.epoch)
                self.clockwork.soon(self._launch(self.link.interchange), 0.05, 0.4)
            elif type(effect) is Broken:
                self.broken = effect.reason
                if self.link is not None and self.link.closed_below:
                    self.link = None

    def _launch(self, interchange: InterchangeProcess) -> Any:
        return lambda: interchange.wake(self.clockwork.now)

    def _send(self, effect: SendUp) -> None:
        if effect.kind == TASKS:
            for wire in effect.body:
                self.truth.granted(wire[0])
                self._granted.add(wire[0])
            if len(self._granted) > self._credit:
                raise Violation(f"credit {self._credit}, and {len(self._granted)} granted")
        elif effect.kind == ADMIT:
            self._granted.update(self._joined)
        link = self.link
        if link is not None and not link.closed_below:
            data = self.world.wire.write(effect.kind, link.epoch, effect.body)
            link.down.send(data, *QUICK)

    def buried(self) -> None:
        if self.link is not None:
            self.link.closed_above = True
            self.link.down.hurry()
