"""The shell of the interchange, as ``htex_interchange`` has it, around the real machine."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lamina.htex_core import (
    READY,
    Forget,
    InterchangeEffect,
    Leave,
    ToClient,
    ToManager,
    Watch,
)
from lamina.htex_core.frames import (
    DRAIN,
    DRAINED,
    DRAINING,
    HOLD,
    REGISTER,
    RESULTS,
    RETURNED,
    TASKS,
    WELCOME,
)
from tests.simulation.clockwork import Channel, Process, Violation
from tests.simulation.workers import QUICK

if TYPE_CHECKING:
    from tests.simulation.managers import Connection, ManagerProcess
    from tests.simulation.program import Link
    from tests.simulation.world import World


BACK_AND_FORTH = 20  # times that one connection may bring the same task to a manager


class Load:
    """What one manager was given, told from the frames alone."""

    def __init__(self, body: dict[str, Any], now: float) -> None:
        self.capacity = body["capacity"]
        self.held = {*body["held"], *body["finished"]}
        self.brought: Counter[int] = Counter()
        """How often it was given each task."""
        self.closed = bool(body.get("draining"))
        self.ends = now + body["block_end"][0] if "block_end" in body else math.inf


class InterchangeProcess(Process):
    """One epoch."""

    def __init__(self, world: "World", epoch: int, link: "Link") -> None:
        super().__init__(world.clockwork, f"ix{epoch}", world.home)
        self.world, self.epoch, self.link = world, epoch, link
        self.listening = False
        self.connections: dict[bytes, Connection] = {}
        self.watched: dict[str, ManagerProcess] = {}
        self.left: str | None = None
        self._out: list[Any] = []
        self._loads: dict[bytes, Load] = {}
        self._on_hold: set[str] = set()
        self._deadline: float | None = None
        self.machine = world.machines.interchange(
            epoch=epoch,
            python="3.11",
            package="0.1",
            heartbeat_period=world.period,
            heartbeat_threshold=world.threshold,
            selector=world.selector(),
            chance=world.clockwork.chance.random,
        )

    def channels(self) -> Iterable[Channel]:
        yield self.link.down
        for connection in self.connections.values():
            assert connection.up is not None
            yield connection.up

    def arm(self) -> None:
        super().arm()
        self._deadline = self.machine.next_deadline()
        if self._deadline is not None:
            self.wake(max(self._deadline + self.host.lag, self.clockwork.now + 0.001))

    def step(self) -> None:
        now = self.time()
        if not self.listening:
            self.listening = True
            self._out.append(self.world.wire.write(READY, self.epoch, {"address": "here"}))
            self._flush()
            self.world.listens(self)
            return
        did = self._hear_managers(now)
        for uid, manager in list(self.watched.items()):
            if not manager.alive:
                self.told(self.machine.manager_died(uid, "its process has ended", now), "died", uid)
                if uid in self.watched:
                    raise Violation(f"{uid} is dead, and watched for ever")
        for data in self.link.down.take(64):
            did = True
            frame = self.world.wire.read(data)
            self._account_client(frame.kind, frame.body)
            self.told(self.machine.client_frame(frame.kind, frame.body, now), "client says", frame)
        if self.link.closed_above and not self.link.down.queue:
            self.told(self.machine.client_gone(), "client gone")
        deadline = self._deadline
        if deadline is None or now >= deadline:
            self.told(self.machine.time_passed(now), "time passed")
        after = self.machine.next_deadline()
        self.spins(math.inf if after is None else after, did=did)
        self._flush()
        if self.left is not None:
            self.kill(f"it leaves: {self.left}")

    def told(self, effects: Sequence[InterchangeEffect], what: str, *facts: Any) -> None:
        """The machine has been told of an event; these are its effects."""
        self.clockwork.events += 1
        self.clockwork.note(self.name, what, *facts, effects)
        self.machine.check()
        self.perform(effects)

    def _hear_managers(self, now: float) -> bool:
        routes = list(self.connections)
        self.clockwork.chance.shuffle(routes)
        did = False
        for route in routes:
            connection = self.connections[route]
            assert connection.up is not None
            for data in connection.up.take(32):
                did = True
                frame = self.world.wire.read(data)
                self._account(route, frame.kind, frame.epoch, frame.body)
                effects = self.machine.manager_frame(route, *frame, now)
                if frame.kind == REGISTER and any(
                    type(each) is ToManager and each.kind == WELCOME for each in effects
                ):
                    self._registered(route, frame.body)
                self.told(effects, "manager says", route, frame)
                if self.world.repeats(frame):
                    again = self.world.wire.write(*frame)
                    connection.up.send(again, *QUICK)
            if not connection.open and not connection.up.queue:
                del self.connections[route]
        return did

    def _registered(self, route: bytes, body: dict[str, Any]) -> None:
        uid = self.connections[route].manager.uid
        self._forget_load(uid)
        self._loads[route] = Load(body, self.time())

    def _account_client(self, kind: int, body: Any) -> None:
        if kind == DRAIN:
            for route, load in self._loads.items():
                load.closed = load.closed or self.world.uids[route] in body
        elif kind == HOLD:
            self._on_hold = set(body)

    def _account(self, route: bytes, kind: int, epoch: int, body: Any) -> None:
        load = self._loads.get(route)
        if load is not None and epoch == self.epoch:
            if kind == RESULTS:
                load.capacity = body[1]
                load.held.difference_update(outcome[0] for outcome in body[2])
            elif kind == RETURNED:
                load.held.difference_update(body)
            elif kind in (DRAINING, DRAINED):
                load.closed = True

    # Effects.

    def perform(self, effects: Sequence[InterchangeEffect]) -> None:
        for effect in effects:
            self.burn()
            if type(effect) is ToManager:
                self._to_manager(effect)
            elif type(effect) is ToClient:
                self._out.append(self.world.wire.write(effect.kind, self.epoch, effect.body))
            elif type(effect) is Watch:
                self._watch(effect.manager.uid)
            elif type(effect) is Forget:
                self._forget(effect.uid)
            elif type(effect) is Leave:
                self.left = effect.reason

    def _to_manager(self, effect: ToManager) -> None:
        if effect.kind == TASKS:
            load = self._loads[effect.route]
            load.held.update(wire[0] for wire in effect.body)
            load.brought.update(wire[0] for wire in effect.body)
            if any(load.brought[wire[0]] > BACK_AND_FORTH for wire in effect.body):
                uid = self.world.uids[effect.route]
                raise Violation(f"{uid} and the interchange send {effect.body} back and forth")
            if len(load.held) > load.capacity:
                uid = self.world.uids[effect.route]
                raise Violation(f"{uid} takes {load.capacity} tasks and was given {load.held}")
            for wire in effect.body:
                self._may_have(wire[0], load, self.world.managers[self.world.uids[effect.route]])
            uid = self.world.uids[effect.route]
            if load.closed or self.world.managers[uid].block in self._on_hold:
                raise Violation(f"{uid} drains or is on hold, and was given {effect.body}")
        connection = self.connections.get(effect.route)
        if connection is not None:
            connection.send_down(self.world.wire.write(effect.kind, self.epoch, effect.body))

    def _may_have(self, number: int, load: Load, manager: "ManagerProcess") -> None:
        options = self.world.truth.attempts[number].options or {}
        if manager.host.name in options.get("avoid", ()):
            raise Violation(f"{number} avoids {manager.host.name}, and is given to {manager.name}")
        if self.time() + options.get("expected", -math.inf) > load.ends:
            raise Violation(f"{number} cannot end in time, and is given to {manager.name}")

    def _watch(self, uid: str) -> None:
        manager = self.world.managers.get(uid)
        if manager is not None and manager.host.local and uid not in self.watched:
            self.watched[uid] = manager
            manager.watchers.append(self)

    def _forget(self, uid: str) -> None:
        self._forget_load(uid)
        manager = self.watched.pop(uid, None)
        if manager is not None:
            manager.watchers.remove(self)

    def _forget_load(self, uid: str) -> None:
        for route in [each for each in self._loads if self.world.uids[each] == uid]:
            del self._loads[route]

    def _flush(self) -> None:
        for data in self._out:
            self.link.up.send(data, *QUICK)
        self._out.clear()

    def buried(self) -> None:
        self.world.trouble(self.world.threshold + 6.0)
        for connection in list(self.connections.values()):
            if self.left is not None:
                connection.open = False
                connection.lost_at = self.clockwork.now + 0.05
                connection.manager.wake(connection.lost_at)
            else:
                connection.tear()
        self.connections.clear()
        for manager in self.watched.values():
            manager.watchers.remove(self)
        self.link.closed_below = True
        self.link.up.hurry()
