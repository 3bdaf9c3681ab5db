"""One test for each option of a decorator, as the tables of the reference claim it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import bash_app, join_app, python_app
from lamina.executors import Executor, ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.retry_policy import Again, Decision, Trouble
from lamina.vocabulary import ConfigError, HasStarted, Resources, UsageError, WorkerLost
from tests.fakes.executors import HandExecutor

WAIT = 10  # seconds, for a thread of ours


@pytest.fixture
def hand() -> HandExecutor:
    return HandExecutor()


@pytest.fixture
def kernel(hand: HandExecutor, tmp_path: Path) -> Iterator[DataFlowKernel]:
    executors: list[Executor] = [hand, ThreadPoolExecutor(max_threads=1)]
    with DataFlowKernel(Config(executors=executors, run_dir=tmp_path)) as made:
        yield made


def on_threads(kernel: DataFlowKernel, **options: Any) -> dict[str, Any]:
    return {"data_flow_kernel": kernel, "executors": ["threads"], **options}


def by_hand(kernel: DataFlowKernel, **options: Any) -> dict[str, Any]:
    return {"data_flow_kernel": kernel, "executors": ["hand"], **options}


def double(value: int) -> int:
    return 2 * value


def test_data_flow_kernel_names_the_kernel_that_runs_it(kernel: DataFlowKernel) -> None:
    assert python_app(double, **on_threads(kernel))(2).result(WAIT) == 4


def test_cache_runs_equal_calls_once(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    cached = python_app(double, cache=True, **by_hand(kernel))
    first, merged = cached(3), cached(3)
    hand.run_all()
    assert first.result(WAIT) == merged.result(WAIT) == 6
    assert cached(3).result(WAIT) == 6
    assert len(hand.launched) == 1
    _ = cached(4)
    _ = cached.options(cache=False)(3)
    assert len(hand.launched) == 3
    hand.run_all()


def test_executors_restricts_where_it_runs(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    future = python_app(double, **by_hand(kernel))(4)
    assert [task.name for task in hand.launched] == ["double"]
    hand.run_all()
    assert future.result(WAIT) == 8
    with pytest.raises(ConfigError, match="nowhere"):
        _ = python_app(double, data_flow_kernel=kernel, executors=["nowhere"])(1)
    with pytest.raises(ConfigError, match="list of labels"):
        python_app(double, executors="hand")


def add(left: int, right: int) -> int:
    return left + right


def test_ignore_for_cache_leaves_a_parameter_out_of_the_key(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    cached = python_app(add, cache=True, ignore_for_cache=["right"], **by_hand(kernel))
    first = cached(1, 2)
    hand.run_all()
    assert first.result(WAIT) == 3
    assert cached(1, 50).result(WAIT) == 3
    assert len(hand.launched) == 1
    with pytest.raises(ConfigError, match="elsewhere"):
        python_app(add, ignore_for_cache=["elsewhere"])


def test_another_version_is_another_key(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    cached = python_app(double, cache=True, version="1", **by_hand(kernel))
    _ = cached(1)
    hand.run_all()
    _ = cached.options(version="2")(1)
    assert len(hand.launched) == 2
    hand.run_all()


def test_name_is_what_the_task_is_called(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    future = python_app(double, name="twice", **by_hand(kernel))(1)
    assert hand.launched[0].name == "twice"
    assert "twice" in future.described
    hand.run_all()


def test_a_higher_priority_runs_sooner(kernel: DataFlowKernel) -> None:
    gate, order = threading.Event(), list[str]()

    def wait() -> None:
        assert gate.wait(WAIT)

    app = python_app(order.append, **on_threads(kernel))
    blocked = python_app(wait, **on_threads(kernel))()
    low, high = app.options(priority=1)("low"), app.options(priority=5)("high")
    gate.set()
    for future in (blocked, low, high):
        future.result(WAIT)
    assert order == ["high", "low"]


def test_retries_makes_new_attempts(kernel: DataFlowKernel) -> None:
    runs: list[int] = []

    def third_time_lucky() -> int:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError(len(runs))
        return len(runs)

    assert python_app(third_time_lucky, retries=2, **on_threads(kernel))().result(WAIT) == 3
    runs.clear()
    failing = python_app(third_time_lucky, retries=1, **on_threads(kernel))()
    assert isinstance(failing.exception(WAIT), ValueError)


class Once:
    """Tries once more whatever was lost."""

    def __init__(self) -> None:
        self.asked: list[Trouble] = []

    def decide(self, trouble: Trouble) -> Decision:
        self.asked.append(trouble)
        return Again()


def test_retry_is_asked_instead_of_the_kernels_policy(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    policy = Once()
    future = python_app(double, retry=policy, **by_hand(kernel))(1)
    hand.fail(WorkerLost("it died", HasStarted.YES))
    hand.run_all()
    assert future.result(WAIT) == 2
    assert len(policy.asked) == 1
    with pytest.raises(ConfigError, match="both given"):
        python_app(double, retries=1, retry=policy)


@pytest.mark.parametrize(
    "given, field, arrives",
    [
        ({"walltime": "00:01:30"}, "walltime", 90.0),
        ({"walltime": 5}, "walltime", 5.0),
        ({"expected": "2 min"}, "expected", 120.0),
        ({"memory_limit": "1 GiB"}, "memory_limit", 2**30),
        ({"resources": {"cores": 2}}, "resources", Resources(cores=2)),
        ({"env": {"NAME": "value"}}, "env", {"NAME": "value"}),
        ({"hints": {"colour": "red"}}, "hints", {"colour": "red"}),
        ({"priority": 3}, "priority", 3),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_asked_for_reaches_the_executor(
    kernel: DataFlowKernel, hand: HandExecutor, given: Any, field: str, arrives: object
) -> None:
    future = python_app(double, **by_hand(kernel, **given))(1)
    assert getattr(hand.launched[0], field) == arrives
    hand.run_all()
    assert future.result(WAIT) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"walltime": "soon"},
        {"expected": -1},
        {"memory_limit": "much"},
        {"resources": {"wheels": 4}},
        {"env": {"A": 1}},
        {"priority": "high"},
        {"retries": -1},
        {"retry": 3},
        {"name": 5},
        {"colour": "red"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_an_option_that_cannot_work_is_refused_where_it_is_written(given: Any) -> None:
    with pytest.raises(ConfigError, match=next(iter(given))):
        python_app(double, **given)
    with pytest.raises(ConfigError, match=next(iter(given))):
        python_app(double).options(**given)


def test_options_keep_what_they_do_not_name(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    app = python_app(double, priority=4, **by_hand(kernel))
    _ = app.options(name="other")(1)
    _ = app(1)
    assert [(task.name, task.priority) for task in hand.launched] == [("other", 4), ("double", 4)]
    hand.run_all()


def test_an_app_stays_a_function_with_its_name_and_signature() -> None:
    app = python_app(double)
    assert app.__name__ == "double"
    with pytest.raises(UsageError, match="decorates functions"):
        python_app(3)  # type: ignore[call-overload]


def test_wrong_arguments_fail_at_the_call(kernel: DataFlowKernel) -> None:
    with pytest.raises(TypeError, match="double"):
        _ = python_app(double, **on_threads(kernel))(1, 2, 3)


def test_a_function_in_c_that_says_nothing_of_its_arguments_is_checked_when_it_runs(
    kernel: DataFlowKernel,
) -> None:
    greatest = python_app(max, **on_threads(kernel))
    assert greatest(3, 4, inputs=[greatest(1, 2)], walltime=WAIT).result(WAIT) == 4
    assert python_app(time.sleep, **on_threads(kernel))(0).result(WAIT) is None
    assert isinstance(greatest().exception(WAIT), TypeError)


def test_an_async_function_runs_to_completion(kernel: DataFlowKernel) -> None:
    async def later(value: int) -> int:
        return value

    assert python_app(later, **on_threads(kernel))(5).result(WAIT) == 5


def test_a_join_app_has_the_results_of_the_futures_it_returned(kernel: DataFlowKernel) -> None:
    app = python_app(double, **on_threads(kernel))

    def spread(count: int) -> list[Future[int]]:
        return [app(number) for number in range(count)]

    assert join_app(spread, data_flow_kernel=kernel)(3).result(WAIT) == [0, 2, 4]


@pytest.mark.parametrize(
    "options",
    [
        {"env": {"A": "1"}},
        {"executors": ["threads"]},
        {"expected": 3},
        {"memory_limit": "1 GiB"},
        {"resources": {"cores": 1}},
        {"sandbox": True},
    ],
)
def test_what_only_executors_honour_is_refused_for_a_join_app(options: dict[str, Any]) -> None:
    def body() -> None: ...

    with pytest.raises(ConfigError, match=f"{next(iter(options))} cannot be honoured there"):
        join_app(body, **options)
    with pytest.raises(ConfigError, match="Give it to the apps that it calls"):
        join_app(body).options(**options)


def test_a_join_app_s_resources_are_refused_at_the_call_too(kernel: DataFlowKernel) -> None:
    def body() -> None: ...

    with pytest.raises(ConfigError, match="parsl_resource_specification"):
        _ = join_app(body, data_flow_kernel=kernel)(parsl_resource_specification={"cores": 1})


def test_a_bash_app_runs_the_command_line_and_gives_0(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    def touch(path: str) -> str:
        return f"echo hello > {path}"

    assert bash_app(touch, **on_threads(kernel))(str(tmp_path / "it")).result(WAIT) == 0
    assert (tmp_path / "it").read_text() == "hello\n"


def test_a_method_may_be_an_app(kernel: DataFlowKernel) -> None:
    class Counter:
        step = 3

        @python_app
        def up(self, value: int) -> int:
            return value + self.step

    app = Counter.up.options(**on_threads(kernel))
    assert app(Counter(), 1).result(WAIT) == 4
