import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs
import pytest

from lamina.codec import PickleCodec
from lamina.executors import Call, News, Outcome, Payload, Site, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.engine import Engine
from lamina.htex_core import PROTOCOL
from lamina.providers import BlockRequest, JobState, JobStatus, LocalProvider, SubmitRejected
from lamina.vocabulary import AttemptId, Cause, Event, ExecutorLost, HasStarted, JobId

PATIENCE = 15.0  # seconds


class _Ledger:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def report(self, news: Sequence[News]) -> None:
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


def _task(call: Call | Payload) -> TaskRequest:
    return TaskRequest(AttemptId(1), call, name="the task")


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
    for _ in range(3000):
        (load,) = engine.loads().values()
        if load.idle_since is not None:
            break
        threading.Event().wait(0.01)
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
