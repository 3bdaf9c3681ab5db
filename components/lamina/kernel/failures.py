"""What is said about a failure: which task, which attempt, where, and what failed first."""

import contextlib
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import attrs

from lamina.kernel.futures import KernelFuture
from lamina.vocabulary import (
    Cause,
    DependencyError,
    Failure,
    JoinError,
    StagingFailed,
    TaskWalltime,
    add_note,
)

__all__ = [
    "add_note_once",
    "dependency_error",
    "error_of",
    "first_failed",
    "join_error",
    "true_cause",
]

_CHAIN = 8  # names; a chain of 100,000 tasks that all fail must not cost their number squared
_MARK = "Lamina: "


def add_note_once(error: BaseException, note: str) -> None:
    """Add our note, unless the exception has one of ours from the task where it was raised."""
    with contextlib.suppress(Exception):  # whatever its class makes of its attributes
        old = getattr(error, "__notes__", ())
        if not any(isinstance(one, str) and one.startswith(_MARK) for one in old):
            add_note(error, _MARK + note)


def error_of(future: Future[Any]) -> BaseException | None:
    """What a future that is done failed with."""
    if future.cancelled():
        return CancelledError(f"{_name(future)} was cancelled")
    return future.exception(timeout=0)


def first_failed(futures: Iterable[Future[Any]]) -> tuple[Future[Any], BaseException] | None:
    """The first future that failed, with its error."""
    for future in futures:
        error = error_of(future)
        if error is not None:
            return future, error
    return None


def true_cause(failure: Failure) -> Failure:
    """A failure as its cause calls it, where code of ours fails within the task's own call.

    So staging does on the worker, and a bash app that ends itself at its walltime.
    """
    error = failure.error
    if failure.cause is Cause.APPLICATION and isinstance(error, StagingFailed | TaskWalltime):
        return attrs.evolve(failure, cause=error.cause, started=error.started)
    return failure


def dependency_error(task: str, future: Future[Any], error: BaseException) -> DependencyError:
    """What becomes of a task that depends on a failed future."""
    root, chain, because = _first_failure(future, error)
    mine = DependencyError(task, root, chain)
    mine.__cause__ = because
    return mine


def join_error(task: str, futures: Sequence[Future[Any]]) -> JoinError | None:
    """What becomes of a join, if one of the futures that it returned failed."""
    failed = [(future, error) for future in futures if (error := error_of(future)) is not None]
    if not failed:
        return None
    root, chain, because = _first_failure(*failed[0])
    mine = JoinError(task, root, len(failed), len(futures), chain)
    mine.__cause__ = because
    return mine


def _first_failure(
    future: Future[Any], error: BaseException
) -> tuple[str, tuple[str, ...], BaseException | None]:
    """Which task failed first, which tasks lie between, nearest first, and what it raised."""
    if isinstance(error, DependencyError | JoinError):
        return error.root, (_name(future), *error.chain)[:_CHAIN], error.__cause__
    return _name(future), (), error


def _name(future: Future[Any]) -> str:
    return future.described if isinstance(future, KernelFuture) else "a future of another library"
