import gc
from typing import Any

import pytest

from lamina.executors import Call, Payload, TaskRequest
from lamina.executors_htex.repeats import LARGE, REMEMBERED, TIMES, Repeats
from lamina.vocabulary import AttemptId


class Array:
    """As arrays are: it says how large it is, and can be referred to weakly."""

    def __init__(self, nbytes: int = LARGE) -> None:
        self.nbytes = nbytes


def give(repeats: Repeats, *args: Any, size: int = LARGE, **kwargs: Any) -> None:
    repeats.look(TaskRequest(AttemptId(1), Call(len, args, kwargs), "fit"), [10, size])


@pytest.mark.parametrize(
    "value",
    [bytes(LARGE), bytearray(LARGE), "x" * LARGE, [0] * LARGE, {1: bytes(LARGE)}, Array()],
    ids=lambda value: type(value).__name__,
)
def test_a_large_argument_that_is_given_again_and_again_is_told_of_once(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    repeats = Repeats()
    for number in range(TIMES - 1):
        give(repeats, number, value)
    assert caplog.messages == []
    for number in range(2 * TIMES):
        give(repeats, number, named=value)
    (said,) = caplog.messages
    assert said.startswith(f"fit is given the same {type(value).__name__} of 1.0 MB")
    assert "share(it)" in said


def test_nothing_is_said_of_others(caplog: pytest.LogCaptureFixture) -> None:
    repeats, small = Repeats(), Array(1000)
    for number in range(2 * TIMES):
        give(repeats, small, bytes([number]) * LARGE)  # another one each time
        give(repeats, Array())
        gc.collect()
        give(repeats, small, size=1000)
        give(repeats, [1], [2], size=2 * LARGE)  # nobody can tell which of them it is
        repeats.look(TaskRequest(AttemptId(1), Payload("m:n", bytes(LARGE))), [LARGE])
    assert caplog.messages == []


def test_only_so_many_are_remembered(caplog: pytest.LogCaptureFixture) -> None:
    repeats, first = Repeats(), Array()
    others = [Array() for _ in range(REMEMBERED)]
    for _ in range(2 * TIMES):
        for one in (first, *others):
            give(repeats, one)
    assert caplog.messages == []
