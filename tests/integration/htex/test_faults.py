"""Death of every process of htex while 200 tasks are queued and running, on real processes."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from lamina.executors import Call, News, Outcome, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.vocabulary import (
    AttemptId,
    Cause,
    HasStarted,
    NodeLost,
    SerializationError,
    TaskError,
    WorkerLost,
)
from tests.integration.conftest import Measure
from tests.integration.htex.bodies import (
    TAKES,
    NotPickled,
    NotUnpickled,
    double,
    far_below,
    note,
    raise_odd,
)
from tests.integration.htex.conftest import WORKERS, Make
from tests.integration.htex.world import (
    PATIENCE,
    all_gone,
    descendants,
    interchange,
    manager,
    ran,
    sleeper,
    unresolved,
    until,
    worker,
    zygote,
)

TASKS = 200


@pytest.mark.parametrize("address", [None, "127.0.0.1"], ids=["unix", "curve"])
@pytest.mark.parametrize(
    "victim, most_failed, tasks",
    [
        (worker, 1, TASKS),
        (manager, WORKERS, TASKS),
        (zygote, WORKERS, TASKS // 5),
        (interchange, 0, TASKS),
    ],
    ids=["worker", "manager", "zygote", "interchange"],
)
def test_a_process_killed_costs_no_more_than_what_ran_on_it(
    make: Make,
    measure: Measure,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    victim: Callable[[HighThroughputExecutor], int],
    most_failed: int,
    tasks: int,
    address: str | None,
) -> None:
    executor = make(address=address)
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), number) for number in range(tasks)]
    until(lambda: len(ran(log)) >= tasks // 10)
    pid = victim(executor)
    left = unresolved(futures) * TAKES / WORKERS
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    _, late = wait(futures, timeout=left + PATIENCE)
    assert not late
    measure(f"kill -9 of the {request.node.callspec.id}", killed, left)
    failed = [future.exception() for future in futures if future.exception() is not None]
    assert len(failed) <= most_failed, failed
    for error in failed:
        assert isinstance(error, WorkerLost | NodeLost)
        assert error.started is not HasStarted.NO
    counts = Counter(ran(log))
    assert max(counts.values()) == 1, "something ran twice"
    succeeded = {number for number, future in enumerate(futures) if future.exception() is None}
    assert succeeded <= counts.keys()
    assert executor.submit(double, 4).result(PATIENCE) == 8


@pytest.mark.parametrize(
    "address, codec", [(None, "pickle"), ("127.0.0.1", "cloudpickle")], ids=["unix", "curve"]
)
def test_both_codecs_work_over_both_kinds_of_link(
    make: Make, address: str | None, codec: str
) -> None:
    executor = make(max_workers_per_node=1, address=address, codec=codec)
    futures = [executor.submit(abs, -number) for number in range(100)]
    assert [future.result(PATIENCE) for future in futures] == list(range(100))


def test_many_short_tasks_wear_nobody_out(executor: HighThroughputExecutor) -> None:
    for count in (1, 100, 10_000):
        futures = [executor.submit(abs, -number) for number in range(count)]
        assert [future.result(PATIENCE) for future in futures] == list(range(count))


def test_what_cannot_be_pickled_fails_its_own_task_only(executor: HighThroughputExecutor) -> None:
    def unpicklable_result() -> Any:
        return NotPickled()

    def result_for_nobody() -> Any:
        return NotUnpickled()

    def read_nowhere(_: Any) -> None:
        return None

    def expect_typed(future: Future[Any]) -> None:
        assert isinstance(future.exception(PATIENCE), SerializationError)

    expect_typed(executor.submit(read_nowhere, NotPickled()))
    expect_typed(executor.submit(read_nowhere, NotUnpickled()))
    expect_typed(executor.submit(unpicklable_result))
    expect_typed(executor.submit(result_for_nobody))
    assert "Odd" in repr(executor.submit(raise_odd).exception(PATIENCE))
    assert executor.submit(double, 4).result(PATIENCE) == 8


class _Ledger:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def report(self, news: Any) -> None:
        self.outcomes += [one for one in news if isinstance(one, Outcome)]

    def failure(self) -> Any:
        (outcome,) = until(lambda: self.outcomes)
        assert outcome.failure is not None
        return outcome.failure


@pytest.mark.parametrize("ending", ["walltime", "cancel"])
def test_what_a_stopped_task_started_is_gone_with_it(
    executor: HighThroughputExecutor, measure: Measure, tmp_path: Path, ending: str
) -> None:
    marker = tmp_path / "marker-of-the-task"
    ledger = _Ledger()
    walltime = 1.0 if ending == "walltime" else None
    call = Call(far_below, (str(marker),))
    executor.launch([TaskRequest(AttemptId(1), call, walltime=walltime)], ledger.report)
    below = sleeper(marker)
    began = time.monotonic()
    if ending == "cancel":
        executor.cancel([AttemptId(1)])
    failure = ledger.failure()
    until(lambda: all_gone(below))
    measure(f"{ending} of a task with processes of its own", began, left=walltime or 0.0)
    assert failure.cause is (Cause.CANCELLED if ending == "cancel" else Cause.TASK_WALLTIME)
    assert isinstance(failure.error, TaskError)
    assert executor.submit(double, 4).result(PATIENCE) == 8


def test_close_leaves_no_process(make: Make, measure: Measure, tmp_path: Path) -> None:
    executor = make()
    marker = tmp_path / "marker-of-the-task"
    news: list[News] = []
    executor.launch([TaskRequest(AttemptId(1), Call(far_below, (str(marker),)))], news.extend)
    below = [
        *sleeper(marker),
        interchange(executor),
        manager(executor),
        *descendants(manager(executor)),
    ]
    closed = time.monotonic()
    executor.close(timeout=5.0)
    assert [type(one) for one in news if isinstance(one, Outcome)] == [Outcome]
    until(lambda: all_gone(below))
    measure("close of an executor at work", closed)
