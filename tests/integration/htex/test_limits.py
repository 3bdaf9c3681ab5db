"""Memory limits of tasks, on real processes."""

import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.apps import python_app
from lamina.executors import Call, Outcome, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.htex_worker_pool.cgroups import Groups
from lamina.kernel import Config, DataFlowKernel
from lamina.retry_policy import Again, Decision, GiveUp, Trouble
from lamina.vocabulary import AttemptId, Cause, Failure, HasStarted, TaskOutOfMemory
from tests.integration.conftest import Measure
from tests.integration.htex.bodies import double
from tests.integration.htex.conftest import Make
from tests.integration.htex.hungry import hoard, share, take, take_below, take_in_parts
from tests.integration.htex.world import PATIENCE, manager, until, workers

MIB = 2**20
LIMIT = 64 * MIB


class _Ledger:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def report(self, news: Any) -> None:
        self.outcomes += [one for one in news if isinstance(one, Outcome)]

    def outcome(self) -> Outcome:
        outcome: Outcome = until(lambda: self.outcomes and self.outcomes[0])
        return outcome


def _limited(executor: HighThroughputExecutor, call: Call, limit: int | None = LIMIT) -> Outcome:
    ledger = _Ledger()
    executor.launch([TaskRequest(AttemptId(1), call, memory_limit=limit)], ledger.report)
    return ledger.outcome()


@pytest.mark.parametrize(
    "call",
    [
        Call(take, (3 * LIMIT, 1000.0)),
        Call(take_below, (3 * LIMIT,)),
        Call(take_in_parts, (3 * LIMIT,)),
    ],
    ids=["itself", "a program", "children"],
)
def test_a_task_beyond_its_limit_ends_and_others_go_on(
    executor: HighThroughputExecutor, measure: Measure, call: Call
) -> None:
    assert executor.submit(double, 4).result(PATIENCE) == 8
    other = executor.submit(take, 3 * LIMIT, 3.0)
    before = until(lambda: len(workers(executor)) == 2 and workers(executor))
    began = time.monotonic()
    outcome = _limited(executor, call)
    measure("the end of a task beyond its memory limit", began)
    failure = outcome.failure
    assert failure is not None
    assert failure.cause is Cause.OUT_OF_MEMORY
    assert failure.started is HasStarted.YES
    assert isinstance(failure.error, TaskOutOfMemory)
    assert "its limit is 64.0 MiB (measured by watching /proc)" in str(failure.error)
    assert (failure.error.limit, failure.error.measured) == (LIMIT, "watchdog")
    assert failure.error.peak == failure.peak_memory
    assert failure.peak_memory is not None
    assert failure.peak_memory > LIMIT
    assert other.result(PATIENCE) == 3 * LIMIT
    assert len(set(before) & set(workers(executor))) == 1
    assert executor.submit(double, 4).result(PATIENCE) == 8


@pytest.mark.parametrize("call", [Call(take, (LIMIT // 2, 1.0)), Call(share, (LIMIT // 2, 1.0))])
def test_a_task_below_its_limit_is_left_alone(executor: HighThroughputExecutor, call: Call) -> None:
    """What it shares with its children counts once."""
    assert _limited(executor, call).value == LIMIT // 2


def test_a_task_that_asks_for_cores_has_a_limit_as_well(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=1)
    with DataFlowKernel(Config(executors=[executor], run_dir=tmp_path)) as kernel:
        app = python_app(
            take, data_flow_kernel=kernel, memory_limit=LIMIT, resources={"cores": 1}, retries=0
        )
        assert isinstance(app(3 * LIMIT, 1000.0).exception(PATIENCE), TaskOutOfMemory)
        assert app(MIB, 0.5).result(PATIENCE) == MIB


def test_what_earlier_tasks_left_behind_is_not_held_against_a_task(make: Make) -> None:
    executor = make(max_workers_per_node=1)
    executor.submit(hoard, 3 * LIMIT).result(PATIENCE)
    assert _limited(executor, Call(take, (MIB, 1.0))).value == MIB


@attrs.frozen
class _Noting:
    """A policy that tries twice and keeps what it was told."""

    seen: list[Failure] = attrs.field(factory=list)

    def decide(self, trouble: Trouble) -> Decision:
        self.seen.append(trouble.failure)
        return Again() if len(trouble.history) < 2 else GiveUp()


def test_a_retry_policy_sees_the_cause(tmp_path: Path) -> None:
    policy = _Noting()
    executor = HighThroughputExecutor(max_workers_per_node=1)
    config = Config(executors=[executor], run_dir=tmp_path, retry_policy=policy)
    with DataFlowKernel(config) as kernel:
        app = python_app(take, data_flow_kernel=kernel, memory_limit="64 MiB")
        assert isinstance(app(3 * LIMIT, 1000.0).exception(PATIENCE), TaskOutOfMemory)
        assert app(MIB, 0.5).result(PATIENCE) == MIB
    assert [failure.cause for failure in policy.seen] == [Cause.OUT_OF_MEMORY] * 2


@pytest.fixture(params=["cgroup", "watchdog"])
def keeper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who sees to the limit of workers; it is the kernel where that is permitted."""
    keeper: str = request.param
    if keeper == "watchdog":
        monkeypatch.setenv("LAMINA_CGROUPS", "off")
    elif (groups := Groups.find()) is None:
        pytest.skip("no group for memory can be made here")
    else:
        groups.close()
    return keeper


@pytest.mark.parametrize(
    "call",
    [
        Call(take, (3 * LIMIT, 1000.0)),
        Call(take_below, (3 * LIMIT,)),
        Call(take_in_parts, (3 * LIMIT,)),
    ],
    ids=["itself", "a program", "children"],
)
def test_no_worker_uses_more_than_the_limit_of_all(make: Make, keeper: str, call: Call) -> None:
    executor = make(worker_memory_limit=LIMIT)
    failure = _limited(executor, call, None).failure
    assert failure is not None
    assert isinstance(failure.error, TaskOutOfMemory)
    assert (failure.error.measured, failure.error.limit) == (keeper, LIMIT)
    assert failure.peak_memory is not None
    # The kernel lets nobody have more; at the watchdog's next look it is more.
    assert failure.peak_memory >= 0.9 * LIMIT
    assert executor.submit(take, LIMIT // 2, 0.3).result(PATIENCE) == LIMIT // 2


def test_the_groups_of_workers_are_gone_with_their_manager(make: Make) -> None:
    if (groups := Groups.find()) is None:
        pytest.skip("no group for memory can be made here")
    groups.close()
    executor = make(worker_memory_limit=LIMIT)
    assert executor.submit(double, 4).result(PATIENCE) == 8
    name = f"lamina-{manager(executor)}"
    place = next(Path("/sys/fs/cgroup").glob(f"**/{name}"))
    until(lambda: len([*place.glob("worker-*")]) == 2)
    executor.close()
    until(lambda: not place.exists())
