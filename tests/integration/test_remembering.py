"""What users of memo and checkpoint see, option by option, on threads of this process."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import App, bash_app, join_app, python_app
from lamina.events import MemorySink
from lamina.executors import ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.memo import Entry, InMemoryMemo, StoredMemo, Subject
from lamina.memo_log import Damage, Log, LogResultStore, get_last_checkpoint
from lamina.vocabulary import Cause, ConfigError, File, HasStarted, TaskState
from tests.fakes.executors import HandExecutor

WAIT = 30  # seconds

RUNS: list[Any] = []
"""What tasks have noted: they run in this process."""


@pytest.fixture(autouse=True)
def nothing_has_run() -> None:
    RUNS.clear()


def kernel_in(base: Path, **settings: Any) -> DataFlowKernel:
    settings.setdefault("executors", [ThreadPoolExecutor(max_threads=2)])
    return DataFlowKernel(Config(run_dir=base, **settings))


def app(kernel: DataFlowKernel, function: Callable[..., Any], **options: Any) -> App[..., Any]:
    return python_app(function, data_flow_kernel=kernel, cache=True, **options)


def square(x: int, y: int = 0) -> int:
    RUNS.append(x)
    return x * x + y


def refuse(x: int) -> int:
    RUNS.append(x)
    raise ValueError(x)


def squares(base: Path, *numbers: int, **settings: Any) -> list[int]:
    """Which of them had to be computed."""
    RUNS.clear()
    with kernel_in(base, **settings) as kernel:
        futures = [app(kernel, square)(number) for number in numbers]
        assert [future.result(WAIT) for future in futures] == [n * n for n in numbers]
    return sorted(RUNS)


def recorded(kernel: DataFlowKernel) -> int:
    """How many results can be read from the run's log at this moment."""
    log = Log(kernel.run_dir / "checkpoint")
    try:
        return sum(not isinstance(item, Damage) for item in log.results())
    finally:
        log.close()


@pytest.mark.parametrize("mode", ["task_exit", "dfk_exit", "manual"])
def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Path, mode: str) -> None:
    assert squares(tmp_path, 1, 2, checkpoint_mode=mode) == [1, 2]
    assert squares(tmp_path, 1, 2, 3, checkpoint_mode=mode) == [3]
    assert squares(tmp_path, 1, 2, 3, checkpoint_mode=mode) == []


def test_periodic_checkpoints_are_made_in_their_period(tmp_path: Path) -> None:
    settings = {"checkpoint_mode": "periodic", "checkpoint_period": "00:30:00"}
    assert squares(tmp_path, 1, 2, **settings) == [1, 2]
    assert squares(tmp_path, 1, 2, **settings) == []


def test_without_a_mode_nothing_outlives_the_kernel(tmp_path: Path) -> None:
    assert squares(tmp_path, 1, 1) == [1]
    assert squares(tmp_path, 1) == [1]
    assert get_last_checkpoint(tmp_path) == []


def test_the_runs_to_begin_with_can_be_named_and_can_be_none(tmp_path: Path) -> None:
    squares(tmp_path, 1, checkpoint_mode="task_exit")
    squares(tmp_path, 2, checkpoint_mode="task_exit")
    last = get_last_checkpoint(tmp_path)
    mode = {"checkpoint_mode": "task_exit"}
    assert squares(tmp_path, 1, 2, checkpoint_files=last, **mode) == [1]
    assert squares(tmp_path, 1, 2, checkpoint_files=[], **mode) == [1, 2]
    assert squares(tmp_path, 1, 2, checkpoint_files=[tmp_path / "000"]) == [2]
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        kernel_in(tmp_path, checkpoint_files=[tmp_path / "nowhere"], **mode)


def test_app_cache_switches_all_of_it_off(tmp_path: Path) -> None:
    settings = {"checkpoint_mode": "task_exit", "app_cache": False}
    assert squares(tmp_path, 1, **settings) == [1]
    assert squares(tmp_path, 1, **settings) == [1]


def test_a_checkpoint_can_be_asked_for(tmp_path: Path) -> None:
    with kernel_in(tmp_path, checkpoint_mode="manual") as kernel:
        assert app(kernel, square)(3).result(WAIT) == 9
        assert recorded(kernel) == 0
        kernel.checkpoint()
        assert recorded(kernel) == 1
    with kernel_in(tmp_path) as kernel:
        kernel.checkpoint()


