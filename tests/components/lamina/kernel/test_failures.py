from concurrent.futures import CancelledError, Future
from typing import Any

from lamina.kernel import KernelFuture
from lamina.kernel.failures import (
    add_note_once,
    dependency_error,
    error_of,
    first_failed,
    join_error,
    true_cause,
)
from lamina.vocabulary import Cause, Failure, HasStarted, StagingFailed, TaskWalltime


def failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def test_an_exception_gets_our_note_once() -> None:
    error = ValueError("boom")
    error.add_note("the user's")
    add_note_once(error, "first")
    add_note_once(error, "second")
    assert error.__notes__ == ["the user's", "Lamina: first"]


def test_an_exception_that_says_nothing_of_its_notes_gets_none() -> None:
    class Shy(Exception):
        @property
        def __notes__(self) -> list[str]:
            raise ZeroDivisionError

    add_note_once(Shy(), "first")


def test_the_root_is_handed_down_and_the_chain_is_bounded() -> None:
    root = ValueError("boom")
    error = dependency_error("t0", failed(root), root)
    assert error.chain == ()
    for number in range(100):
        error = dependency_error(f"t{number}", failed(error), error)
    assert error.root == "a future of another library"
    assert error.__cause__ is root
    assert len(error.chain) == 8


def test_the_root_is_found_through_joins_and_dependents_alike() -> None:
    root = ValueError("boom")
    dependent = dependency_error("dependent", failed(root), root)
    join = join_error("join", [failed(dependent)])
    assert join is not None
    assert (join.root, join.__cause__) == (dependent.root, root)
    outer = dependency_error("outer", failed(join), join)
    assert (outer.root, outer.__cause__) == (dependent.root, root)
    assert len(outer.chain) == 2
    joined_again = join_error("again", [failed(outer)])
    assert joined_again is not None
    assert joined_again.__cause__ is root
    assert "by way of" in str(joined_again)


def test_a_cancelled_future_has_failed() -> None:
    future: KernelFuture[int] = KernelFuture()
    future.cancel()
    assert isinstance(error_of(future), CancelledError)
    assert first_failed([future]) is not None


def test_a_join_fails_with_the_first_of_its_failures() -> None:
    good: Future[Any] = Future()
    good.set_result(1)
    assert join_error("t", [good]) is None
    assert first_failed([good]) is None
    root = ValueError("boom")
    error = join_error("t", [good, failed(root), failed(KeyError())])
    assert error is not None
    assert (error.failed, error.joined, error.__cause__) == (2, 3, root)


def test_staging_that_failed_within_the_call_is_no_fault_of_the_function() -> None:
    error = StagingFailed("no", HasStarted.NO)
    failure = Failure(cause=Cause.APPLICATION, error=error, started=HasStarted.YES)
    found = true_cause(failure)
    assert (found.cause, found.started) == (Cause.STAGING, HasStarted.NO)
    other = Failure(cause=Cause.APPLICATION, error=ValueError())
    assert true_cause(other) is other


def test_code_that_ended_itself_at_its_walltime_has_that_cause() -> None:
    failure = Failure(cause=Cause.APPLICATION, error=TaskWalltime("too long"))
    assert true_cause(failure).cause is Cause.TASK_WALLTIME
