"""What came off the wire, made into the outcomes that executors report."""

from typing import Any

from lamina.codec import Codec, load_error
from lamina.executors import Outcome
from lamina.htex_core import (
    RAISED,
    UNDONE,
    UNSENT,
    VALUE,
    Ended,
    ManagerInfo,
    WireOutcome,
    unwrapped,
)
from lamina.vocabulary import (
    AttemptId,
    BlockEnded,
    Cause,
    ClosedError,
    ExecutorLost,
    Failure,
    HasStarted,
    NodeLost,
    ResourcesUnavailable,
    SerializationError,
    TaskError,
    TaskOutOfMemory,
    TaskWalltime,
    WorkerLost,
)

__all__ = ["outcome_of", "outcomes_of_ended"]


class _Cancelled(TaskError):
    """The attempt was cancelled."""

    cause = Cause.CANCELLED


_ERRORS: dict[Cause, type[TaskError]] = {
    Cause.WORKER_LOST: WorkerLost,
    Cause.OUT_OF_MEMORY: TaskOutOfMemory,
    Cause.TASK_WALLTIME: TaskWalltime,
    Cause.BLOCK_ENDED: BlockEnded,
    Cause.NODE_LOST: NodeLost,
    Cause.RESOURCES: ResourcesUnavailable,
    Cause.CLOSED: ClosedError,
    Cause.CANCELLED: _Cancelled,
    Cause.EXECUTOR_LOST: ExecutorLost,
}


def outcome_of(wire: WireOutcome, manager: ManagerInfo | None, codec: Codec) -> Outcome:
    """Decode one outcome; runs the user's own unpickling code, so not where a socket is read."""
    attempt, code, buffers, began, ended, facts = wire
    node = None if manager is None else manager.host
    if code == VALUE:
        try:
            value = codec.load([unwrapped(buffer) for buffer in buffers])
        except BaseException as error:  # the user's classes; SystemExit must not end this thread
            why = f"the result cannot be unpickled here: {type(error).__name__}: {error}"
            trouble = SerializationError(why, HasStarted.YES)
            trouble.__cause__ = error
            return _failed(attempt, Cause.SERIALIZATION, trouble, manager, began, ended)
        return Outcome(AttemptId(attempt), value, None, began, ended, node)
    if code == UNDONE:
        return _undone(attempt, manager, began, ended, facts)
    raised = load_error(bytes(unwrapped(buffers[0])))
    cause = Cause.SERIALIZATION if code == UNSENT else Cause.APPLICATION
    assert code in (RAISED, UNSENT), code
    return _failed(attempt, cause, raised, manager, began, ended)


def outcomes_of_ended(ended: Ended) -> list[Outcome]:
    """The outcomes of attempts that ended without a word from a worker."""
    cause, started = Cause(ended.cause), HasStarted(ended.started)
    info = ended.manager
    return [
        Outcome(
            AttemptId(attempt),
            failure=Failure(
                cause=cause,
                error=_ERRORS[cause](ended.reason, started),
                started=started,
                node=None if info is None else info.host,
                block=None if info is None else info.block,
            ),
        )
        for attempt in ended.attempts
    ]


def _undone(
    attempt: int,
    manager: ManagerInfo | None,
    began: float | None,
    ended: float | None,
    facts: dict[str, Any],
) -> Outcome:
    cause = Cause(facts["cause"])
    started = HasStarted(facts["started"])
    error = _ERRORS[cause](facts["reason"], started)
    peak = facts.get("peak")
    if cause is Cause.OUT_OF_MEMORY:
        said = facts["reason"], started, peak, facts.get("limit"), facts.get("measured", "")
        error = TaskOutOfMemory(*said)
    worker = facts.get("worker")
    return _failed(attempt, cause, error, manager, began, ended, started, worker, peak)


def _failed(
    attempt: int,
    cause: Cause,
    error: BaseException,
    manager: ManagerInfo | None,
    began: float | None,
    ended: float | None,
    started: HasStarted = HasStarted.YES,
    worker: str | None = None,
    peak_memory: int | None = None,
) -> Outcome:
    failure = Failure(
        cause=cause,
        error=error,
        started=started,
        node=None if manager is None else manager.host,
        block=None if manager is None else manager.block,
        worker=worker,
        began=began,
        ended=ended,
        peak_memory=peak_memory,
    )
    return Outcome(AttemptId(attempt), None, failure, began, ended, failure.node, worker)
