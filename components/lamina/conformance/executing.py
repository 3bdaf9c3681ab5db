"""The kit of Executor. Its tasks are importable functions, so it serves executors of any kind."""

import copy
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lamina.conformance.clauses import Kit, clause, expect
from lamina.executors import (
    AlreadyStartedError,
    Call,
    Executor,
    News,
    NotStartedError,
    Outcome,
    Site,
    TaskRequest,
)
from lamina.vocabulary import AttemptId, Cause, HasStarted

__all__ = ["EXECUTOR"]

_PATIENCE = 30.0  # seconds; a loaded machine may take some for the first worker
_LONGEST = 10.0  # seconds that a task waits for its file, should nobody stop it


def _double(number: int) -> int:
    return 2 * number


def _fail(text: str) -> None:
    raise KeyError(text)


def _leave() -> None:
    raise SystemExit(3)


def _wait_for(path: str) -> str:
    end = time.monotonic() + _LONGEST
    while not Path(path).exists() and time.monotonic() < end:
        time.sleep(0.01)
    return "waited"


class _Ledger:
    """Takes the news of an executor, and waits until there is enough of it."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def report(self, news: Sequence[News]) -> None:
        with self._changed:
            self.outcomes += [one for one in news if isinstance(one, Outcome)]
            self._changed.notify_all()

    def wait(self, count: int) -> dict[AttemptId, Outcome]:
        with self._changed:
            self._changed.wait_for(lambda: len(self.outcomes) >= count, _PATIENCE)
        return self.once(count)

    def once(self, count: int) -> dict[AttemptId, Outcome]:
        counts = Counter(outcome.attempt for outcome in self.outcomes)
        expect(len(counts) == count, else_say=f"outcomes for {len(counts)} of {count} attempts")
        expect(max(counts.values(), default=1) == 1, else_say="two outcomes for one attempt")
        return {outcome.attempt: outcome for outcome in self.outcomes}


def _request(number: int, function: Callable[..., Any], *args: Any) -> TaskRequest:
    return TaskRequest(AttemptId(number), Call(function, args), name=f"task {number}")


@contextmanager
def _running(executor: Executor) -> Iterator[tuple[_Ledger, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        executor.start(Site(run_dir=Path(folder)))
        try:
            yield _Ledger(), Path(folder)
        finally:
            (Path(folder) / "go").touch()
            executor.close()


def _expect_not_started(executor: Executor) -> None:
    try:
        executor.launch([_request(1, _double, 1)], _Ledger().report)
    except NotStartedError:
        return
    expect(False, else_say="launch took a task without raising NotStartedError")


@clause("executor.launch.value")
def _value(executor: Executor) -> None:
    """Each attempt of a batch is answered with its own value, exactly once."""
    with _running(executor) as (ledger, _):
        executor.launch([_request(n, _double, n) for n in range(50)], ledger.report)
        for attempt, outcome in ledger.wait(50).items():
            expect(outcome.failure is None, else_say=f"the failure {outcome.failure!r}")
            expect(outcome.value == 2 * attempt, else_say=f"{outcome.value!r} for {attempt}")
    ledger.once(50)


@clause("executor.launch.exception")
def _exception(executor: Executor) -> None:
    """An exception of the user's function comes back as itself, as an application error."""
    with _running(executor) as (ledger, _):
        executor.launch([_request(7, _fail, "here")], ledger.report)
        failure = ledger.wait(1)[AttemptId(7)].failure
        expect(failure is not None, else_say="no failure")
        if failure is not None:
            expect(failure.cause is Cause.APPLICATION, else_say=str(failure.cause))
            expect(failure.error.args == ("here",), else_say=repr(failure.error))
            expect(isinstance(failure.error, KeyError), else_say=repr(failure.error))
            expect(failure.started is not HasStarted.NO, else_say="it says it had not started")


