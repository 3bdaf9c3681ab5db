import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs
import pytest

from lamina.codec import PickleCodec, Shared
from lamina.executors import Call, News, Outcome, Payload, Site, Started, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.engine import Engine
from lamina.htex_core import PROTOCOL, ManagerLoad
from lamina.processes import descendants
from lamina.providers import BlockRequest, JobState, JobStatus, LocalProvider, SubmitRejected
from lamina.vocabulary import AttemptId, Cause, Event, ExecutorLost, HasStarted, JobId

PATIENCE = 15.0  # seconds


class _Ledger:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.started = threading.Event()
        self._changed = threading.Condition()

    def report(self, news: Sequence[News]) -> None:
        if any(isinstance(one, Started) for one in news):
            self.started.set()
        with self._changed:
            self.outcomes += [one for one in news if isinstance(one, Outcome)]
            self._changed.notify_all()

    def one(self) -> Outcome:
        with self._changed:
            assert self._changed.wait_for(lambda: self.outcomes, PATIENCE)
        return self.outcomes.pop()


class _NoBlocks(LocalProvider):
    """Says no to every block."""

    def submit(self, request: BlockRequest) -> JobId:
        raise SubmitRejected(request.block, "bash", 1, "no room")


class _Faulty(LocalProvider):
    """Has a fault that no provider should have."""

    def submit(self, request: BlockRequest) -> JobId:
        raise ZeroDivisionError("a fault")


@attrs.frozen(kw_only=True)
class _OneWaits(LocalProvider):
    """Has one job in the queue for ever, and says no to every other block."""

    cancelled: "SimpleQueue[JobId]" = attrs.field(factory=SimpleQueue)

    def submit(self, request: BlockRequest) -> JobId:
        if request.block != "0":
            raise SubmitRejected(request.block, "bash", 1, "no room")
        return JobId("17")

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        return dict.fromkeys(jobs, JobStatus(state=JobState.PENDING))

    def cancel(self, jobs: Collection[JobId]) -> None:
        for job in jobs:
            self.cancelled.put(job)


def _engine(
    folder: Path, events: list[Event], provider: LocalProvider | None = None, **options: Any
) -> Engine:
    executor = HighThroughputExecutor(
        max_workers_per_node=1,
        provider=provider or LocalProvider(status_polling_interval=0.01),
        **options,
    )
    site = Site(run_dir=folder, emit=events.extend)
    return Engine(executor.settings, site, PickleCodec(), f"htex-{PROTOCOL}")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def engine(tmp_path: Path, events: list[Event]) -> Iterator[Engine]:
    made = _engine(tmp_path, events)
    made.start()
    yield made
    made.close(5.0)


def _task(call: Call | Payload, number: int = 1) -> TaskRequest:
    return TaskRequest(AttemptId(number), call, name="the task")


def _idle(engine: Engine) -> ManagerLoad:
    """The load of its one manager, once that has said that it is idle."""
    for _ in range(3000):
        (load,) = engine.loads().values()
        if load.idle_since is not None:
            break
        threading.Event().wait(0.01)
    return load


def _interchange() -> int | None:
    """The process of the one interchange that this process has, if there is one now."""
    for pid in descendants(os.getpid()):
        try:
            if b"htex_interchange" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:
            pass  # it has ended meanwhile
    return None


def test_a_call_has_its_outcome_and_the_blocks_their_events(
    engine: Engine, events: list[Event]
) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(abs, (-3,)))], ledger.report)
    outcome = ledger.one()
    assert (outcome.value, outcome.failure) == (3, None)
    assert engine.outstanding() == 0
    kinds = [event.kind for event in events]
    assert "block.requested" in kinds
    assert "manager.came" in kinds


def test_a_payload_goes_to_its_runner_unread(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Payload("binascii:hexlify", b"\x01\x02"))], ledger.report)
    assert ledger.one().value == b"0102"


