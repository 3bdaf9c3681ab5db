"""Running one call in this process, and saying in our words what came of it."""

import importlib
import logging
from collections.abc import Sequence
from typing import Any

from lamina.codec import any_shared, resolved
from lamina.executors.protocol import Call, News, Outcome, Payload, Report, Site, TaskRequest
from lamina.vocabulary import (
    AttemptId,
    Cause,
    ClosedError,
    ConfigError,
    Event,
    Failure,
    HasStarted,
    TaskError,
    TaskWalltime,
)

__all__ = [
    "cancelled",
    "closed",
    "expired",
    "failed",
    "raised",
    "refusal",
    "run_call",
    "tell",
    "warn_if_running",
]

_log = logging.getLogger(__name__)


def run_call(call: Call | Payload) -> Any:
    """Call the function, or hand the bytes to their runner; handles become what they stand for."""
    if isinstance(call, Payload):
        module, _, name = call.runner.partition(":")
        return getattr(importlib.import_module(module), name)(call.data)
    if any_shared():
        return call.function(*resolved(call.args), **resolved(dict(call.kwargs)))
    return call.function(*call.args, **call.kwargs)


def tell(report: Report, news: Sequence[News]) -> None:
    """Report, and outlive a report that breaks its promise not to raise."""
    try:
        report(news)
    except Exception:  # whoever reports serves other tasks too
        _log.exception("a report of %d news raised; they are lost to whoever took it", len(news))


def warn_if_running(
    site: Site, label: str, task: TaskRequest, began: float | None, now: float
) -> None:
    """Say, where somebody listens, that an attempt goes on though nobody wants it any more."""
    if began is None:
        return
    _log.warning("%s could not be stopped, and goes on in executor %r", task.described, label)
    if site.emit is not None:
        facts = {
            "name": task.described,
            "attempt": task.attempt,
            "executor": label,
            "after": max(0.0, now - began),
        }
        site.emit([Event(now, "task.unstopped", facts)])


def refusal(task: TaskRequest, label: str, because: str) -> Outcome | None:
    """Why this task cannot run on a pool that shares its processes among tasks, if so.

    ``because`` says what the pool lacks.
    """
    asked = "env" if task.env else "memory_limit" if task.memory_limit else None
    if asked is None:
        return None
    error = ConfigError(
        f"{task.described} asks for {asked}=, which executor {label!r} cannot give it, because "
        f"{because}. Use a HighThroughputExecutor for it, whose workers run one task at a time in "
        "processes of their own."
    )
    return Outcome(
        task.attempt, failure=Failure(cause=Cause.APPLICATION, error=error, started=HasStarted.NO)
    )


def raised(attempt: AttemptId, error: BaseException, began: float, ended: float) -> Outcome:
    """An attempt whose own code raised."""
    failure = Failure(
        cause=Cause.APPLICATION, error=error, started=HasStarted.YES, began=began, ended=ended
    )
    return Outcome(attempt, None, failure, began, ended)


def failed(attempt: AttemptId, error: TaskError, because: BaseException | None) -> Outcome:
    """An attempt that failed outside its own code, for a reason that another exception tells."""
    error.__cause__ = because
    failure = Failure(cause=error.cause, error=error, started=error.started)
    return Outcome(attempt, failure=failure)


def cancelled(task: TaskRequest, began: float | None, now: float) -> Outcome:
    """A cancelled attempt; one that had begun goes on with nobody listening."""
    return _dropped(task, Cause.CANCELLED, TaskError, f"{task.described} was cancelled", began, now)


def closed(task: TaskRequest, label: str, began: float | None, now: float) -> Outcome:
    """An attempt that was left when its executor was closed."""
    said = f"executor {label!r} was closed before {task.described} had ended"
    return _dropped(task, Cause.CLOSED, ClosedError, said, began, now)


def expired(task: TaskRequest, began: float | None, now: float) -> Outcome:
    """An attempt that has used up its walltime and cannot be stopped."""
    error = TaskWalltime(
        f"{task.described} has run for longer than its walltime of {task.walltime:g} s. It could "
        "not be stopped and goes on; a HighThroughputExecutor can stop its tasks.",
        stopped=False,
    )
    failure = Failure(
        cause=Cause.TASK_WALLTIME,
        error=error,
        started=HasStarted.YES,
        began=began,
        ended=now,
        stopped=False,
    )
    return Outcome(task.attempt, failure=failure, began=began, ended=now)


def _dropped(
    task: TaskRequest,
    cause: Cause,
    kind: type[TaskError],
    said: str,
    began: float | None,
    now: float,
) -> Outcome:
    running = began is not None
    started = HasStarted.YES if running else HasStarted.NO
    error = kind(f"{said}; it goes on with nobody listening" if running else said, started)
    error.cause = cause
    failure = Failure(
        cause=cause, error=error, started=started, began=began, ended=now, stopped=not running
    )
    return Outcome(task.attempt, failure=failure, began=began, ended=now)
