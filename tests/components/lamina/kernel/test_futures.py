import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, InvalidStateError, wait

import pytest

from lamina.kernel import KernelFuture
from lamina.vocabulary import TaskId

WAIT = 20.0  # seconds


class Owner:
    def __init__(self) -> None:
        self.cancelled: list[TaskId] = []
        self.later: list[Callable[[], None]] = []

    def on_cancelled(self, task: TaskId) -> None:
        self.cancelled.append(task)

    def is_running(self, task: TaskId) -> bool:
        return task == 3

    def call_later(self, job: Callable[[], None]) -> None:
        self.later.append(job)


def test_callbacks_are_left_to_the_owner_and_only_where_there_are_any() -> None:
    owner = Owner()
    seen: list[object] = []
    future: KernelFuture[int] = KernelFuture()
    future.bind(owner, TaskId(3), "f")
    future.add_done_callback(seen.append)
    future.set_result(1)
    assert seen == []
    owner.later[0]()
    assert seen == [future]
    plain: KernelFuture[int] = KernelFuture()
    plain.bind(owner, TaskId(4), "f")
    plain.set_result(1)
    assert len(owner.later) == 1
    assert plain.described == "f (task 4)"
    assert plain.belongs_to(owner)


def test_what_is_ours_hears_of_the_end_before_users_do_and_from_whoever_resolves_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner, heard = Owner(), []
    future: KernelFuture[int] = KernelFuture()
    future.bind(owner, TaskId(3), "f")
    future.add_done_callback(lambda _: heard.append("user's"))
    future.when_done(lambda _: 1 / 0)
    future.when_done(lambda _: heard.append(threading.current_thread()))
    thread = threading.Thread(target=future.set_result, args=(1,))
    thread.start()
    thread.join(WAIT)
    assert heard == [thread]
    assert "could not be told" in caplog.text
    future.when_done(lambda _: heard.append("late"))
    owner.later[0]()
    assert heard == [thread, "late", "user's"]


def test_it_runs_when_its_owner_says_so_and_until_it_is_done() -> None:
    future: KernelFuture[int] = KernelFuture()
    assert not future.running()
    future.bind(Owner(), TaskId(3), "f")
    assert future.running()
    future.set_result(1)
    assert not future.running()


def test_without_an_owner_callbacks_run_at_once() -> None:
    seen: list[object] = []
    future: KernelFuture[int] = KernelFuture()
    future.add_done_callback(seen.append)
    assert future.cancel()
    assert seen == [future]
    assert future.described == "a future"


def test_cancelling_tells_the_owner_once_and_wakes_who_waits() -> None:
    owner = Owner()
    future: KernelFuture[int] = KernelFuture()
    future.bind(owner, TaskId(3), "f")
    assert future.cancel()
    assert future.cancel()
    assert owner.cancelled == [3]
    assert wait([future], 0, FIRST_COMPLETED).done == {future}
    with pytest.raises(CancelledError):
        future.result()


def test_a_future_with_a_result_cannot_be_cancelled() -> None:
    future: KernelFuture[int] = KernelFuture()
    future.set_result(1)
    assert not future.cancel()


def test_one_that_ends_before_anybody_waits_has_its_end_all_the_same() -> None:
    done: KernelFuture[int] = KernelFuture()
    done.set_result(5)
    assert done.done()
    assert not done.cancelled()
    assert done.result(0) == 5
    assert done.exception(0) is None
    assert wait([done], 0).done == {done}
    with pytest.raises(InvalidStateError):
        done.set_result(6)
    assert not done.cancel()

    failed: KernelFuture[int] = KernelFuture()
    failed.set_exception(KeyError("x"))
    with pytest.raises(KeyError):
        failed.result(0)
    assert isinstance(failed.exception(0), KeyError)
    with pytest.raises(InvalidStateError):
        failed.set_exception(KeyError("y"))


def test_many_threads_that_wait_while_others_resolve_all_see_the_end() -> None:
    futures: list[KernelFuture[int]] = [KernelFuture() for _ in range(2000)]
    start = threading.Barrier(3)
    seen: list[list[int]] = []

    def look() -> None:
        start.wait(WAIT)
        seen.append([future.result(WAIT) for future in futures])

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    start.wait(WAIT)
    for number, future in enumerate(futures):
        future.set_result(number)
    for reader in readers:
        reader.join(WAIT)
    assert seen == [list(range(2000))] * 2
