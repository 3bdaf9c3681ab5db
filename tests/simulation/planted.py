"""Machines with a bug planted in each, to see that the simulator finds it."""

from typing import Any

import attrs

from lamina.htex_core import (
    ClientEffect,
    ClientMachine,
    InterchangeEffect,
    InterchangeMachine,
    LeaveNode,
    ManagerEffect,
    ManagerMachine,
    SendOut,
    SendUp,
    ToClient,
)
from lamina.htex_core.frames import (
    ACK,
    CANCEL,
    DRAIN,
    DRAINED,
    DRAINING,
    FORMS,
    HOLD,
    JOINED,
    LOAD,
    LOST,
    NEED,
    REGISTER,
    RESULTS,
    STARTED,
    TASKS,
    WELCOME,
)
from lamina.resources import NodeBinder
from tests.simulation.world import Machines

__all__ = ["PLANTED"]


class LosesAResult(ManagerMachine):
    """After a reconnection it does not send again what was not acknowledged."""

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ManagerEffect]:
        effects = super().frame(kind, epoch, body, now)
        if kind == WELCOME:
            return [each for each in effects if not _sends(each, RESULTS)]
        return effects


class KeepsResults(ManagerMachine):
    """It forgets that results were acknowledged."""

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ManagerEffect]:
        return [] if kind == ACK else super().frame(kind, epoch, body, now)


class MiscountsClaims(ManagerMachine):
    """It believes of a dead worker that one task more was not begun."""

    def worker_died(self, number: int, how: str, unclaimed: int, now: float) -> list[ManagerEffect]:
        return super().worker_died(number, how, unclaimed + 1, now)


class HidesWhatItHolds(ManagerMachine):
    """It registers again as if it held nothing."""

    def reconnected(self, now: float) -> list[ManagerEffect]:
        effects = super().reconnected(now)
        for each in effects:
            if isinstance(each, SendOut) and each.kind == REGISTER:
                each.body["held"] = []
        return effects


class OffersTooMuch(ManagerMachine):
    """It hands out cores that are taken."""

    def __attrs_post_init__(self) -> None:
        if isinstance(self.binder, NodeBinder):
            node = attrs.evolve(self.binder._node, cores=tuple(range(64)))  # type: ignore[type-var]
            self.binder.offer(node)
        super().__attrs_post_init__()


class ForgetsToLook(ManagerMachine):
    """It does not see that a task uses too much memory."""

    def measured(self, number: int, used: int, now: float) -> list[ManagerEffect]:
        return []


class DrainsTooFast(ManagerMachine):
    """It says that it is drained before its results are acknowledged, and leaves at once."""

    def drain(self, reason: str, now: float) -> list[ManagerEffect]:
        effects = super().drain(reason, now)
        return [*effects, LeaveNode("it is drained", orderly=True, drained=True)]


class DrainsNever(ManagerMachine):
    """It takes no more tasks, and does not say when it has ended those that it had."""

    def flush(self, now: float) -> list[ManagerEffect]:
        return [each for each in super().flush(now) if not _sends(each, DRAINED)]


class DrainsInSilence(ManagerMachine):
    """It does not say when it begins to drain of its own accord."""

    def drain(self, reason: str, now: float) -> list[ManagerEffect]:
        return [each for each in super().drain(reason, now) if not _sends(each, DRAINING)]


class LosesCancellations(ManagerMachine):
    """It does not hear that a task is not wanted any more."""

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ManagerEffect]:
        return [] if kind == CANCEL else super().frame(kind, epoch, body, now)


class NeverSaysThatTasksRun(ManagerMachine):
    """It says of no task that it has started."""

    def time_passed(self, now: float) -> list[ManagerEffect]:
        return [each for each in super().time_passed(now) if not _sends(each, STARTED)]


class ForgetsHolds(InterchangeMachine):
    """It does not hear which blocks are on hold."""

    def client_frame(self, kind: int, body: Any, now: float) -> list[InterchangeEffect]:
        return [] if kind == HOLD else super().client_frame(kind, body, now)


class NeverTellsLoads(InterchangeMachine):
    """It does not say how busy managers are."""

    def time_passed(self, now: float) -> list[InterchangeEffect]:
        effects = super().time_passed(now)
        return [e for e in effects if not (isinstance(e, ToClient) and e.kind == LOAD)]


class DropsWhatIsNeeded(ClientMachine):
    """It has no shared object for those that ask."""

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ClientEffect]:
        if kind == NEED:
            return [SendUp(FORMS, [[digest, None] for digest in body])]
        return super().frame(kind, epoch, body, now)


class ForgetsThatOneDrains(InterchangeMachine):
    """It passes it on that a manager is to drain, and goes on giving it tasks."""

    def client_frame(self, kind: int, body: Any, now: float) -> list[InterchangeEffect]:
        if kind == DRAIN:
            return []
        return super().client_frame(kind, body, now)