def test_a_call_that_cannot_be_pickled_fails_before_it_is_sent(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(abs, (threading.Lock(),)))], ledger.report)
    failure = ledger.one().failure
    assert failure is not None
    assert failure.cause is Cause.SERIALIZATION
    assert failure.started is HasStarted.NO


def test_a_report_that_fails_keeps_no_outcome_from_others(engine: Engine) -> None:
    busy, go = threading.Event(), threading.Event()

    def waits(_: object) -> None:
        busy.set()
        go.wait(5.0)

    def fails(_: object) -> None:
        raise RuntimeError("a report that fails")

    def bad(number: int) -> TaskRequest:
        return TaskRequest(AttemptId(number), Call(abs, (threading.Lock(),)))

    engine.launch([bad(1)], waits)
    assert busy.wait(5.0)
    ledger = _Ledger()
    engine.launch([bad(2)], fails)  # delivered together with the next one
    engine.launch([bad(3)], ledger.report)
    go.set()
    failure = ledger.one().failure
    assert failure is not None
    assert failure.cause is Cause.SERIALIZATION


def test_a_closed_one_takes_nothing(tmp_path: Path, events: list[Event]) -> None:
    engine = _engine(tmp_path, events)
    engine.start()
    engine.close(5.0)
    engine.close(5.0)
    assert not engine.launch([_task(Call(abs, (-3,)))], _Ledger().report)


def test_tasks_fail_when_no_block_can_be_had(tmp_path: Path, events: list[Event]) -> None:
    provider = _NoBlocks(status_polling_interval=0.01)
    engine = _engine(tmp_path, events, provider)
    engine.start()
    ledger = _Ledger()
    try:
        assert engine.launch([_task(Call(abs, (-3,)))], ledger.report)
        failure = ledger.one().failure
        assert failure is not None
        assert isinstance(failure.error, ExecutorLost)
        assert "no room" in str(failure.error)
    finally:
        engine.close(5.0)


def test_it_says_of_each_manager_how_busy_it_is(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(abs, (-3,)))], ledger.report)
    ledger.one()
    load = _idle(engine)
    assert (load.block, load.slots, load.busy) == ("0", 1, 0)
    assert load.idle_since is not None
    assert load.idle_since <= time.monotonic()
    engine.hold("0")
    assert [load.held for load in engine.loads().values()] == [True]
    engine.unhold("0")
    engine.drain([*engine.loads()])
    assert engine.slots() == 0
    for _ in range(3000):
        if not engine.loads():
            break
        threading.Event().wait(0.01)
    assert engine.loads() == {}


def test_one_that_gives_up_leaves_no_job_in_the_queue_until_it_is_closed(
    tmp_path: Path, events: list[Event]
) -> None:
    provider = _OneWaits(init_blocks=2, max_blocks=2, status_polling_interval=0.01)
    engine = _engine(tmp_path, events, provider, block_error_handler="any_failed")
    engine.start()
    ledger = _Ledger()
    try:
        assert engine.launch([_task(Call(abs, (-3,)))], ledger.report)
        failure = ledger.one().failure
        assert failure is not None
        assert "no room" in str(failure.error)
        assert provider.cancelled.get(timeout=PATIENCE) == "17"
    finally:
        engine.close(0.1)


def test_a_task_that_may_run_nowhere_is_refused(engine: Engine) -> None:
    ledger = _Ledger()
    task = TaskRequest(AttemptId(1), Call(abs, (-3,)), avoid=frozenset({platform.node()}))
    assert engine.launch([task], ledger.report)
    failure = ledger.one().failure
    assert failure is not None
    assert (failure.cause, failure.started) == (Cause.RESOURCES, HasStarted.NO)


def test_what_no_socket_takes_at_once_goes_there_and_back(engine: Engine) -> None:
    ledger, data = _Ledger(), bytes(range(256)) * 2**15
    assert engine.launch([_task(Call(abs, (-3,)), 2)], ledger.report)
    ledger.one()
    _idle(engine)  # from here on nothing but the rest of the task wakes the io thread
    assert engine.launch([_task(Call(bytearray, (data,)))], ledger.report)
    assert ledger.one().value == data


