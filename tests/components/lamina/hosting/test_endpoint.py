"""An endpoint over threads, where no process is needed, and over workers of this machine."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.events import MemorySink
from lamina.executors import (
    AlreadyStartedError,
    NotStartedError,
    Outcome,
    Report,
    Started,
    TaskRequest,
    ThreadPoolExecutor,
)
from lamina.executors_htex import HighThroughputExecutor
from lamina.hosting import Endpoint, EndpointConfig, ask, read_record
from lamina.vocabulary import (
    AttemptId,
    ConfigError,
    Event,
    SerializationError,
    TaskError,
    UsageError,
)

WAIT = 20.0  # seconds


def until(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(WAIT / 2000)
    pytest.fail("waited in vain")


def states(sink: MemorySink, task: int) -> list[object]:
    told = [event.facts for event in sink.events if event.kind == "task.state"]
    return [facts["state"] for facts in told if facts["task"] == task]


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def threads(tmp_path: Path, sink: MemorySink) -> Endpoint:
    executors = [ThreadPoolExecutor(max_threads=2), ThreadPoolExecutor(label="others")]
    return Endpoint(EndpointConfig(executors=executors, event_sinks=[sink], run_dir=tmp_path))


@pytest.fixture
def workers(tmp_path: Path, sink: MemorySink) -> Iterator[Endpoint]:
    options = {
        "run_dir": str(tmp_path / "runs"),
        "executors": [
            {
                "use": "htex",
                "label": "work",
                "codec": "pickle",
                "max_workers_per_node": 1,
                "provider": {"use": "local", "max_blocks": 2, "status_polling_interval": 0.05},
            }
        ],
        "event_sinks": [sink],
    }
    endpoint = Endpoint(options).start()
    yield endpoint
    endpoint.shutdown(wait=False, timeout=WAIT)


def test_a_call_has_its_value_and_tells_its_states(threads: Endpoint, sink: MemorySink) -> None:
    with threads:
        future = threads.submit(pow, 2, 10)
        assert future.result(WAIT) == 1024
    told = states(sink, future.task)
    assert told[0] == "launched"
    assert told[-1] == "exec_done"
    (first, *_) = [event for event in sink.events if event.kind == "task.state"]
    assert first.facts["name"] == "pow"
    assert first.facts["executor"] == "threads"


def test_an_error_of_the_function_is_the_future_s(threads: Endpoint, sink: MemorySink) -> None:
    with threads:
        future = threads.submit(int, "x")
        with pytest.raises(ValueError, match="invalid literal"):
            future.result(WAIT)
    last = [e.facts for e in sink.events if e.kind == "task.state"][-1]
    assert (last["state"], last["cause"]) == ("failed", "application")
    assert "invalid literal" in str(last["reason"])


def test_options_say_where_and_as_what(threads: Endpoint, sink: MemorySink) -> None:
    with threads:
        threads.options(executor="others", name="mine").submit(abs, -1).result(WAIT)
        with pytest.raises(UsageError, match="no executor 'none'; there are: threads, others"):
            threads.options(executor="none").submit(abs, -1)
    facts = [event.facts for event in sink.events if event.kind == "task.state"]
    assert {(one["executor"], one["name"]) for one in facts} == {("others", "mine")}


def test_one_that_waits_can_be_cancelled(tmp_path: Path, sink: MemorySink) -> None:
    release = threading.Event()
    one = ThreadPoolExecutor(max_threads=1)
    with Endpoint(
        EndpointConfig(executors=[one], event_sinks=[sink], run_dir=tmp_path)
    ) as endpoint:
        first = endpoint.submit(release.wait, WAIT)
        until(first.running)
        second = endpoint.submit(abs, -1)
        assert second.cancel()
        with pytest.raises(CancelledError):
            second.result(0)
        assert endpoint.outstanding() == 1
        release.set()
    assert states(sink, second.task) == ["launched", "cancelled"]
    assert states(sink, first.task)[:2] == ["launched", "running"]


def test_it_takes_tasks_between_its_start_and_its_end_and_can_begin_again(
    threads: Endpoint, tmp_path: Path
) -> None:
    with pytest.raises(NotStartedError):
        threads.submit(abs, -1)
    with pytest.raises(NotStartedError):
        _ = threads.site
    threads.shutdown()
    with threads:
        assert threads.site.run_dir == tmp_path / "000"
        with pytest.raises(AlreadyStartedError):
            threads.start()
    with pytest.raises(NotStartedError):
        threads.submit(abs, -1)
    with threads:
        assert threads.submit(abs, -1).result(WAIT) == 1
        assert threads.site.run_dir == tmp_path / "001"


def test_the_end_waits_for_what_was_taken_unless_it_is_told_not_to(threads: Endpoint) -> None:
    release = threading.Event()
    with threads:
        future = threads.submit(release.wait, WAIT)
        threading.Timer(0.05, release.set).start()
    assert future.result(0) is True


def test_what_still_runs_fails_where_nobody_waits_for_it(workers: Endpoint) -> None:
    future = workers.submit(_wait_for_ever)
    until(future.running)
    workers.shutdown(wait=False, timeout=WAIT)
    with pytest.raises(TaskError, match="closed"):
        future.result(0)


def test_after_an_exception_nobody_waits(threads: Endpoint) -> None:
    release = threading.Event()
    threads.start()
    future = threads.submit(release.wait, WAIT)
    threads.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert future.done()
    release.set()
    with pytest.raises(TaskError):
        future.result(0)


def test_what_cannot_be_pickled_is_an_error_of_its_future(workers: Endpoint) -> None:
    with pytest.raises(SerializationError, match="lambda"):
        workers.submit(lambda: 1).result(WAIT)


def test_an_executor_that_cannot_start_leaves_nothing_running(tmp_path: Path) -> None:
    good, bad = ThreadPoolExecutor(), _Refuses()
    endpoint = Endpoint(EndpointConfig(executors=[good, bad], run_dir=tmp_path))
    with pytest.raises(ConfigError, match="not here"):
        endpoint.start()
    with pytest.raises(NotStartedError):
        endpoint.executors["threads"].launch([], print)
    with pytest.raises(NotStartedError):
        endpoint.submit(abs, -1)


def test_a_launch_that_is_refused_leaves_no_future_behind(threads: Endpoint) -> None:
    with threads:
        threads.executors["threads"].close()
        with pytest.raises(NotStartedError):
            threads.submit(abs, -1)
        assert threads.outstanding() == 0


def test_a_launch_that_fails_while_the_end_waits_is_waited_for_no_longer(tmp_path: Path) -> None:
    go_on = threading.Event()
    endpoint = Endpoint(EndpointConfig(executors=[_Slow()], run_dir=tmp_path)).start()
    ours = endpoint.executors["slow"]
    assert isinstance(ours, _Slow)
    ours.first = lambda: go_on.wait(WAIT)
    submitting = threading.Thread(target=_submit_in_vain, args=[endpoint])
    submitting.start()
    until(lambda: ours.taken)
    ending = threading.Thread(target=endpoint.shutdown, daemon=True)
    ending.start()
    until(lambda: isinstance(_submit_in_vain(endpoint), NotStartedError))
    threading.Timer(0.1, go_on.set).start()
    ending.join(WAIT)
    assert not ending.is_alive()
    submitting.join(WAIT)


def test_an_end_that_is_interrupted_while_it_waits_leaves_nothing_running(
    threads: Endpoint,
) -> None:
    threads.start()
    release = threading.Event()
    future = threads.submit(release.wait, WAIT)
    us = threading.get_ident()
    threading.Timer(0.1, signal.pthread_kill, (us, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        threads.shutdown()
    release.set()
    with pytest.raises(TaskError, match="closed"):
        future.result(0)
    with pytest.raises(NotStartedError):
        _ = threads.site


def test_an_executor_that_cannot_be_closed_keeps_no_other_from_it(
    tmp_path: Path, sink: MemorySink
) -> None:
    endpoint = Endpoint(
        EndpointConfig(
            executors=[_Slow(), ThreadPoolExecutor()], event_sinks=[sink], run_dir=tmp_path
        )
    ).start()
    ours = endpoint.executors["slow"]
    assert isinstance(ours, _Slow)
    ours.broken = True
    with pytest.raises(ZeroDivisionError):
        endpoint.shutdown()
    with pytest.raises(NotStartedError):
        endpoint.executors["threads"].launch([], print)
    assert sink.closed
    assert sink.events[-1].kind == "endpoint.ended"
    assert read_record(tmp_path).lives is False


def test_news_of_a_task_that_was_cancelled_change_nothing(tmp_path: Path) -> None:
    executor = _Slow()
    endpoint = Endpoint(EndpointConfig(executors=[executor], run_dir=tmp_path)).start()
    ours = endpoint.executors["slow"]
    assert isinstance(ours, _Slow)
    future = endpoint.submit(abs, -1)
    assert future.cancel()
    assert ours.cancelled == [future.task]
    ours.report([Started(future.task, 1.0), Outcome(future.task, 1)])
    assert future.cancelled()
    endpoint.shutdown()


def test_threads_have_no_blocks_to_scale(threads: Endpoint) -> None:
    assert threads.blocks() == {"threads": (), "others": ()}
    with pytest.raises(UsageError, match="has no blocks"):
        threads.scale(1)


def test_a_payload_is_run_by_the_callable_that_it_names(workers: Endpoint) -> None:
    assert workers.submit_payload("zlib:crc32", b"abc").result(WAIT) == 0x352441C2
    with pytest.raises(ModuleNotFoundError):
        workers.submit_payload("no_such_module:run", b"abc").result(WAIT)


def test_a_task_that_runs_is_stopped_with_its_cancellation(workers: Endpoint) -> None:
    long = workers.submit(_wait_for_ever)
    until(long.running)
    assert long.cancel()
    assert workers.submit(pow, 2, 3).result(WAIT) == 8  # the only worker is free


def test_walltime_and_environment_reach_the_worker(workers: Endpoint) -> None:
    marked = workers.options(env={"LAMINA_TEST_MARK": "here"})
    assert marked.submit(os.getenv, "LAMINA_TEST_MARK").result(WAIT) == "here"
    with pytest.raises(TaskError, match="walltime"):
        workers.options(walltime=0.3).submit(_wait_for_ever).result(WAIT)


def test_blocks_come_and_go_by_hand_and_each_state_is_an_event(
    workers: Endpoint, sink: MemorySink
) -> None:
    assert workers.submit(abs, -1).result(WAIT) == 1
    workers.scale(2)
    until(lambda: [one.managers for one in workers.blocks()["work"]] == [1, 1])
    workers.scale(0, executor="work")
    until(lambda: [one.state for one in workers.blocks()["work"]] == ["cancelled"] * 2)
    until(lambda: [one.managers for one in workers.blocks()["work"]] == [0, 0])
    workers.scale(None)
    assert workers.submit(abs, -2).result(WAIT) == 2
    record = read_record(workers.config.run_dir)
    assert record.lives
    told = [event.facts for event in sink.events if event.kind == "block.state"]
    assert [one["state"] for one in told].count("cancelled") == 2
    workers.shutdown()
    record = read_record(workers.config.run_dir)
    assert record.lives is False
    assert [one.state for one in record.blocks["work"]] == ["cancelled"] * 3


def test_blocks_are_drained_from_here_and_from_other_programs(workers: Endpoint) -> None:
    assert workers.submit(abs, -1).result(WAIT) == 1
    workers.drain("0")
    until(lambda: workers.blocks()["work"][0].state == "completed")
    assert workers.submit(abs, -2).result(WAIT) == 2
    record = read_record(workers.config.run_dir)
    ask(record.door, {"do": "drain"})
    until(lambda: workers.blocks()["work"][1].state == "completed")
    with pytest.raises(UsageError, match="no block '7'"):
        ask(record.door, {"do": "drain", "executor": "work", "block": "7"})
    with pytest.raises(UsageError, match="it can drain"):
        ask(record.door, {"do": "explode"})
    workers.shutdown()
    with pytest.raises(UsageError, match="does not listen"):
        ask(record.door, {"do": "drain"})


def test_where_there_are_no_blocks_or_several_executors_drain_says_so(
    threads: Endpoint, tmp_path: Path
) -> None:
    for executor in (None, "threads"):
        with pytest.raises(UsageError, match="has blocks to drain"):
            threads.drain(executor=executor)
    two = Endpoint(
        EndpointConfig(
            executors=[HighThroughputExecutor("one"), HighThroughputExecutor("two")],
            run_dir=tmp_path,
        )
    )
    with pytest.raises(UsageError, match="name one of: one, two"):
        two.drain("0")


@pytest.mark.parametrize("blocks", [-1, 1.5, True, "2"])
def test_a_number_of_blocks_is_a_number(workers: Endpoint, blocks: Any) -> None:
    with pytest.raises(UsageError, match="whole number"):
        workers.scale(blocks)


def _submit_in_vain(endpoint: Endpoint) -> Exception:
    try:
        endpoint.submit(abs, -1)
    except Exception as error:
        return error
    raise AssertionError


def _wait_for_ever() -> None:
    threading.Event().wait()


class _Refuses(ThreadPoolExecutor):
    """An executor whose settings suit no machine."""

    def __init__(self) -> None:
        super().__init__(label="refuses")

    def __copy__(self) -> "_Refuses":
        return _Refuses()

    def start(self, site: object) -> None:
        raise ConfigError("not here")


@attrs.define(eq=False)
class _Slow:
    """An executor whose word comes when the test wants."""

    label: str = "slow"
    report: Report = print
    taken: list[TaskRequest] = attrs.field(factory=list)
    cancelled: list[AttemptId] = attrs.field(factory=list)
    first: Callable[[], object] | None = None
    """Waited for by the first launch; then that one and all others fail."""
    broken: bool = False
    """Whether it cannot be closed."""

    def __copy__(self) -> "_Slow":
        return _Slow()

    @property
    def capabilities(self) -> Any:
        raise NotImplementedError

    def start(self, site: object) -> None:
        pass

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        self.report = report
        self.taken += tasks
        if self.first is not None:
            if len(self.taken) == 1:
                self.first()
            raise ZeroDivisionError

    def cancel(self, attempts: Sequence[AttemptId]) -> None:
        self.cancelled += attempts

    def load(self) -> Any:
        raise NotImplementedError

    def close(self, timeout: float | None = None) -> None:
        if self.broken:
            raise ZeroDivisionError


def test_what_a_task_is_expected_to_take_reaches_the_executor(tmp_path: Path) -> None:
    endpoint = Endpoint(EndpointConfig(executors=[_Slow()], run_dir=tmp_path)).start()
    ours = endpoint.executors["slow"]
    assert isinstance(ours, _Slow)
    future = endpoint.options(expected="2 min").submit(abs, -1)
    assert [task.expected for task in ours.taken] == [120]
    assert future.cancel()
    ours.report([Outcome(future.task, 1)])
    endpoint.shutdown()


def test_what_executors_emit_reaches_the_sinks(threads: Endpoint, sink: MemorySink) -> None:
    with threads:
        emit = threads.site.emit
        assert emit is not None
        emit([Event(1.0, "manager.came", {"manager": "m"})])
    kinds = [event.kind for event in sink.events]
    assert kinds == ["endpoint.started", "manager.came", "endpoint.ended"]
