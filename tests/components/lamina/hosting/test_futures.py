from concurrent.futures import CancelledError, wait

import pytest

from lamina.hosting import TaskFuture
from lamina.vocabulary import AttemptId


def future(*, dropped: bool) -> TaskFuture[int]:
    return TaskFuture(AttemptId(7), lambda task: dropped)


def test_one_that_is_cancelled_wakes_those_who_wait_and_stays_so() -> None:
    dropped: list[int] = []

    def drop(task: AttemptId) -> bool:
        dropped.append(task)
        return len(dropped) == 1

    one: TaskFuture[int] = TaskFuture(AttemptId(7), drop)
    assert one.cancel()
    assert one.cancel()
    assert wait([one], 5.0).done == {one}
    with pytest.raises(CancelledError):
        one.result(0)
    assert dropped == [7, 7]


def test_one_that_has_ended_cannot_be_cancelled() -> None:
    one = future(dropped=False)
    one.set_result(3)
    assert not one.cancel()
    assert one.result(0) == 3


def test_it_runs_from_the_start_mark_to_its_end() -> None:
    one = future(dropped=False)
    assert not one.running()
    one.begun = True
    assert one.running()
    one.set_result(3)
    assert not one.running()


def test_one_that_runs_can_be_cancelled() -> None:
    one = future(dropped=True)
    one.begun = True
    assert one.cancel()
    assert one.cancelled()
    assert not one.running()
