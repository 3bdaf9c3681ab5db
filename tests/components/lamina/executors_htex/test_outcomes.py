from typing import Any

import pytest

from lamina.codec import PickleCodec, dump_error
from lamina.executors_htex.outcomes import outcome_of, outcomes_of_ended
from lamina.htex_core import RAISED, UNDONE, UNSENT, VALUE, Ended, ManagerInfo
from lamina.vocabulary import (
    BlockEnded,
    Cause,
    ClosedError,
    ExecutorLost,
    HasStarted,
    NodeLost,
    ResourcesUnavailable,
    SerializationError,
    TaskOutOfMemory,
    TaskWalltime,
    WorkerLost,
)

CODEC = PickleCodec()
MANAGER = ManagerInfo("uid", "0", "node1", "boot", 1, 2, "3.11", "htex-1")


def _buffers(value: object) -> list[bytes]:
    return [bytes(buffer) for buffer in CODEC.dump(value)]


def _failure(code: int, buffers: list[bytes], facts: dict[str, Any] | None = None) -> Any:
    outcome = outcome_of([7, code, buffers, 1.0, 2.0, facts], MANAGER, CODEC)
    assert outcome.attempt == 7
    assert outcome.failure is not None
    return outcome.failure


def test_a_value_is_decoded_and_dated() -> None:
    outcome = outcome_of([7, VALUE, _buffers([1, 2]), 1.0, 2.0, None], MANAGER, CODEC)
    assert (outcome.attempt, outcome.value, outcome.failure) == (7, [1, 2], None)
    assert (outcome.began, outcome.ended, outcome.node) == (1.0, 2.0, "node1")


def test_a_value_that_cannot_be_read_here_is_a_typed_failure() -> None:
    failure = _failure(VALUE, [b"nonsense"])
    assert failure.cause is Cause.SERIALIZATION
    assert isinstance(failure.error, SerializationError)
    assert failure.started is HasStarted.YES


def test_what_the_task_raised_is_its_own_error() -> None:
    failure = _failure(RAISED, [dump_error(KeyError("x"), CODEC.dump)])
    assert failure.cause is Cause.APPLICATION
    assert isinstance(failure.error, KeyError)
    assert (failure.node, failure.block) == ("node1", "0")


def test_what_could_not_be_sent_is_a_serialization_failure() -> None:
    failure = _failure(UNSENT, [dump_error(SerializationError("no"), CODEC.dump)])
    assert failure.cause is Cause.SERIALIZATION


@pytest.mark.parametrize(
    "cause, kind",
    [
        ("worker_lost", WorkerLost),
        ("task_walltime", TaskWalltime),
        ("out_of_memory", TaskOutOfMemory),
        ("block_ended", BlockEnded),
        ("node_lost", NodeLost),
        ("resources", ResourcesUnavailable),
        ("closed", ClosedError),
        ("executor_lost", ExecutorLost),
    ],
)
def test_each_end_by_the_machinery_has_a_class_of_its_own(cause: str, kind: type) -> None:
    facts = {"cause": cause, "reason": "why", "started": "unknown", "worker": "3"}
    failure = _failure(UNDONE, [], facts)
    assert failure.cause is Cause(cause)
    assert type(failure.error) is kind
    assert failure.started is HasStarted.UNKNOWN
    assert failure.worker == "3"


def test_attempts_that_ended_together_have_an_outcome_each() -> None:
    outcomes = outcomes_of_ended(Ended([1, 2], "node_lost", "gone", "no", MANAGER))
    assert [outcome.attempt for outcome in outcomes] == [1, 2]
    for outcome in outcomes:
        assert outcome.failure is not None
        assert isinstance(outcome.failure.error, NodeLost)
        assert outcome.failure.started is HasStarted.NO
        assert outcome.failure.node == "node1"


def test_a_cancelled_attempt_says_so() -> None:
    (outcome,) = outcomes_of_ended(Ended([1], "cancelled", "asked for", "no"))
    assert outcome.failure is not None
    assert outcome.failure.cause is Cause.CANCELLED


def test_what_used_too_much_memory_says_how_much_in_numbers() -> None:
    facts = {
        "cause": "out_of_memory", "reason": "why", "started": "yes",
        "peak": 700, "limit": 500, "measured": "watchdog",
    }  # fmt: skip
    failure = _failure(UNDONE, [], facts)
    error = failure.error
    assert isinstance(error, TaskOutOfMemory)
    assert (error.peak, error.limit, error.measured) == (700, 500, "watchdog")
    assert failure.peak_memory == 700
