import gc
import itertools
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from lamina.apps import join_app, python_app
from lamina.kernel import DataFlowKernel
from lamina.vocabulary import NoDataFlowKernelError, TaskState, UsageError, WaitInsideTaskError

PATIENCE = 10.0


@python_app
def inc(x: int) -> int:
    return x + 1


@python_app
def add(x: int, y: int = 0) -> int:
    return x + y


@python_app
def wait_for(gate: threading.Event) -> threading.Event:
    assert gate.wait(PATIENCE)
    return gate


class Counted:
    """Counts what is taken out of it."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for self.taken in itertools.count(1):
            yield self.taken


def test_results_come_in_the_order_of_the_items(kernel: DataFlowKernel) -> None:
    assert list(inc.map(range(100), window=7)) == list(range(1, 101))
    assert list(inc.map([])) == []


def test_several_iterables_are_several_arguments(kernel: DataFlowKernel) -> None:
    assert list(add.map([1, 2, 3], itertools.count(10))) == [11, 13, 15]


def test_results_come_as_completed_where_order_is_not_wanted(kernel: DataFlowKernel) -> None:
    gates = [threading.Event() for _ in range(3)]
    results = wait_for.map(gates, ordered=False)
    gates[1].set()
    assert next(results) is gates[1]
    gates[2].set()
    assert next(results) is gates[2]
    gates[0].set()
    assert list(results) == [gates[0]]
    assert sorted(inc.map(range(100), window=7, ordered=False)) == list(range(1, 101))


@pytest.mark.parametrize("ordered", [True, False])
def test_an_endless_iterable_is_taken_no_further_than_the_window(
    kernel: DataFlowKernel, ordered: bool
) -> None:
    items = Counted()
    results = inc.map(items, window=5, ordered=ordered)
    assert items.taken == 0
    for asked in range(1, 50):
        next(results)
        assert items.taken == asked + 4
    results.close()


@pytest.mark.parametrize("ordered", [True, False])
def test_a_result_that_was_taken_is_not_kept(kernel: DataFlowKernel, ordered: bool) -> None:
    class Result:
        pass

    @python_app
    def make(number: int) -> Any:
        return Result()

    results = make.map(range(10), window=2, ordered=ordered)
    seen = [weakref.ref(next(results)) for _ in range(5)]
    for _ in range(100):
        gc.collect()
        if sum(ref() is not None for ref in seen) <= 1:
            break
        threading.Event().wait(PATIENCE / 100)
    assert sum(ref() is not None for ref in seen) <= 1
    results.close()


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_comes_in_its_place_and_the_rest_is_cancelled(
    kernel: DataFlowKernel, ordered: bool
) -> None:
    started: list[int] = []
    gate, failing = threading.Event(), threading.Event()

    @python_app
    def part(number: int) -> int:
        started.append(number)
        if number == 2:
            assert failing.wait(PATIENCE)
            raise ZeroDivisionError
        if number > 2:
            assert gate.wait(PATIENCE)
        return number

    results = part.map(range(100), window=50, ordered=ordered)
    assert sorted([next(results), next(results)]) == [0, 1]
    failing.set()
    with pytest.raises(ZeroDivisionError):
        next(results)
    gate.set()
    assert next(results, None) is None
    kernel.wait_for_current_tasks(PATIENCE)
    assert len(started) < 10


def test_what_goes_wrong_with_a_call_comes_after_the_results_before_it(
    kernel: DataFlowKernel,
) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise LookupError

    results = inc.map(items())
    assert [next(results) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(LookupError):
        next(results)

    bad = add.map(["a"], ["b"], ["c"])
    with pytest.raises(TypeError):
        next(bad)


@pytest.mark.parametrize("window", [0, -1, 2.5, True, None])
def test_a_window_that_cannot_work_is_refused_at_once(window: Any) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        inc.map([1], window=window)


def test_without_a_kernel_the_first_result_says_so() -> None:
    results = inc.map([1])
    with pytest.raises(NoDataFlowKernelError):
        next(results)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_task_does_not_wait_for_the_results_of_others(
    kernel: DataFlowKernel, ordered: bool
) -> None:
    gate = threading.Event()

    @join_app
    def waits() -> Any:
        return next(wait_for.map([gate], ordered=ordered))

    future = waits()
    try:
        assert isinstance(future.exception(PATIENCE), WaitInsideTaskError)
        for _ in range(1000):
            if kernel.task_counts()[TaskState.CANCELLED]:
                break
            threading.Event().wait(PATIENCE / 1000)
        assert kernel.task_counts()[TaskState.CANCELLED] == 1
    finally:
        gate.set()
