import asyncio
import pickle
import threading
from concurrent.futures import CancelledError, Future, as_completed, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from lamina.apps import AppFuture, DataFuture, join_app, load, python_app
from lamina.apps.futures import DerivedFuture
from lamina.kernel import Config, DataFlowKernel
from lamina.vocabulary import File, TaskState, WaitInsideTaskError


@python_app
def table() -> dict[str, Any]:
    return {"a": [1, 2], "n": 1 + 2j}


@python_app
def inc(x: int) -> int:
    return x + 1


@python_app
def same(x: object) -> object:
    return x


@python_app
def fails() -> dict[str, int]:
    raise OSError("no")


def test_a_part_of_a_result_has_a_future(kernel: DataFlowKernel) -> None:
    assert table()["a"][1].result(10) == 2
    assert table()["n"].imag.result(10) == 2
    assert inc(table()["a"][0]).result(10) == 2


def test_nothing_is_submitted_for_a_part_before_somebody_cares(kernel: DataFlowKernel) -> None:
    future = table()
    future.result(10)
    assert hasattr(future, "anything")
    part = future["a"]
    assert "not submitted" in repr(part)
    assert part.tid is None
    assert part.result(10) == [1, 2]
    assert part.tid is not None
    assert "finished" in repr(part)


def test_names_of_futures_and_underscore_names_are_no_parts(kernel: DataFlowKernel) -> None:
    future = table()
    for name in ("_repr_html_", "__array__", "__len__"):
        assert not hasattr(future, name)
    with pytest.raises(TypeError):
        iter(future)  # type: ignore[call-overload]
    assert isinstance(future.keys, DerivedFuture)


@pytest.mark.parametrize("how", ["wait", "as_completed", "done", "callback"])
def test_whoever_cares_for_a_part_has_it_submitted(kernel: DataFlowKernel, how: str) -> None:
    part = table()["a"]
    if how == "wait":
        assert wait([part], 10).done
    elif how == "as_completed":
        assert list(as_completed([part], 10)) == [part]
    elif how == "callback":
        seen = threading.Event()
        part.add_done_callback(lambda _: seen.set())
        assert seen.wait(10)
    else:
        part.done()
        assert part.tid is not None
    assert part.result(10) == [1, 2]


def test_a_part_that_is_not_there_or_whose_whole_failed_has_an_exception(
    kernel: DataFlowKernel,
) -> None:
    assert isinstance(table()["zzz"].exception(10), KeyError)
    assert fails()["a"].exception(10) is not None


def test_a_join_waits_for_parts_of_which_nobody_else_has_asked(kernel: DataFlowKernel) -> None:
    gate = threading.Event()

    @python_app
    def held() -> complex:
        gate.wait(10)
        return 1 + 2j

    @join_app
    def parts() -> list[AppFuture[Any]]:
        future = held()
        return [future.imag, table()["a"][1], future]

    joined = parts()
    gate.set()
    assert joined.result(10) == [2, 2, 1 + 2j]


def test_a_task_waits_for_a_part_that_another_thread_is_about_to_submit(
    kernel: DataFlowKernel,
) -> None:
    bound, go = threading.Event(), threading.Event()

    class Slow(DerivedFuture):
        def bind(self, *args: Any) -> None:
            super().bind(*args)
            bound.set()
            go.wait(10)

    part = Slow(table(), dict.__getitem__, "a", "part")
    thread = threading.Thread(target=part.ensure_submitted)
    thread.start()
    assert bound.wait(10)
    task = same(part)
    go.set()
    assert task.result(10) == [1, 2]
    thread.join(10)


def test_a_part_is_had_after_the_end_of_the_kernel(tmp_path: Path) -> None:
    with load(Config(run_dir=tmp_path)):
        whole, broken = table(), fails()
        wait([whole, broken], 10)
    assert whole["a"][0].result(10) == 1
    assert isinstance(broken["a"].exception(10), OSError)