@clause("executor.launch.system_exit")
def _system_exit(executor: Executor) -> None:
    """SystemExit in a task ends that task, and the executor goes on."""
    with _running(executor) as (ledger, _):
        executor.launch([_request(1, _leave)], ledger.report)
        expect(ledger.wait(1)[AttemptId(1)].failure is not None, else_say="no failure")
        executor.launch([_request(2, _double, 4)], ledger.report)
        expect(ledger.wait(2)[AttemptId(2)].value == 8, else_say="the next task failed")


@clause("executor.launch.not_started")
def _not_started(executor: Executor) -> None:
    """Before start and after close, launch raises NotStartedError and takes nothing."""
    _expect_not_started(executor)
    with _running(executor):
        pass
    _expect_not_started(executor)


@clause("executor.start.twice")
def _twice(executor: Executor) -> None:
    """A second start raises AlreadyStartedError and leaves the first one running."""
    with _running(executor) as (ledger, folder):
        raised = False
        try:
            executor.start(Site(run_dir=folder))
        except AlreadyStartedError:
            raised = True
        expect(raised, else_say="it started twice")
        executor.launch([_request(1, _double, 1)], ledger.report)
        ledger.wait(1)


@clause("executor.copy")
def _copy(executor: Executor) -> None:
    """A copy can run beside the executor that it was made from."""
    other = copy.copy(executor)
    with _running(executor) as (one, _), _running(other) as (two, _):
        executor.launch([_request(1, _double, 1)], one.report)
        other.launch([_request(1, _double, 2)], two.report)
        expect(one.wait(1)[AttemptId(1)].value == 2, else_say="the first one failed")
        expect(two.wait(1)[AttemptId(1)].value == 4, else_say="the copy failed")


@clause("executor.restart")
def _restart(executor: Executor) -> None:
    """After close it may be started again."""
    with _running(executor):
        pass
    with _running(executor) as (ledger, _):
        executor.launch([_request(1, _double, 1)], ledger.report)
        expect(ledger.wait(1)[AttemptId(1)].value == 2, else_say="a failure")


@clause("executor.close.resolves")
def _close(executor: Executor) -> None:
    """Before close returns, every attempt left has its outcome; a second close does nothing."""
    with _running(executor) as (ledger, folder):
        waiting = str(folder / "go")
        executor.launch([_request(n, _wait_for, waiting) for n in range(20)], ledger.report)
        executor.close(timeout=1.0)
        ledger.once(20)
        executor.close(timeout=1.0)
    ledger.once(20)


@clause("executor.cancel")
def _cancel(executor: Executor) -> None:
    """Cancelled attempts end with the cause CANCELLED, or with their result if that was first."""
    with _running(executor) as (ledger, folder):
        waiting = str(folder / "go")
        executor.launch([_request(n, _wait_for, waiting) for n in range(20)], ledger.report)
        executor.cancel([AttemptId(n) for n in range(20)])
        causes = set()
        for outcome in ledger.wait(20).values():
            causes.add(outcome.failure.cause if outcome.failure else None)
        expect(causes <= {Cause.CANCELLED, None}, else_say=f"the causes {causes}")
        expect(Cause.CANCELLED in causes, else_say="not one of 20 was cancelled")
    ledger.once(20)


@clause("executor.cancel.stranger")
def _stranger(executor: Executor) -> None:
    """Cancelling what it does not know does nothing."""
    with _running(executor) as (ledger, _):
        executor.cancel([AttemptId(99)])
        executor.launch([_request(1, _double, 1)], ledger.report)
        expect(ledger.wait(1)[AttemptId(1)].value == 2, else_say="a failure")


@clause("executor.load")
def _load(executor: Executor) -> None:
    """Its load counts what it holds."""
    with _running(executor) as (ledger, folder):
        waiting = str(folder / "go")
        executor.launch([_request(n, _wait_for, waiting) for n in range(5)], ledger.report)
        held = executor.load().outstanding
        expect(held == 5, else_say=f"{held} outstanding of 5")
        (folder / "go").touch()
        ledger.wait(5)


EXECUTOR = Kit(
    "executor",
    "Executor",
    1,
    (
        _value,
        _exception,
        _system_exit,
        _not_started,
        _twice,
        _copy,
        _restart,
        _close,
        _cancel,
        _stranger,
        _load,
    ),
)
