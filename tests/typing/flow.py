"""The examples of design §6, which mypy reads and nobody runs."""

from collections.abc import Callable
from typing import assert_type

from lamina.apps import App
from lamina.flow import (
    AUTO_LOGNAME,
    AppFuture,
    Config,
    DataFlowKernel,
    DataFuture,
    File,
    ThreadPoolExecutor,
    bash_app,
    dfk,
    join_app,
    load,
    python_app,
    wait_for_current_tasks,
)
from lamina.kernel import Kernel


@python_app
def inc(x: int) -> int:
    return x + 1


@python_app(cache=True, executors=["threads"], ignore_for_cache=["note"], retries=2)
def half(x: float, note: str = "") -> float:
    return x / 2


@python_app
async def fetch(url: str) -> bytes:
    return url.encode()


@bash_app
def count(path: str, stdout: str | None = None) -> str:
    return f"wc -l {path}"


@bash_app(walltime="5 min")
def sort(inputs: list[File], outputs: list[File]) -> str:
    return f"sort {inputs[0]} > {outputs[0]}"


@join_app
def incremented(n: int) -> list[AppFuture[int]]:
    return [inc(i) for i in range(n)]


class Scale:
    factor = 3

    @python_app
    def times(self, x: int) -> int:
        return x * self.factor


with load(Config()) as kernel:
    assert inc(inc(1)).result() == 3
    assert_type(kernel, DataFlowKernel)
    future = inc(1)
    _ = assert_type(future, AppFuture[int])
    assert_type(inc(1).result(), int)
    nested = inc(future)
    _ = assert_type(nested, AppFuture[int])
    assert_type(half(1.0, note="x").result(), float)
    assert_type(half(inc(1)).result(), float)
    assert_type(fetch("u").result(), bytes)
    assert_type(count("a", stdout=AUTO_LOGNAME).result(), int)
    assert_type(sort(inputs=[inc(1)], outputs=[File("b")]).outputs, list[DataFuture])
    assert_type(
        inc.options(priority=5, retries=2, executors=["htex"], env={"A": "b"})(1).result(), int
    )
    assert_type(Scale().times(2).result(), int)
    assert_type(list(inc.map(range(3), window=2, ordered=False)), list[int])
    joined = incremented(3)
    dfk().wait_for_current_tasks()
    wait_for_current_tasks()


async def waits() -> int:
    return await inc(1)


the_app: App[[int], int] = inc
the_kernel: Kernel = DataFlowKernel(Config(executors=[ThreadPoolExecutor(max_threads=4)]))
made: Callable[..., AppFuture[int]] = inc
