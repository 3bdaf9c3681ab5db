"""Where an unfinished task stands, and what is to be done about it, as values."""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from lamina.vocabulary import AttemptId, Failure, TaskId, TaskState

__all__ = [
    "Cancel",
    "Consult",
    "Effect",
    "Expire",
    "Joined",
    "Launch",
    "Phase",
    "Prepare",
    "Resolve",
    "Staged",
    "TRANSITIONS",
]


class Phase(enum.Enum):
    """Where an unfinished task stands."""

    WAITING = "waiting"
    PREPARING = "preparing"
    FOLLOWING = "following"
    STAGING_IN = "staging in"
    LAUNCHED = "launched"
    RUNNING = "running"
    JOINING = "joining"
    STAGING_OUT = "staging out"
    DECIDING = "deciding"
    DELAYED = "delayed"

    __hash__ = object.__hash__  # that of Enum is written in Python, and asked per event


TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.WAITING: frozenset({Phase.PREPARING}),
    Phase.PREPARING: frozenset({Phase.LAUNCHED, Phase.FOLLOWING, Phase.STAGING_IN}),
    Phase.FOLLOWING: frozenset({Phase.PREPARING, Phase.LAUNCHED, Phase.RUNNING}),
    Phase.STAGING_IN: frozenset({Phase.LAUNCHED, Phase.DECIDING}),
    Phase.LAUNCHED: frozenset({Phase.RUNNING, Phase.JOINING, Phase.STAGING_OUT, Phase.DECIDING}),
    Phase.RUNNING: frozenset({Phase.JOINING, Phase.STAGING_OUT, Phase.DECIDING}),
    Phase.JOINING: frozenset(),
    Phase.STAGING_OUT: frozenset({Phase.DECIDING}),
    Phase.DECIDING: frozenset({Phase.PREPARING, Phase.DELAYED}),
    Phase.DELAYED: frozenset({Phase.PREPARING}),
}
"""Where each phase may lead. Every phase may also lead to the end."""


class Resolve(NamedTuple):
    """These tasks have ended: the first one, and those that followed it."""

    tasks: Sequence[TaskId]
    state: TaskState
    value: Any
    error: BaseException | None


class Prepare(NamedTuple):
    """Put arguments together, ask the memo, choose an executor."""

    tasks: Sequence[TaskId]


class Launch(NamedTuple):
    """Hand these attempts to that executor."""

    executor: str
    tasks: Sequence[TaskId]


class Cancel(NamedTuple):
    """Nobody wants this attempt any more."""

    executor: str
    attempt: AttemptId


class Consult(NamedTuple):
    """Ask the retry policy about a failed attempt."""

    task: TaskId
    failure: Failure


class Staged(NamedTuple):
    """The tasks that move files for this task are done."""

    task: TaskId


class Joined(NamedTuple):
    """The futures that the body of this task returned are done."""

    task: TaskId


class Expire(NamedTuple):
    """The walltime of this join is over; nobody but the kernel could end it."""

    task: TaskId


Effect: TypeAlias = Resolve | Prepare | Launch | Cancel | Consult | Joined | Staged | Expire
