import copy
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from lamina.events import MemorySink
from lamina.executors import NotStartedError, Outcome, ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel, Kernel, KernelFuture, TaskOptions, TaskSpec
from lamina.retry_policy import Again, Decision, Retries, Trouble
from lamina.vocabulary import (
    Cause,
    ClosedError,
    ConfigError,
    DependencyError,
    Event,
    ExecutorLost,
    Failure,
    File,
    FutureInArgumentsError,
    HasStarted,
    JoinError,
    KernelClosedError,
    Resources,
    TaskState,
    TaskWalltime,
    WorkerLost,
)
from tests.fakes.executors import HandExecutor

WAIT = 10  # seconds, for a thread of ours


def add(left: Any, right: Any = 1) -> Any:
    return left + right


def explode(*_: object) -> None:
    raise ValueError("boom")


def total(inputs: list[int]) -> int:
    return sum(inputs)


@pytest.fixture
def hand() -> HandExecutor:
    return HandExecutor()


@pytest.fixture
def kernel(hand: HandExecutor, tmp_path: Path) -> Iterator[DataFlowKernel]:
    with DataFlowKernel(Config(executors=[hand], run_dir=tmp_path)) as made:
        yield made


def put(kernel: Kernel, function: Any, *args: Any, **options: Any) -> KernelFuture[Any]:
    own = {name: options.pop(name) for name in ("kwargs", "name", "outputs") if name in options}
    spec = TaskSpec(function, args, options=TaskOptions(**options), **own)
    kernel.submit(spec)
    assert isinstance(spec.future, KernelFuture)
    return spec.future


