from concurrent.futures import Future
from typing import Any

from lamina.kernel import KernelFuture
from lamina.kernel.engine import settle
from lamina.kernel.phases import Resolve
from lamina.vocabulary import TaskId, TaskState


def end(state: TaskState, value: Any = None, error: BaseException | None = None) -> Resolve:
    return Resolve([TaskId(0)], state, value, error)


def test_a_future_gets_the_end_of_its_task() -> None:
    good: Future[int] = Future()
    settle(good, end(TaskState.EXEC_DONE, 1))
    assert good.result(0) == 1
    bad: Future[int] = Future()
    settle(bad, end(TaskState.FAILED, error=ValueError()))
    assert isinstance(bad.exception(0), ValueError)
    stopped: KernelFuture[int] = KernelFuture()
    settle(stopped, end(TaskState.CANCELLED))
    assert stopped.cancelled()


def test_what_comes_for_a_cancelled_future_is_dropped() -> None:
    future: KernelFuture[int] = KernelFuture()
    future.cancel()
    settle(future, end(TaskState.EXEC_DONE, 1))
    assert future.cancelled()
