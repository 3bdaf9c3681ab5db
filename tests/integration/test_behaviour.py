"""One test for each option of a kernel and of threads, as a user would see it."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as StandardPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.app_bodies import BashExitFailure
from lamina.apps import (
    App,
    bash_app,
    clear,
    dfk,
    join_app,
    load,
    python_app,
    wait_for_current_tasks,
)
from lamina.events import MemorySink
from lamina.executors import Executor, ForeignExecutor, ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel, TaskSpec
from lamina.memo import InMemoryMemo, MemoKeyError
from lamina.retry_policy import Again, Decision, GiveUp, Never, Retries, TaskRecord, Trouble
from lamina.routing import Candidate
from lamina.vocabulary import (
    ClosedError,
    ConfigError,
    DependencyError,
    FutureInArgumentsError,
    JoinError,
    KernelClosedError,
    Resources,
    TaskState,
)
from tests.fakes.executors import HandExecutor

WAIT = 10  # seconds


def started(base: Path, **settings: Any) -> DataFlowKernel:
    settings.setdefault("executors", [ThreadPoolExecutor()])
    return DataFlowKernel(Config(run_dir=base, **settings))


def app(kernel: DataFlowKernel, function: Callable[..., Any], **options: Any) -> App[..., Any]:
    return python_app(function, data_flow_kernel=kernel, **options)


def eventually(condition: Callable[[], object]) -> bool:
    deadline, tick = time.monotonic() + WAIT, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        tick.wait(0.005)
    return True


def double(value: int) -> int:
    return 2 * value


def name_of_thread() -> str:
    return threading.current_thread().name


def where() -> int:
    return os.getpid()


class Unlucky:
    """Fails at first."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise ValueError("unlucky")
        return "lucky"


def test_executors_are_named_by_their_labels(tmp_path: Path) -> None:
    two = [ThreadPoolExecutor("one"), ThreadPoolExecutor("two")]
    with started(tmp_path, executors=two) as kernel:
        assert kernel.labels == ("one", "two")
        there = app(kernel, name_of_thread, executors=["two"])()
        assert there.result(WAIT).startswith("two")
    with pytest.raises(ConfigError, match="label"):
        Config(executors=[ThreadPoolExecutor(), ThreadPoolExecutor()])
    with pytest.raises(ConfigError, match="at least one"):
        Config(executors=[])


def test_without_executors_there_are_worker_processes_on_this_machine(tmp_path: Path) -> None:
    with DataFlowKernel(Config(run_dir=tmp_path)) as kernel:
        assert kernel.labels == ("HighThroughputExecutor",)
        assert app(kernel, where)().result(WAIT) != os.getpid()


def test_retries_are_for_every_app_that_says_nothing_else(tmp_path: Path) -> None:
    with started(tmp_path, retries=2) as kernel:
        assert app(kernel, Unlucky(2))().result(WAIT) == "lucky"
        assert isinstance(app(kernel, Unlucky(3))().exception(WAIT), ValueError)
    with started(tmp_path) as kernel:
        assert isinstance(app(kernel, Unlucky(1))().exception(WAIT), ValueError)