class SendsAnywhere(InterchangeMachine):
    """It does not look whether a task is to avoid a node."""

    def client_frame(self, kind: int, body: Any, now: float) -> list[InterchangeEffect]:
        if kind == TASKS:
            body = [[*wire[:3], None] for wire in body]
        return super().client_frame(kind, body, now)


class ForgetsTasksOfTheDead(InterchangeMachine):
    """It says that a manager is lost, and not what went with it."""

    def manager_died(self, uid: str, reason: str, now: float) -> list[InterchangeEffect]:
        return [_without_attempts(each) for each in super().manager_died(uid, reason, now)]


class GivesUpTooEarly(InterchangeMachine):
    """It declares the silent lost while they may still run their tasks."""

    def __init__(self, *, heartbeat_threshold: float, **others: Any) -> None:
        super().__init__(heartbeat_threshold=heartbeat_threshold / 4 - 2.0, **others)


class BelievesAnyCapacity(InterchangeMachine):
    """It takes a manager for larger than it says."""

    def manager_frame(
        self, route: bytes, kind: int, epoch: int, body: Any, now: float
    ) -> list[InterchangeEffect]:
        if kind == RESULTS:
            body = [body[0], body[1] + 1, body[2]]
        return super().manager_frame(route, kind, epoch, body, now)


class StartsTwice(ClientMachine):
    """After a restart it believes that nobody holds anything."""

    def frame(self, kind: int, epoch: int, body: Any, now: float) -> list[ClientEffect]:
        if kind == JOINED:
            body = [body[0], [], body[2]]
        return super().frame(kind, epoch, body, now)


class NeverGivesUpWaiting(ClientMachine):
    """It waits for the managers of an old epoch for ever."""

    def __init__(self, *, patience: float, **others: Any) -> None:
        super().__init__(patience=1000 * patience, **others)


def _sends(effect: ManagerEffect, kind: int) -> bool:
    return isinstance(effect, SendOut) and effect.kind == kind


def _without_attempts(effect: InterchangeEffect) -> InterchangeEffect:
    if isinstance(effect, ToClient) and effect.kind == LOST:
        uid, _, *why = effect.body
        return ToClient(LOST, [uid, [], *why])
    return effect


# The bug, and what the simulator says of it.
PLANTED = {
    "a manager loses a result": (Machines(manager=LosesAResult), "pending for ever"),
    "a manager keeps results for ever": (Machines(manager=KeepsResults), "keeps what has ended"),
    "a manager miscounts claims": (
        Machines(manager=MiscountsClaims), "which had started|although it has started",
    ),
    "a manager hides what it holds": (
        Machines(manager=HidesWhatItHolds), "granted again|given to m",
    ),
    "a manager hands out cores that are taken": (
        Machines(manager=OffersTooMuch), "cores; it runs",
    ),
    "a manager does not see what tasks use": (
        Machines(manager=ForgetsToLook), "is unresolved|pending for ever",
    ),
    "a manager says that it is drained, and is not": (
        Machines(manager=DrainsTooFast), "is drained, and",
    ),
    "a manager drains for ever": (Machines(manager=DrainsNever), "drains for ever"),
    "a manager drains in silence": (Machines(manager=DrainsInSilence), "back and forth"),
    "a manager loses cancellations": (
        Machines(manager=LosesCancellations), "is unresolved|pending for ever",
    ),
    "a manager never says that tasks run": (
        Machines(manager=NeverSaysThatTasksRun), "nobody says so",
    ),
    "the interchange forgets which blocks are on hold": (
        Machines(interchange=ForgetsHolds), "drains or is on hold",
    ),
    "the interchange never says how busy managers are": (
        Machines(interchange=NeverTellsLoads), "and is said to have",
    ),
    "the client drops what is shared too early": (
        Machines(client=DropsWhatIsNeeded), "and it is gone",
    ),
    "the interchange goes on with one that drains": (
        Machines(interchange=ForgetsThatOneDrains), "drains or is on hold",
    ),
    "the interchange sends tasks to nodes that they avoid": (
        Machines(interchange=SendsAnywhere), "avoids node|cannot end in time",
    ),
    "the interchange forgets a manager's tasks": (
        Machines(interchange=ForgetsTasksOfTheDead), "is unresolved|pending for ever",
    ),
    "the interchange gives up managers too early": (
        Machines(interchange=GivesUpTooEarly), "given up for nothing|still runs it",
    ),
    "the interchange oversells a manager": (
        Machines(interchange=BelievesAnyCapacity), "tasks and was given",
    ),
    "the client starts an attempt twice": (Machines(client=StartsTwice), "granted"),
    "the client waits for ever": (
        Machines(client=NeverGivesUpWaiting), "is unresolved|pending for ever",
    ),
}  # fmt: skip
