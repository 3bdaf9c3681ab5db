import pickle
import signal

import pytest

from lamina.vocabulary import (
    BlockEnded,
    Cause,
    ClosedError,
    DependencyError,
    ExecutorLost,
    HasStarted,
    JoinError,
    NodeLost,
    ResourcesUnavailable,
    SerializationError,
    StagingFailed,
    TaskError,
    TaskOutOfMemory,
    TaskWalltime,
    WorkerLost,
    exit_in_words,
)

PLAIN = [
    (SerializationError, Cause.SERIALIZATION),
    (WorkerLost, Cause.WORKER_LOST),
    (TaskOutOfMemory, Cause.OUT_OF_MEMORY),
    (TaskWalltime, Cause.TASK_WALLTIME),
    (BlockEnded, Cause.BLOCK_ENDED),
    (NodeLost, Cause.NODE_LOST),
    (ResourcesUnavailable, Cause.RESOURCES),
    (StagingFailed, Cause.STAGING),
    (ExecutorLost, Cause.EXECUTOR_LOST),
    (ClosedError, Cause.CLOSED),
]
ERRORS = [
    *(kind("why", HasStarted.NO) for kind, _ in PLAIN),
    TaskWalltime("why", HasStarted.YES, False),
    TaskOutOfMemory("why", HasStarted.YES, 7, 5, "watchdog"),
    DependencyError("a", "b", ["c"]),
    JoinError("a", "b", 1, 2),
]


@pytest.mark.parametrize("kind, cause", PLAIN)
def test_each_class_carries_its_cause(kind: type[TaskError], cause: Cause) -> None:
    assert kind("why").cause is cause
    assert str(kind("why")) == "why"


@pytest.mark.parametrize("error", ERRORS)
def test_each_error_survives_pickle_with_its_facts(error: TaskError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_a_dependency_error_names_who_failed_first_and_the_way() -> None:
    error = DependencyError("sum", "read", ("parse",))
    assert str(error) == "sum did not run, because read failed (by way of parse)"
    assert error.started is HasStarted.NO


def test_a_join_error_counts_what_failed() -> None:
    assert "3 futures, of which 2 failed; the first was b" in str(JoinError("a", "b", 2, 3))


def test_only_the_machinery_is_infrastructure() -> None:
    assert Cause.NODE_LOST.is_infrastructure
    assert not Cause.APPLICATION.is_infrastructure
    assert not Cause.CANCELLED.is_infrastructure


def test_an_exit_is_told_in_words() -> None:
    assert exit_in_words(3) == "exit status 3"
    assert exit_in_words(-signal.SIGKILL) == "killed by SIGKILL"
    assert exit_in_words(-1000) == "killed by signal 1000"


def test_a_failed_transfer_names_the_file_and_says_whether_again_may_help() -> None:
    error = StagingFailed("no", HasStarted.NO, "http://h/x", 3, 10, 404, again=False)
    assert str(error) == (
        "http://h/x was not staged: no (attempt 3, 10 bytes moved, status 404; again will not help)"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.url, copy.attempt, copy.moved, copy.status, copy.again) == error.args[2:]
    assert str(StagingFailed("no")) == "no"