class Priced:
    """A full disk is free, all else costs 1; it notes what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def __call__(self, error: BaseException, task: TaskRecord) -> float:
        self.told.append(dict(task))
        return 0 if isinstance(error, OSError) else 1


def test_retry_handler_says_what_a_failure_costs(tmp_path: Path) -> None:
    runs: list[int] = []

    def unlucky() -> int:
        runs.append(len(runs))
        if len(runs) < 4:
            raise OSError if len(runs) % 2 else ValueError
        return len(runs)

    priced = Priced()
    with started(tmp_path, retries=1, retry_handler=priced) as kernel:
        assert app(kernel, unlucky, name="unlucky")().result(WAIT) == 4
        assert isinstance(app(kernel, Unlucky(2))().exception(WAIT), ValueError)
    assert [told["fail_cost"] for told in priced.told] == [0, 0, 1, 0, 1]
    assert [told["fail_count"] for told in priced.told] == [1, 2, 3, 1, 2]
    assert priced.told[0]["func_name"] == "unlucky"
    assert priced.told[0]["executor"] == "threads"


def test_a_retry_handler_that_raises_ends_the_task_with_both_errors(tmp_path: Path) -> None:
    def broken(error: BaseException, task: TaskRecord) -> float:
        return float(task["colour"])

    with started(tmp_path, retries=5, retry_handler=broken) as kernel:
        error = app(kernel, Unlucky(9))().exception(WAIT)
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ValueError)
    assert any("retry policy" in note for note in error.__notes__)


def test_retry_policy_decides_for_every_app_that_says_nothing_else(tmp_path: Path) -> None:
    with started(tmp_path, retry_policy=Retries(1)) as kernel:
        assert app(kernel, Unlucky(1))().result(WAIT) == "lucky"
        assert isinstance(app(kernel, Unlucky(1), retry=Never())().exception(WAIT), ValueError)
    with pytest.raises(ConfigError, match="both given"):
        Config(retries=1, retry_policy=Never())


def test_a_memoizer_outlives_the_kernel_that_filled_it(tmp_path: Path) -> None:
    memo, runs = InMemoryMemo(), list[int]()

    def noted(value: int, told: Any) -> int:
        told(value)
        return value

    for _ in range(2):
        with started(tmp_path, memoizer=memo) as kernel:
            cached = app(kernel, noted, cache=True, ignore_for_cache=["told"])
            assert cached(1, runs.append).result(WAIT) == 1
    assert runs == [1]


def test_a_value_without_a_rule_for_its_key_fails_the_task(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:
        error = app(kernel, double, cache=True)(object()).exception(WAIT)
        assert isinstance(error, MemoKeyError)


def first_of(values: Any) -> Any:
    return values[0][0]


def test_dependency_resolver_says_where_futures_are_looked_for(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:
        with pytest.raises(FutureInArgumentsError, match="deep"):
            _ = app(kernel, first_of)([[app(kernel, double)(1)]])
    with started(tmp_path, dependency_resolver="deep") as kernel:
        assert app(kernel, first_of)([[app(kernel, double)(1)]]).result(WAIT) == 2
    with pytest.raises(ConfigError, match="dependency_resolver"):
        Config(dependency_resolver="wide")


class Last:
    """Chooses the last."""

    def choose(
        self, task: str, resources: Resources | None, candidates: Sequence[Candidate]
    ) -> str:
        return candidates[-1].label


def test_router_chooses_the_executor(tmp_path: Path) -> None:
    two = [ThreadPoolExecutor("one"), ThreadPoolExecutor("two")]
    with started(tmp_path, executors=two, router=Last()) as kernel:
        names = [app(kernel, name_of_thread)() for _ in range(4)]
        assert all(name.result(WAIT).startswith("two") for name in names)


def test_exit_mode_says_what_the_end_of_with_does(tmp_path: Path) -> None:
    gate = threading.Event()
    with started(tmp_path, exit_mode="wait") as kernel:
        waited = app(kernel, double)(1)
    assert waited.result(0) == 2
    assert kernel.closed
    with started(tmp_path, exit_mode="skip") as kernel:
        pass
    assert app(kernel, double)(1).result(WAIT) == 2
    kernel.close()
    with started(tmp_path, exit_mode="cleanup") as kernel:
        ended = app(kernel, gate.wait)(WAIT)
    gate.set()
    assert isinstance(ended.exception(0), ClosedError)
    with pytest.raises(ConfigError, match="exit_mode"):
        Config(exit_mode="never")  # type: ignore[arg-type]


def test_an_exception_in_the_block_ends_what_it_would_have_waited_for(tmp_path: Path) -> None:
    gate = threading.Event()
    futures = []

    def program() -> None:
        with started(tmp_path, exit_mode="wait") as kernel:
            futures.append(app(kernel, gate.wait)(WAIT))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        program()
    gate.set()
    assert isinstance(futures[0].exception(0), ClosedError)


def test_internal_tasks_max_threads_bounds_the_bodies_of_join_apps(tmp_path: Path) -> None:
    most, running, lock = [0], [0], threading.Lock()
    pair = threading.Barrier(2)

    def body(kernel: DataFlowKernel) -> Future[int]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        pair.wait(WAIT)  # for another body
        with lock:
            running[0] -= 1
        return app(kernel, double)(1)

    with started(tmp_path, internal_tasks_max_threads=2) as kernel:
        joins = [join_app(body, data_flow_kernel=kernel)(kernel) for _ in range(10)]
        assert [join.result(WAIT) for join in joins] == [2] * 10
    assert most[0] == 2
    with pytest.raises(ConfigError, match="internal_tasks_max_threads"):
        Config(internal_tasks_max_threads=0)


def test_run_dir_has_a_numbered_directory_for_each_run(tmp_path: Path) -> None:
    with started(tmp_path / "runs") as first, started(tmp_path / "runs") as second:
        assert (first.run_dir, second.run_dir) == (tmp_path / "runs/000", tmp_path / "runs/001")
        assert os.path.isdir(second.run_dir)


def test_event_sinks_hear_of_each_change(tmp_path: Path) -> None:
    sink = MemorySink()
    with started(tmp_path, event_sinks=[sink]) as kernel:
        app(kernel, double)(1).result(WAIT)
    assert "task.state" in {event.kind for event in sink.events}
    assert sink.closed


def test_a_failed_dependency_names_who_failed_first(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:
        root = app(kernel, Unlucky(1), name="root")()
        error = app(kernel, double)(app(kernel, double)(root)).exception(WAIT)
        assert isinstance(error, DependencyError)
        assert "root" in error.root
        assert isinstance(error.__cause__, ValueError)


def test_a_failure_that_was_joined_is_counted(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:

        def body() -> Iterable[Future[Any]]:
            return [app(kernel, Unlucky(1))(), app(kernel, double)(1)]

        error = join_app(body, data_flow_kernel=kernel)().exception(WAIT)
        assert isinstance(error, JoinError)
        assert (error.failed, error.joined) == (1, 2)


def test_a_closed_kernel_takes_nothing(tmp_path: Path) -> None:
    kernel = started(tmp_path)
    kernel.close()
    with pytest.raises(KernelClosedError, match="double"):
        _ = app(kernel, double)(1)


def test_load_makes_the_current_kernel_until_it_is_closed(tmp_path: Path) -> None:
    config = Config(executors=[ThreadPoolExecutor()], run_dir=tmp_path)
    with load(config) as kernel:
        assert dfk() is kernel
        future = python_app(double)(1)
        wait_for_current_tasks(WAIT)
        assert future.done()
        with pytest.raises(ConfigError, match="loaded already"):
            load(config)
    with load(config):
        clear()
    assert kernel.closed


def test_threads_have_a_label_a_number_and_a_name(tmp_path: Path) -> None:
    gate = threading.Barrier(3)
    pool = ThreadPoolExecutor(label="crew", max_threads=3, thread_name_prefix="hand")
    with started(tmp_path, executors=[pool]) as kernel:
        assert kernel.labels == ("crew",)

        def together() -> str:
            gate.wait(WAIT)
            return name_of_thread()

        names = [app(kernel, together)() for _ in range(3)]
        assert all(name.result(WAIT).startswith("hand") for name in names)
    with pytest.raises(ConfigError, match="max_threads"):
        ThreadPoolExecutor(max_threads=0)


def test_a_foreign_pool_is_an_executor_with_a_label_and_slots(tmp_path: Path) -> None:
    make = functools.partial(StandardPool, 3, thread_name_prefix="foreign")
    pool = ForeignExecutor(make, "theirs", slots=3, own_processes=False)
    with started(tmp_path, executors=[pool]) as kernel:
        assert kernel.labels == ("theirs",)
        (running,) = kernel.executors.values()
        assert running.load().slots == 3
        assert not running.capabilities.own_processes
        assert app(kernel, name_of_thread)().result(WAIT).startswith("foreign")
    assert ForeignExecutor(make, own_processes=True).capabilities.own_processes


def test_apps_run_on_a_pool_of_processes(tmp_path: Path) -> None:
    make = functools.partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"))
    pool = ForeignExecutor(make, "processes")
    with DataFlowKernel(Config(executors=[pool], run_dir=tmp_path)) as kernel:
        assert app(kernel, os.getpid)().result(WAIT) != os.getpid()
        assert app(kernel, double)(2).result(WAIT) == 4
        command = bash_app(lambda: "exit 3", data_flow_kernel=kernel)()
        assert isinstance(command.exception(WAIT), BashExitFailure)


def test_a_task_may_ask_for_resources_only_where_they_are_honoured(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:
        for field in attrs.fields(Resources):
            asked = {field.name: {"licences": 1} if field.name == "extra" else 1}
            error = app(kernel, double, resources=asked)(1).exception(WAIT)
            assert isinstance(error, ConfigError)
            assert field.name in str(error)
        assert app(kernel, double, resources=Resources())(1).result(WAIT) == 2


def test_a_kernel_says_what_it_is_and_counts_its_tasks(tmp_path: Path) -> None:
    gate = threading.Event()
    with started(tmp_path) as kernel:
        held = app(kernel, gate.wait)(WAIT)
        assert list(kernel.executors) == list(kernel.labels) == ["threads"]
        assert kernel.run_dir.is_relative_to(tmp_path)
        assert kernel.state(held.tid) in (TaskState.PENDING, TaskState.LAUNCHED, TaskState.RUNNING)
        assert kernel.cancel(held.tid)
        assert not kernel.cancel(held.tid)
        gate.set()
        kernel.wait_for_current_tasks(WAIT)
        app(kernel, double)(1).result(WAIT)
        counts = kernel.task_counts()
        assert (counts[TaskState.CANCELLED], counts[TaskState.EXEC_DONE]) == (1, 1)
        assert not kernel.closed
    assert kernel.closed


def test_a_task_of_no_app_may_be_submitted(tmp_path: Path) -> None:
    with started(tmp_path) as kernel:
        spec = TaskSpec(function=double, args=(4,), name="plain")
        number = kernel.new_task_id()
        assert kernel.submit(spec, number) == number
        assert spec.future.result(WAIT) == 8


class Elsewhere:
    """Tries once more on another executor, then gives up and says why."""

    def decide(self, trouble: Trouble) -> Decision:
        if len(trouble.history) > 1:
            return GiveUp("twice is enough")
        return Again(executors=["hand"], avoid=["node7"], resources=Resources(cores=2))


def test_a_policy_may_send_the_next_attempt_elsewhere(tmp_path: Path) -> None:
    hand = HandExecutor()
    two: list[Executor] = [ThreadPoolExecutor(), hand]
    with started(tmp_path, executors=two, retry_policy=Elsewhere()) as kernel:
        future = app(kernel, Unlucky(1), executors=["threads"])()
        assert eventually(lambda: hand.launched)
        (task,) = hand.launched
        assert tuple(task.avoid) == ("node7",)
        assert task.resources == Resources(cores=2)
        hand.run_all()
        assert future.result(WAIT) == "lucky"


def test_the_reason_for_giving_up_is_a_note_on_the_exception(tmp_path: Path) -> None:
    hand = HandExecutor()
    with started(tmp_path, executors=[hand], retry_policy=Elsewhere()) as kernel:
        future = app(kernel, Unlucky(2))()
        hand.run_all()
        error = future.exception(WAIT)
        assert isinstance(error, ValueError)
        assert "twice is enough" in error.__notes__