def test_a_part_may_be_cancelled_before_it_is_submitted(kernel: DataFlowKernel) -> None:
    part = table()["a"]
    assert part.cancel()
    with pytest.raises(CancelledError):
        part.result(10)
    assert part.tid is None


def test_futures_are_awaited(kernel: DataFlowKernel) -> None:
    async def program() -> tuple[int, Any]:
        return await inc(1), await table()["a"]

    assert asyncio.run(program()) == (2, [1, 2])


def test_a_future_that_travels_can_be_waited_for_by_nobody(kernel: DataFlowKernel) -> None:
    stub = pickle.loads(pickle.dumps(inc(1)))
    with pytest.raises(WaitInsideTaskError, match="inc"):
        stub.result()


def test_a_future_says_where_its_task_stands(kernel: DataFlowKernel) -> None:
    gate = threading.Event()

    @python_app
    def held() -> None:
        gate.wait(10)

    future, good, bad = held(), inc(1), fails()
    after = inc(bad)
    assert future.task_status() in ("pending", "launched", "running")
    wait([good, bad, after], 10)
    assert [f.task_status() for f in (good, bad, after)] == ["exec_done", "failed", "dep_fail"]
    assert future.cancel()
    assert future.task_status() == "cancelled"
    gate.set()
    assert AppFuture[int]().task_status() == "pending"


def test_a_future_says_when_its_result_was_found_and_not_computed(kernel: DataFlowKernel) -> None:
    cached = python_app(cache=True)(_held)
    first, merged = cached(1), cached(1)
    _gate.set()
    wait([first, merged], 10)
    found = cached(1)
    assert found.result(10) == 1
    states = [future.task_status() for future in (first, merged, found)]
    assert states == ["exec_done", "memo_done", "memo_done"]
    counts = kernel.task_counts()
    assert (counts[TaskState.EXEC_DONE], counts[TaskState.MEMO_DONE]) == (1, 2)


_gate = threading.Event()


def _held(x: int) -> int:
    assert _gate.wait(10)
    return x


def test_a_data_future_ends_as_its_task_does() -> None:
    file = File("/tmp/x.txt")
    for end, check in (
        (lambda p: p.set_result(0), lambda d: d.result(1) is file),
        (lambda p: p.set_exception(OSError()), lambda d: isinstance(d.exception(1), OSError)),
        (lambda p: p.cancel(), lambda d: d.cancelled()),
    ):
        parent: AppFuture[int] = AppFuture()
        data = DataFuture(parent, file)
        data.follow()
        assert not data.done()
        end(parent)
        assert check(data)


def test_a_data_future_knows_its_file_and_cancels_its_task() -> None:
    parent: AppFuture[int] = AppFuture()
    data = DataFuture(parent, File("/tmp/x.txt"))
    data.follow()
    assert (data.filepath, data.filename, data.file_obj) == (
        "/tmp/x.txt",
        "x.txt",
        File("/tmp/x.txt"),
    )
    assert isinstance(data, Future)
    assert "x.txt" in data.described
    assert data.cancel()
    assert parent.cancelled()
    with pytest.raises(WaitInsideTaskError):
        pickle.loads(pickle.dumps(data)).result()


def test_a_file_whose_task_failed_is_called_by_the_name_of_the_task(kernel: DataFlowKernel) -> None:
    lost = fails(outputs=[File("lost.txt")])
    assert f"the file lost.txt of fails (task {lost.tid}) failed" in str(
        inc(lost.outputs[0]).exception()
    )


def test_a_callback_that_waits_holds_up_no_task_that_needs_a_file(kernel: DataFlowKernel) -> None:
    results = SimpleQueue[object]()

    def wait_for_a_file(_: object) -> None:
        written = inc(1, outputs=[File("written.txt")])
        results.put(same(written.outputs[0]).result(10))

    _gate.clear()
    first = python_app(_held)(1)
    first.add_done_callback(wait_for_a_file)
    _gate.set()
    assert results.get(timeout=10) == File("written.txt")