def test_a_chain_runs_in_order(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    last = put(kernel, add, put(kernel, add, 1))
    assert len(hand.held) == 1
    hand.run_all()
    assert last.result(WAIT) == 3
    assert kernel.task_counts()[TaskState.EXEC_DONE] == 2


def test_a_chain_of_100_000_tasks_needs_no_recursion(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 0)
    for _ in range(99_999):
        future = put(kernel, add, future)
    hand.run_all()
    assert future.result(WAIT) == 100_000


def test_a_chain_of_20_000_tasks_fails_as_a_whole(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, explode, name="first")
    for _ in range(20_000):
        future = put(kernel, add, future)
    hand.run()
    error = future.exception(WAIT)
    assert isinstance(error, DependencyError)
    assert error.root == "first (task 0)"
    assert isinstance(error.__cause__, ValueError)
    assert any("first (task 0), attempt 1 on hand" in note for note in error.__cause__.__notes__)


def test_futures_in_inputs_and_keywords_are_replaced_and_the_callers_list_is_not_changed(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    one = put(kernel, add, 0)
    inputs = [one, 5]
    summed = put(kernel, total, kwargs={"inputs": inputs})
    named = put(kernel, add, 1, kwargs={"right": one})
    hand.run_all()
    assert summed.result(WAIT) == 6
    assert named.result(WAIT) == 2
    assert inputs == [one, 5]


def test_a_future_where_the_resolver_does_not_look_is_refused_with_its_path(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    hidden: Future[int] = Future()
    with pytest.raises(FutureInArgumentsError) as caught:
        put(kernel, add, {"x": [1, 2, hidden]})
    assert caught.value.path == "args[0]['x'][2]"


def test_the_deep_resolver_looks_everywhere(hand: HandExecutor, tmp_path: Path) -> None:
    config = Config(executors=[hand], run_dir=tmp_path, dependency_resolver="deep")
    with DataFlowKernel(config) as kernel:
        one = put(kernel, add, 0)
        deep = put(kernel, repr, {"x": [one]})
        hand.run_all()
        assert deep.result(WAIT) == "{'x': [1]}"


def test_a_future_of_another_library_is_waited_for(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    foreign: Future[int] = Future()
    mine = put(kernel, add, foreign)
    assert not hand.held
    assert "waits for 1" in kernel.explain(mine.task_id)  # type: ignore[arg-type]
    foreign.set_result(41)
    hand.run_all()
    assert mine.result(WAIT) == 42


def test_two_kernels_at_once_pass_futures_to_each_other(
    kernel: DataFlowKernel, hand: HandExecutor, tmp_path: Path
) -> None:
    other = HandExecutor()
    with DataFlowKernel(Config(executors=[other], run_dir=tmp_path)) as second:
        theirs = put(second, add, put(kernel, add, 0))
        done = threading.Event()
        hand.run()
        theirs.add_done_callback(lambda _: done.set())
        deadline = threading.Event()
        while not other.held and not deadline.wait(0.001):
            pass
        other.run()
        assert theirs.result(WAIT) == 2
        assert done.wait(WAIT)
        assert second.run_dir != kernel.run_dir


def test_cancelling_is_immediate_and_tells_the_executor(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1)
    after = put(kernel, add, future)
    hand.begin()
    task = future.task_id
    assert task is not None
    assert kernel.state(task) is TaskState.RUNNING
    assert kernel.cancel(task)
    assert future.cancelled()
    assert not kernel.cancel(task)
    assert len(hand.cancelled) == 1
    error = after.exception(WAIT)
    assert isinstance(error, DependencyError)
    assert isinstance(error.__cause__, CancelledError)
    assert kernel.state(task) is None
    assert "final" in kernel.explain(task)


def test_a_done_callback_runs_on_the_callback_thread_and_may_raise(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    seen: list[str] = []
    done = threading.Event()

    def note(_: Future[Any]) -> None:
        seen.append(threading.current_thread().name)
        done.set()
        raise RuntimeError("a callback's own fault")

    future = put(kernel, add, 1)
    future.add_done_callback(note)
    hand.run()
    assert done.wait(WAIT)
    assert seen[0].startswith("lamina-callbacks")


def test_a_join_waits_for_all_futures_that_its_body_returned(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    inner: list[KernelFuture[Any]] = []
    begun = threading.Event()

    def body() -> dict[str, Future[Any]]:
        inner.extend(put(kernel, add, n) for n in range(2))
        begun.set()
        return dict(zip("ab", inner, strict=True))

    outer = put(kernel, body, join=True)
    assert begun.wait(WAIT)
    hand.run_all()
    assert outer.result(WAIT) == {"a": 1, "b": 2}


@pytest.mark.parametrize("empty", [[], (), {}])
def test_a_join_of_nothing_is_nothing(kernel: DataFlowKernel, empty: Any) -> None:
    assert put(kernel, lambda: empty, join=True).result(WAIT) == empty


def test_a_join_of_something_else_is_an_error_that_names_it(kernel: DataFlowKernel) -> None:
    with pytest.raises(TypeError, match="returned int 3"):
        put(kernel, lambda: 3, join=True).result(WAIT)


class OnlyFutures(dict[str, Any]):
    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(value, Future):
            raise TypeError("futures only")
        super().__setitem__(key, value)


def test_a_join_whose_container_will_not_take_the_results_fails(
    kernel: DataFlowKernel,
) -> None:
    ended: Future[int] = Future()
    ended.set_result(1)
    with pytest.raises(TypeError, match="futures only"):
        put(kernel, lambda: OnlyFutures(a=ended), join=True).result(WAIT)


def test_a_join_of_a_failed_future_has_its_error_as_cause(kernel: DataFlowKernel) -> None:
    failed: Future[int] = Future()
    failed.set_exception(ValueError("boom"))
    with pytest.raises(JoinError) as caught:
        put(kernel, lambda: [failed], join=True).result(WAIT)
    assert isinstance(caught.value.__cause__, ValueError)


def test_retries_make_new_attempts_with_new_numbers(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1, retry=Retries(1))
    hand.fail(WorkerLost("gone"))
    hand.run()
    assert future.result(WAIT) == 2
    assert len({request.attempt for request in hand.launched}) == 2


def test_the_default_gives_one_free_attempt_to_what_had_not_started(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1)
    hand.fail(WorkerLost("gone"), started=HasStarted.NO)
    hand.fail(WorkerLost("gone again"), started=HasStarted.YES)
    assert isinstance(future.exception(WAIT), WorkerLost)


class Later:
    def decide(self, trouble: Trouble) -> Decision:
        return Again(delay=0.01, avoid=["n1"])


class Undecided:
    def decide(self, trouble: Trouble) -> Any:
        return "again"


class Broken:
    def decide(self, trouble: Trouble) -> Decision:
        raise KeyError("policy")


def test_a_delayed_attempt_comes_when_its_time_has_come(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1, retry=Later())
    hand.fail(WorkerLost("gone"))
    pause = threading.Event()
    while not hand.held:
        pause.wait(0.001)
    assert hand.launched[1].avoid == ("n1",)
    hand.run()
    assert future.result(WAIT) == 2


def test_each_new_attempt_is_told_and_the_error_tells_of_all(tmp_path: Path) -> None:
    hand, sink = HandExecutor(), MemorySink()
    config = Config(executors=[hand], run_dir=tmp_path, event_sinks=[sink])
    with DataFlowKernel(config) as kernel:
        future = put(kernel, add, 1, retry=Retries(1), name="add")
        hand.fail(WorkerLost("gone"))
        hand.fail(WorkerLost("gone again"))
        error = future.exception(WAIT)
    assert isinstance(error, WorkerLost)
    (note,) = [note for note in error.__notes__ if "raised in add (task 0), attempt 2" in note]
    assert "earlier attempts: 1: WorkerLost: gone" in note
    (told,) = [event.facts for event in sink.events if event.kind == "task.retried"]
    assert (told["name"], told["cause"], told["failed"]) == ("add", "worker_lost", 1)


def test_a_policy_that_raises_ends_the_task_with_both_errors(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1, retry=Broken())
    hand.fail(WorkerLost("gone"))
    error = future.exception(WAIT)
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, WorkerLost)


def test_a_policy_that_decides_nothing_is_told_what_it_may_decide(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1, retry=Undecided())
    hand.fail(WorkerLost("gone"))
    with pytest.raises(TypeError, match="decided 'again'; it must be an Again or a GiveUp"):
        future.result(WAIT)


def test_an_executor_that_raises_in_launch_loses_its_tasks_and_no_future(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    hand.refuses = NotStartedError("hand")
    error = put(kernel, add, 1).exception(WAIT)
    assert isinstance(error, ExecutorLost)
    assert isinstance(error.__cause__, NotStartedError)


def test_equal_calls_are_merged_in_flight_and_remembered_afterwards(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    first, second = (put(kernel, add, 1, cache=True) for _ in range(2))
    assert len(hand.held) == 1
    assert first.cancel()
    assert not hand.cancelled
    hand.run()
    assert second.result(WAIT) == 2
    assert put(kernel, add, 1, cache=True).result(WAIT) == 2
    assert kernel.task_counts()[TaskState.MEMO_DONE] == 1


def test_a_hit_counts_only_while_its_outputs_look_the_same(
    kernel: DataFlowKernel, hand: HandExecutor, tmp_path: Path
) -> None:
    path = tmp_path / "out"
    path.write_text("a")
    outputs = (File(path),)
    put(kernel, add, 1, cache=True, outputs=outputs)
    hand.run()
    assert put(kernel, add, 1, cache=True, outputs=outputs).result(WAIT) == 2
    path.unlink()
    again = put(kernel, add, 1, cache=True, outputs=outputs)
    assert not again.done()
    assert len(hand.held) == 1


def test_an_argument_without_a_memo_key_fails_the_task(kernel: DataFlowKernel) -> None:
    error = put(kernel, add, threading.Lock(), cache=True).exception(WAIT)
    assert type(error).__name__ == "MemoKeyError"


def test_labels_restrict_and_unknown_ones_are_refused_at_the_call(tmp_path: Path) -> None:
    left, right = HandExecutor("left"), HandExecutor("right")
    with DataFlowKernel(Config(executors=[left, right], run_dir=tmp_path)) as kernel:
        for _ in range(3):
            put(kernel, add, 1, executors=("right",))
        assert (len(left.held), len(right.held)) == (0, 3)
        put(kernel, add, 1)
        assert len(left.held) == 1
        with pytest.raises(ConfigError, match="'left', 'right'"):
            put(kernel, add, 1, executors=("rigth",))
        assert list(kernel.executors) == list(kernel.labels) == ["left", "right"]


def test_resources_that_no_executor_honours_fail_the_task(kernel: DataFlowKernel) -> None:
    future = put(kernel, add, 1, resources=Resources(accelerators=1))
    with pytest.raises(ConfigError, match="accelerators"):
        future.result(WAIT)


def test_an_executor_that_runs_already_is_copied(hand: HandExecutor, tmp_path: Path) -> None:
    config = Config(executors=[hand], run_dir=tmp_path)
    with DataFlowKernel(config) as one, DataFlowKernel(config) as two:
        assert one.executors["hand"] is hand
        assert two.executors["hand"] is not hand


def test_closing_resolves_everything(hand: HandExecutor, tmp_path: Path) -> None:
    kernel = DataFlowKernel(Config(executors=[hand], run_dir=tmp_path))
    running = put(kernel, add, 1)
    waiting = put(kernel, add, running)
    kernel.close()
    kernel.close()
    assert isinstance(running.exception(0), ClosedError)
    assert isinstance(waiting.exception(0), ClosedError)
    with pytest.raises(KernelClosedError):
        put(kernel, add, 1)


@pytest.mark.parametrize(
    "nonsense, says",
    [
        ("the text of a failure instead of one", "'str' object has no attribute 'cause'"),
        (Failure(cause=Cause.WORKER_LOST, error=None), "None is no exception"),  # type: ignore[arg-type]
    ],
)
def test_a_task_of_which_an_executor_says_nonsense_fails_and_no_other_suffers(
    kernel: DataFlowKernel, hand: HandExecutor, nonsense: Any, says: str
) -> None:
    well, ill = put(kernel, add, 1), put(kernel, add, 2)
    attempts, (_, report) = [*hand.held], hand.held[next(iter(hand.held))]
    hand.held.clear()
    report([nonsense, Outcome(attempts[1], failure=nonsense), Outcome(attempts[0], 2)])
    assert well.result(WAIT) == 2
    with pytest.raises(ExecutorLost, match=f"what cannot be understood: {says}"):
        ill.result(WAIT)


class Nameless:
    """A policy that raises, and then again when it is to be named."""

    def decide(self, _: object) -> Any:
        raise ValueError("it cannot decide")

    def __repr__(self) -> str:
        raise RuntimeError("it has no name")


def test_a_task_with_which_the_kernel_cannot_go_on_ends(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1, retry=Nameless())
    hand.fail(WorkerLost("gone"))
    assert isinstance(future.exception(WAIT), RuntimeError)


class SlowToClose(HandExecutor):
    """It ends when it may, and once it does not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = threading.Event(), threading.Event()
        self.interrupted = False

    def close(self, timeout: float | None = None) -> None:
        self.asked.set()
        if self.interrupted:
            self.interrupted = False
            raise KeyboardInterrupt
        assert self.may.wait(WAIT)
        super().close(timeout)


def test_who_closes_a_kernel_that_is_being_closed_waits_until_it_is(tmp_path: Path) -> None:
    slow = SlowToClose()
    kernel = DataFlowKernel(Config(executors=[slow], run_dir=tmp_path))
    running = put(kernel, add, 1)
    closers = [threading.Thread(target=kernel.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    assert slow.asked.wait(WAIT)
    kernel.close(timeout=0.01)  # it has no more time than that
    assert all(closer.is_alive() for closer in closers)
    slow.may.set()
    for closer in closers:
        closer.join(WAIT)
        assert not closer.is_alive()
    assert isinstance(running.exception(0), ClosedError)


def test_a_kernel_whose_closing_was_interrupted_can_be_closed(tmp_path: Path) -> None:
    slow = SlowToClose()
    slow.interrupted = True
    slow.may.set()
    kernel = DataFlowKernel(Config(executors=[slow], run_dir=tmp_path))
    running = put(kernel, add, 1)
    with pytest.raises(KeyboardInterrupt):
        kernel.close()
    kernel.close()
    assert isinstance(running.exception(0), ClosedError)


def test_what_runs_on_the_closing_thread_may_close_the_kernel_too(tmp_path: Path) -> None:
    kernels: list[DataFlowKernel] = []

    class Closes(HandExecutor):
        def close(self, timeout: float | None = None) -> None:
            kernels[0].close()  # as a signal handler does that comes meanwhile
            super().close(timeout)

    kernels.append(DataFlowKernel(Config(executors=[Closes()], run_dir=tmp_path)))
    running = put(kernels[0], add, 1)
    closer = threading.Thread(target=kernels[0].close, daemon=True)
    closer.start()
    closer.join(WAIT)
    assert not closer.is_alive()
    assert isinstance(running.exception(0), ClosedError)


def test_a_callback_may_close_a_kernel_that_is_being_closed(tmp_path: Path) -> None:
    kernel = DataFlowKernel(Config(executors=[HandExecutor()], run_dir=tmp_path))
    running = put(kernel, add, 1)
    took: list[float] = []

    def close(_: object) -> None:
        began = time.monotonic()
        kernel.close()
        took.append(time.monotonic() - began)

    running.add_done_callback(close)
    kernel.close()
    assert took[0] < 4  # it has not waited for who waits for it


def test_a_kernel_is_made_from_a_config_alone() -> None:
    with pytest.raises(ConfigError, match=r"was given .*; write Config\(executors="):
        DataFlowKernel(ThreadPoolExecutor())  # type: ignore[arg-type]


def test_a_kernel_that_nobody_has_closed_or_kept_is_closed_at_the_end(tmp_path: Path) -> None:
    program = """
        import gc, sys
        from lamina.events import JsonLinesSink
        from lamina.executors import ThreadPoolExecutor
        from lamina.kernel import Config, DataFlowKernel

        class Sink(JsonLinesSink):
            def close(self):
                super().close()
                print("closed")

        sink = Sink(sys.argv[1] + "/events")
        config = Config(executors=[ThreadPoolExecutor()], run_dir=sys.argv[1], event_sinks=[sink])
        DataFlowKernel(config)
        gc.collect()
        print("the end")
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT * 6, check=True)
    assert done.stdout.split("\n") == ["the end", "closed", ""]


def test_exit_mode_wait_waits_and_skip_leaves_it_running(tmp_path: Path) -> None:
    config = Config(executors=[ThreadPoolExecutor()], run_dir=tmp_path, exit_mode="wait")
    with DataFlowKernel(config) as kernel:
        future = put(kernel, add, put(kernel, add, 1))
    assert future.result(0) == 3
    config = Config(executors=[copy.copy(HandExecutor())], run_dir=tmp_path, exit_mode="skip")
    with DataFlowKernel(config) as kernel:
        pass
    assert not kernel.closed
    kernel.close()


def test_waiting_for_current_tasks_has_a_time_limit(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    put(kernel, add, 1)
    with pytest.raises(TimeoutError, match="1 of 1"):
        kernel.wait_for_current_tasks(0.01)
    hand.run()
    kernel.wait_for_current_tasks(WAIT)


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def take(self, events: Any) -> None:
        self.events.extend(events)

    def close(self) -> None:
        self.closed = True


def test_each_change_of_state_is_an_event(tmp_path: Path) -> None:
    sink, hand = Listener(), HandExecutor()
    with DataFlowKernel(Config(executors=[hand], run_dir=tmp_path, event_sinks=(sink,))) as kernel:
        put(kernel, add, 1)
        hand.begin()
        hand.run()
    assert sink.closed
    assert [event.facts["state"] for event in sink.events] == [
        "pending",
        "launched",
        "running",
        "exec_done",
    ]


def test_the_last_event_of_a_task_says_which_executor_had_it(tmp_path: Path) -> None:
    sink, hand = Listener(), HandExecutor()
    with DataFlowKernel(Config(executors=[hand], run_dir=tmp_path, event_sinks=(sink,))) as kernel:
        put(kernel, add, 1)
        hand.run()
    assert [event.facts["executor"] for event in sink.events] == [None, "hand", "hand"]


def test_a_kernel_whose_executor_cannot_start_closes_what_it_had_opened(tmp_path: Path) -> None:
    class Unwilling(HandExecutor):
        def start(self, site: Any) -> None:
            raise ConfigError("no")

    sink = Listener()
    with pytest.raises(ConfigError, match="no"):
        DataFlowKernel(Config(executors=[Unwilling()], run_dir=tmp_path, event_sinks=(sink,)))
    assert sink.closed


def test_a_task_runs_in_the_eyes_of_its_future_too(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1)
    assert not future.running()
    hand.begin()
    assert future.running()
    hand.run()
    assert not future.running()


@pytest.mark.parametrize("where", ["body", "joining"])
def test_a_join_has_a_walltime_for_its_body_and_what_it_joins(
    kernel: DataFlowKernel, hand: HandExecutor, where: str
) -> None:
    go = threading.Event()

    def body() -> Any:
        if where == "body":
            go.wait(WAIT)
        return put(kernel, add, 1)

    join = put(kernel, body, join=True, walltime=0.05)
    error = join.exception(WAIT)
    go.set()
    assert isinstance(error, TaskWalltime)
    assert not error.stopped
    assert "go on" in str(error)


def test_a_join_keeps_its_walltime_when_an_equal_call_takes_it_over(
    kernel: DataFlowKernel,
) -> None:
    go, began = threading.Event(), threading.Event()

    def body() -> Any:
        began.set()
        go.wait(WAIT)
        return put(kernel, add, 1)

    first, second = (
        put(kernel, body, join=True, walltime=0.5, cache=True, memo_function=add) for _ in range(2)
    )
    assert began.wait(WAIT)
    assert first.cancel()
    assert isinstance(second.exception(WAIT), TaskWalltime)
    go.set()


def test_a_join_that_is_cancelled_leaves_the_tasks_that_it_called(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    inner: list[KernelFuture[Any]] = []

    def body() -> Any:
        inner.append(put(kernel, add, 1))
        return inner[0]

    join = put(kernel, body, join=True)
    pause, task = threading.Event(), join.task_id
    assert task is not None
    while kernel.state(task) is not TaskState.JOINING:
        pause.wait(0.001)
    assert join.cancel()
    hand.run()
    assert inner[0].result(WAIT) == 2


def test_submission_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    config = Config(executors=[ThreadPoolExecutor(max_threads=2)], run_dir=tmp_path)
    with DataFlowKernel(config) as kernel:
        futures: list[KernelFuture[Any]] = []

        def submit() -> None:
            futures.extend(put(kernel, add, n) for n in range(500))

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(future.result(WAIT) for future in futures) == 4 * sum(range(1, 501))


def test_a_plain_future_is_resolved_too_and_its_cancellation_is_seen(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    plain: Future[int] = Future()
    kernel.submit(TaskSpec(function=add, args=(1,), future=plain))
    hand.run()
    assert plain.result(WAIT) == 2
    other: Future[int] = Future()
    kernel.submit(TaskSpec(function=add, args=(1,), future=other))
    other.cancel()
    assert len(hand.cancelled) == 1


def test_whoever_waits_for_a_plain_future_is_woken_when_it_is_cancelled(
    kernel: DataFlowKernel,
) -> None:
    future: Future[int] = Future()
    task = kernel.submit(TaskSpec(add, (1,), future=future))
    waiting = threading.Thread(target=wait, args=([future],), daemon=True)
    waiting.start()
    assert kernel.cancel(task)
    waiting.join(WAIT)
    assert not waiting.is_alive()
    kernel.wait_for_current_tasks(WAIT)


def test_a_callback_that_waits_holds_up_no_task_of_another_kernel(tmp_path: Path) -> None:
    config = Config(executors=[ThreadPoolExecutor()], run_dir=tmp_path)
    go, results = threading.Event(), SimpleQueue[int]()
    with DataFlowKernel(config) as one, DataFlowKernel(config) as other:

        def wait_for_another(_: object) -> None:
            results.put(put(other, add, put(one, add, 1)).result(WAIT))

        first = put(one, go.wait, WAIT)
        first.add_done_callback(wait_for_another)
        go.set()
        assert results.get(timeout=WAIT) == 3


def test_a_task_that_the_executor_cancelled_is_cancelled(
    kernel: DataFlowKernel, hand: HandExecutor
) -> None:
    future = put(kernel, add, 1)
    hand.fail(CancelledError(), Cause.CANCELLED)
    assert future.cancelled()


def test_explain_says_where_a_task_is(kernel: DataFlowKernel, hand: HandExecutor) -> None:
    first = put(kernel, add, 1, name="first")
    second = put(kernel, add, first)
    assert first.task_id is not None
    assert second.task_id is not None
    assert "was given to executor 'hand'" in kernel.explain(first.task_id)
    assert "the first being first (task 0)" in kernel.explain(second.task_id)
    assert kernel.state(second.task_id) is TaskState.PENDING