def test_a_result_is_recorded_before_its_future_is_done(tmp_path: Path) -> None:
    seen = []
    with kernel_in(tmp_path, memoizer=StoredMemo(LogResultStore(durability="result"))) as kernel:
        for number in range(20):
            future = app(kernel, square)(number)
            future.add_done_callback(lambda _: seen.append(recorded(kernel)))
            future.result(WAIT)
    assert all(count >= number for number, count in enumerate(seen, 1))
    assert len(seen) == 20


def test_a_result_that_cannot_be_pickled_is_a_result_all_the_same(tmp_path: Path) -> None:
    with kernel_in(tmp_path, checkpoint_mode="task_exit") as kernel:
        lock = app(kernel, lambda: threading.Lock())()
        assert not lock.result(WAIT).locked()
        function = app(kernel, lambda: lambda x: x + 1)()
        assert function.result(WAIT)(1) == 2
        kernel.checkpoint()
        assert recorded(kernel) == 1


@pytest.mark.parametrize(
    "memo",
    [
        lambda: InMemoryMemo(errors=[ValueError]),
        lambda: StoredMemo(errors=[ValueError]),
        lambda: StoredMemo(LogResultStore(), errors=[ValueError]),
    ],
)
def test_exceptions_are_remembered_where_the_memo_is_told_to(
    tmp_path: Path, memo: Callable[[], Any]
) -> None:
    memoizer = memo()
    for _ in range(2):
        with kernel_in(tmp_path, memoizer=memoizer, retries=1) as kernel:
            future = app(kernel, refuse)(7)
            assert isinstance(future.exception(WAIT), ValueError)
    assert RUNS == [7, 7]  # both attempts of the first


def test_without_being_told_to_exceptions_are_not_remembered(tmp_path: Path) -> None:
    for _ in range(2):
        with kernel_in(tmp_path, checkpoint_mode="task_exit") as kernel:
            app(kernel, refuse)(7).exception(WAIT)
    assert RUNS == [7, 7]


def reasons(base: Path, function: Callable[..., Any], *args: Any, **options: Any) -> list[Any]:
    """Why the call was not found in a new kernel."""
    sink = MemorySink()
    with kernel_in(base, checkpoint_mode="task_exit", event_sinks=[sink]) as kernel:
        app(kernel, function, **options)(*args).result(WAIT)
    return [event.facts["reason"] for event in sink.events if event.kind == "memo.missed"]


def other_square(x: int, y: int = 0) -> int:
    return x**2 + y


def test_events_say_why_a_call_was_not_found(tmp_path: Path) -> None:
    other_square.__qualname__ = "square"  # an edit, as far as anybody can tell
    assert reasons(tmp_path, square, 1) == [f"no call of {__name__}.square was recorded"]
    assert reasons(tmp_path, square, 1) == []
    for function, args, options, says in (
        (square, (2,), {}, "argument 1 (x) differs"),
        (square, (1, 5), {}, "argument 2 (y) differs"),
        (square, (1,), {"version": "2"}, "its version was '' and is '2'"),
        (other_square, (1,), {}, "the function has changed"),
    ):
        (reason,) = reasons(tmp_path, function, *args, **options)
        assert says in reason


def write(text: str, outputs: list[File]) -> str:
    RUNS.append(text)
    Path(outputs[0]).write_text(text)
    return text


