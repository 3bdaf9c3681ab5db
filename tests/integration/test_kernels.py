"""Two kernels at once, many threads, asyncio, long chains, and what is let go of."""

import asyncio
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor as Threads
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import python_app
from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel

WAIT = 30  # seconds


@pytest.fixture
def threads(tmp_path: Path) -> Iterator[DataFlowKernel]:
    config = Config(executors=[ThreadPoolExecutor(max_threads=2)], run_dir=tmp_path)
    with DataFlowKernel(config) as kernel:
        yield kernel


@pytest.fixture
def htex(tmp_path: Path) -> Iterator[DataFlowKernel]:
    executor = HighThroughputExecutor(max_workers_per_node=2)
    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path)) as kernel:
        yield kernel


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def increment(value: int) -> int:
    return value + 1


def where() -> int:
    return os.getpid()


def test_two_kernels_at_once_from_several_threads(
    threads: DataFlowKernel, htex: DataFlowKernel
) -> None:
    here = python_app(increment, data_flow_kernel=threads)
    there = python_app(increment, data_flow_kernel=htex)
    assert python_app(where, data_flow_kernel=threads)().result(WAIT) == os.getpid()
    assert python_app(where, data_flow_kernel=htex)().result(WAIT) != os.getpid()
    assert threads.run_dir != htex.run_dir

    def back_and_forth(start: int) -> int:
        future = here(start)
        for _ in range(10):
            future = here(there(future))
        return future.result(WAIT)

    with Threads(4) as callers:
        assert list(callers.map(back_and_forth, range(8))) == [n + 21 for n in range(8)]


def test_two_kernels_at_once_from_asyncio(threads: DataFlowKernel, htex: DataFlowKernel) -> None:
    here = python_app(increment, data_flow_kernel=threads)
    there = python_app(increment, data_flow_kernel=htex)

    def broken() -> None:
        msg = "as asked"
        raise ValueError(msg)

    async def main() -> list[int]:
        with pytest.raises(ValueError, match="as asked"):
            await python_app(broken, data_flow_kernel=htex)()

        async def one(start: int) -> int:
            return await here(there(here(start)))

        return await asyncio.wait_for(asyncio.gather(*map(one, range(20))), WAIT)

    assert asyncio.run(main()) == [n + 3 for n in range(20)]


@pytest.mark.slow
def test_a_chain_of_100_000_tasks(threads: DataFlowKernel) -> None:
    app = python_app(increment, data_flow_kernel=threads)
    future = app(0)
    for _ in range(99_999):
        future = app(future)
    assert future.result(60) == 100_000


class Large:
    """Something that a test can see go."""


def test_an_argument_goes_when_its_task_has_ended_though_a_descendant_is_held(
    threads: DataFlowKernel,
) -> None:
    gate = threading.Event()

    def forget(_: Any) -> int:
        return 1

    def wait(value: int) -> int:
        assert gate.wait(WAIT)
        return value

    large = Large()
    gone = weakref.ref(large)
    first = python_app(forget, data_flow_kernel=threads)(large)
    descendant = python_app(wait, data_flow_kernel=threads)(first)
    del large
    assert first.result(WAIT) == 1

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    assert eventually(is_gone)
    assert not descendant.done()
    gate.set()
    assert descendant.result(WAIT) == 1


def test_a_result_goes_when_nobody_holds_its_future(threads: DataFlowKernel) -> None:
    def make() -> Large:
        return Large()

    def forget(_: Any) -> int:
        return 1

    future = python_app(make, data_flow_kernel=threads)()
    gone = weakref.ref(future.result(WAIT))
    descendant = python_app(forget, data_flow_kernel=threads)(future)
    assert descendant.result(WAIT) == 1
    del future

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    assert eventually(is_gone)
    assert descendant.result(WAIT) == 1