def test_a_task_that_comes_while_all_workers_are_busy_runs_afterwards(
    engine: Engine, tmp_path: Path
) -> None:
    first, second, fifo = _Ledger(), _Ledger(), tmp_path / "fifo"
    os.mkfifo(fifo)
    assert engine.launch([_task(Call(fifo.read_text))], first.report)
    assert first.started.wait(PATIENCE)
    assert engine.launch([_task(Call(abs, (-3,)), 2)], second.report)
    assert engine.outstanding() == 2
    fifo.write_text("go")
    assert (first.one().value, second.one().value) == ("go", 3)


class _MakesAFile:
    """Whenever it is unpickled, there is one more file in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return tempfile.mkstemp, ("", "", str(self.folder))


def test_what_tasks_share_is_kept_until_its_last_handle_is_gone(
    engine: Engine, tmp_path: Path
) -> None:
    ledger, folder = _Ledger(), tmp_path / "unpickled"
    folder.mkdir()
    number = 0

    def use(handle: "Shared[Any]") -> None:
        nonlocal number
        number += 1
        assert engine.launch([_task(Call(len, (handle,)), number)], ledger.report)
        assert ledger.one().value == 2

    handle = Shared(_MakesAFile(folder), PickleCodec().dump)
    use(handle)
    use(handle)
    assert len([*folder.iterdir()]) == 1
    del handle
    end = time.monotonic() + PATIENCE
    while len([*folder.iterdir()]) == 1:  # until it has been heard that a handle was gone
        assert time.monotonic() < end
        use(Shared(_MakesAFile(folder), PickleCodec().dump))


def test_a_dead_interchange_is_replaced_and_its_manager_comes_back(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(os.getppid))], ledger.report)
    before, dead = ledger.one(), _interchange()
    assert dead is not None
    os.kill(dead, signal.SIGKILL)
    assert engine.launch([_task(Call(os.getppid), 2)], ledger.report)
    after = ledger.one()
    assert (after.value, after.failure) == (before.value, None)
    assert _interchange() not in (dead, None)


def test_a_manager_that_died_with_the_interchange_is_not_waited_for(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(time.sleep, (1000,)))], ledger.report)
    assert ledger.started.wait(PATIENCE)
    (manager,), interchange = engine.managers(), _interchange()
    assert interchange is not None
    os.kill(interchange, signal.SIGSTOP)  # so that it says nothing of the manager's end
    os.kill(manager.pid, signal.SIGKILL)
    os.kill(interchange, signal.SIGKILL)
    failure = ledger.one().failure
    assert failure is not None
    assert failure.cause is Cause.NODE_LOST


def test_an_interchange_that_dies_again_and_again_is_given_up(engine: Engine) -> None:
    ledger = _Ledger()
    assert engine.launch([_task(Call(time.sleep, (1000,)))], ledger.report)
    assert ledger.started.wait(PATIENCE)
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not ledger.outcomes:
        assert time.monotonic() < end
        if (pid := _interchange()) is not None:
            os.kill(pid, signal.SIGKILL)
        pause.wait(0.01)
    failure = ledger.one().failure
    assert failure is not None
    assert isinstance(failure.error, ExecutorLost)
    assert "exit status -9" in str(failure.error)
    engine.cancel([AttemptId(1)])
    assert engine.launch([_task(Call(abs, (-3,)), 2)], ledger.report)
    late = ledger.one().failure
    assert late is not None
    assert isinstance(late.error, ExecutorLost)


def test_a_plug_in_with_a_fault_leaves_no_task_waiting(tmp_path: Path, events: list[Event]) -> None:
    engine = _engine(tmp_path, events, _Faulty())
    engine.start()
    ledger = _Ledger()
    try:
        assert engine.launch([_task(Call(abs, (-3,)))], ledger.report)
        failure = ledger.one().failure
        assert failure is not None
        assert "-blocks has died of ZeroDivisionError: a fault" in str(failure.error)
    finally:
        engine.close(5.0)