def test_a_hit_counts_only_while_its_outputs_are_as_they_were(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sink = MemorySink()

    def again() -> int:
        RUNS.clear()
        settings = {"checkpoint_mode": "task_exit", "event_sinks": [sink]}
        with kernel_in(tmp_path / "runs", **settings) as kernel:
            app(kernel, write)("x", outputs=[File(out)]).result(WAIT)
        return len(RUNS)

    assert [again(), again()] == [1, 0]
    out.write_text("somebody else's")
    assert [again(), again()] == [1, 0]
    out.unlink()
    assert [again(), again()] == [1, 0]
    assert out.read_text() == "x"
    told = [str(event.facts["reason"]) for event in sink.events if event.kind == "memo.missed"]
    assert "is not as it was" in told[1]
    assert told[2] == f"it was recorded, and its output {out} is missing"


def length(data: File) -> int:
    RUNS.append(1)
    return len(Path(data).read_text())


@pytest.mark.parametrize("policy, runs", [("stat", 3), ("content", 2), ("name", 1)])
def test_an_input_file_counts_as_memo_files_says(tmp_path: Path, policy: str, runs: int) -> None:
    data = tmp_path / "in"
    data.write_text("a")
    with kernel_in(tmp_path / "runs", memo_files=policy) as kernel:
        lengths = [app(kernel, length)(File(data)).result(WAIT)]
        os.utime(data, ns=(1, 1))
        lengths.append(app(kernel, length)(File(data)).result(WAIT))
        data.write_text("abc")
        lengths.append(app(kernel, length)(File(data)).result(WAIT))
    assert len(RUNS) == runs
    assert lengths == ([1, 1, 1] if policy == "name" else [1, 1, 3])


def test_bash_apps_of_one_name_are_told_apart_and_remembered(tmp_path: Path) -> None:
    def one(path: str, word: str) -> str:
        return f"echo {word} >> {path}"

    def other(path: str, word: str) -> str:
        return f"echo other {word} >> {path}"

    other.__name__, other.__qualname__ = one.__name__, one.__qualname__
    out = tmp_path / "out"
    for _ in range(2):
        with kernel_in(tmp_path / "runs", checkpoint_mode="task_exit") as kernel:
            for function in (one, other):
                app = bash_app(function, data_flow_kernel=kernel, cache=True)
                assert app(str(out), "word").result(WAIT) == 0
    assert out.read_text() == "word\nother word\n"


KERNELS: list[DataFlowKernel] = []


def square_elsewhere(x: int) -> Any:
    RUNS.append("join")
    return app(KERNELS[-1], square)(x, 1)


def test_join_apps_are_remembered_with_what_came_of_them(tmp_path: Path) -> None:
    for _ in range(2):
        with kernel_in(tmp_path, checkpoint_mode="task_exit") as kernel:
            KERNELS.append(kernel)
            joined = join_app(square_elsewhere, data_flow_kernel=kernel, cache=True)
            assert joined(3).result(WAIT) == 10
    assert RUNS == ["join", 3]


def test_when_the_first_of_equal_calls_is_cancelled_the_work_goes_on_and_is_recorded(
    tmp_path: Path,
) -> None:
    hand = HandExecutor()
    with kernel_in(tmp_path, executors=[hand], checkpoint_mode="task_exit") as kernel:
        first, second = (app(kernel, square)(5) for _ in range(2))
        assert first.cancel()
        hand.succeed(25)
        assert second.result(WAIT) == 25
        kernel.checkpoint()
        assert recorded(kernel) == 1
    assert squares(tmp_path, 5, checkpoint_mode="task_exit") == []


def test_a_retry_looks_up_again(tmp_path: Path) -> None:
    hand, memo = HandExecutor(), InMemoryMemo()
    with kernel_in(tmp_path, executors=[hand], memoizer=memo, retries=1) as kernel:
        future = app(kernel, square)(6)
        memo.record([Entry(memo.key(Subject(square, (6,), {})), 36, "square")])
        hand.fail(OSError("lost"), Cause.APPLICATION, HasStarted.YES)
        assert future.result(WAIT) == 36
    assert len(hand.launched) == 1


def test_one_memo_serves_two_kernels_at_once(tmp_path: Path) -> None:
    memo = StoredMemo(LogResultStore())
    with kernel_in(tmp_path, memoizer=memo) as one, kernel_in(tmp_path, memoizer=memo) as two:
        assert app(one, square)(4).result(WAIT) == 16
        assert app(two, square)(4).result(WAIT) == 16
    assert RUNS == [4]
    assert squares(tmp_path, 4, checkpoint_mode="task_exit") == []


def test_a_run_whose_log_is_gone_only_costs_its_results(tmp_path: Path) -> None:
    squares(tmp_path, 1, checkpoint_mode="task_exit")
    squares(tmp_path, 2, checkpoint_mode="task_exit")
    shutil.rmtree(tmp_path / "000" / "checkpoint")
    assert squares(tmp_path, 1, 2, checkpoint_mode="task_exit") == [1]


def test_states_count_what_was_found(tmp_path: Path) -> None:
    squares(tmp_path, 1, 2, checkpoint_mode="task_exit")
    with kernel_in(tmp_path, checkpoint_mode="task_exit") as kernel:
        for number in (1, 2, 3):
            app(kernel, square)(number).result(WAIT)
        counts = kernel.task_counts()
    assert (counts[TaskState.MEMO_DONE], counts[TaskState.EXEC_DONE]) == (2, 1)
