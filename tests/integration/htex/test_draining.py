"""Managers that leave in good order, and blocks that are given nothing for a while."""

import os
import platform
import signal
import time
from collections import Counter
from concurrent.futures import wait
from pathlib import Path

import pytest

from lamina.executors import Call, News, Outcome, Site, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import LocalProvider
from lamina.vocabulary import AttemptId, BlockEnded, Event, ResourcesUnavailable
from tests.integration.htex.bodies import note
from tests.integration.htex.conftest import Make
from tests.integration.htex.world import all_gone, interchange, manager, managers, ran, until

TASKS = 100
PATIENCE = 30.0  # seconds


def _two_blocks() -> LocalProvider:
    return LocalProvider(init_blocks=2, min_blocks=2, max_blocks=2, status_polling_interval=0.05)


def _two_nodes(make: Make, **options: object) -> HighThroughputExecutor:
    executor = make(provider=_two_blocks(), **options)
    managers(executor, 2)
    return executor


def _state(executor: HighThroughputExecutor, block: str) -> str:
    return next(one.state for one in executor.blocks() if one.block == block)


@pytest.mark.parametrize("dies", [False, True], ids=["quietly", "interchange-killed"])
def test_a_drained_block_leaves_in_good_order_and_no_task_fails_or_runs_twice(
    make: Make, site: Site, tmp_path: Path, dies: bool
) -> None:
    executor = _two_nodes(make)
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), number) for number in range(TASKS)]
    until(lambda: len(ran(log)) >= TASKS // 10)
    executor.drain("0")
    if dies:
        os.kill(interchange(), signal.SIGKILL)
    until(lambda: executor.connected_blocks() and "0" not in executor.connected_blocks())
    assert [future.result(PATIENCE) for future in futures] == list(range(TASKS))
    assert set(Counter(ran(log)).values()) == {1}
    until(lambda: _state(executor, "0") == "completed")  # with exit status 0, that is
    said = (site.run_dir / executor.label / "blocks" / "block-0.stderr").read_text()
    assert "the manager leaves: it is drained: it was asked to" in said


def test_all_blocks_are_drained_and_new_ones_come_for_new_work(tmp_path: Path) -> None:
    events: list[Event] = []
    executor = HighThroughputExecutor(provider=_two_blocks(), max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path, emit=events.extend))
    try:
        managers(executor, 2)
        executor.drain()
        until(lambda: Counter(event.kind for event in events)["manager.drained"] == 2)
        assert executor.submit(abs, -3).result(PATIENCE) == 3
    finally:
        executor.close(5.0)
    kinds = Counter(event.kind for event in events)
    assert kinds["manager.drained"] == 2
    assert kinds["manager.lost"] == 0


def test_a_block_on_hold_starts_nothing_until_that_is_undone(make: Make) -> None:
    executor = _two_nodes(make)
    until(lambda: executor.load().slots == 4)
    executor.hold_block("0")
    assert executor.load().slots == 2
    held = {one["pid"] for one in executor.connected_managers() if one["block"] == "0"}
    parents = [executor.submit(os.getppid) for _ in range(20)]
    zygotes = {future.result(PATIENCE) for future in parents}
    assert len(zygotes) == 1
    executor.unhold_block("0")
    executor.hold_block("1")
    others = {future.result(PATIENCE) for future in [executor.submit(os.getppid) for _ in "abc"]}
    assert len(others) == 1
    assert others.isdisjoint(zygotes)
    assert {one["pid"] for one in executor.connected_managers()} > held


def test_tasks_wait_while_every_block_is_on_hold(make: Make) -> None:
    executor = make(provider=LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1))
    managers(executor)
    executor.hold_block("0")
    futures = [executor.submit(abs, -3) for _ in range(10)]
    done, _ = wait(futures, 0.3)
    assert not done
    executor.unhold_block("0")
    assert {future.result(PATIENCE) for future in futures} == {3}


class OfLimitedTime(LocalProvider):
    """Blocks that are said to end after so many seconds, and do not."""

    walltime = 4.0


def test_a_manager_drains_when_its_period_is_over_and_another_block_comes(
    make: Make, tmp_path: Path
) -> None:
    provider = LocalProvider(min_blocks=1, max_blocks=1, status_polling_interval=0.05)
    executor = make(provider=provider, drain_period=1.0)
    first = manager(executor)
    log = tmp_path / "ran"
    futures = [executor.submit(note, str(log), number) for number in range(TASKS)]
    until(lambda: all_gone([first]))
    assert [future.result(PATIENCE) for future in futures] == list(range(TASKS))
    assert set(Counter(ran(log)).values()) == {1}
    until(lambda: _state(executor, "0") == "completed")


def test_a_manager_drains_before_its_block_ends(make: Make, site: Site) -> None:
    provider = OfLimitedTime(min_blocks=1, max_blocks=1, status_polling_interval=0.05)
    executor = make(provider=provider)
    first = manager(executor)
    began = time.monotonic()
    until(lambda: all_gone([first]))
    assert time.monotonic() - began < OfLimitedTime.walltime + 5.0
    assert executor.submit(abs, -3).result(PATIENCE) == 3
    said = (site.run_dir / executor.label / "blocks" / "block-0.stderr").read_text()
    assert "the manager leaves: it is drained: its block ends in 0 s" in said


def test_a_task_that_is_killed_at_the_end_of_its_block_is_told_so(make: Make) -> None:
    executor = make(provider=OfLimitedTime(min_blocks=1, max_blocks=1))
    future = executor.submit(time.sleep, 1000)
    first = manager(executor)
    until(lambda: executor.load().slots == 0)  # it drains
    os.kill(first, signal.SIGKILL)
    with pytest.raises(BlockEnded, match="its block was to end about now"):
        future.result(PATIENCE)


def test_a_task_waits_for_a_block_in_which_it_can_end(make: Make, site: Site) -> None:
    provider = OfLimitedTime(min_blocks=1, max_blocks=1, status_polling_interval=0.05)
    executor = make(provider=provider)
    first = manager(executor)
    assert executor.submit(abs, -3).result(PATIENCE) == 3
    time.sleep(1.5)  # of four, so that there is too little left
    news: list[News] = []
    task = TaskRequest(AttemptId(10**6), Call(os.getppid), expected=3.0)
    executor.launch([task], news.extend)
    until(lambda: any(isinstance(each, Outcome) for each in news), 60.0)
    (outcome,) = (each for each in news if isinstance(each, Outcome))
    assert outcome.failure is None
    assert all_gone([first])
    assert "0" not in executor.connected_blocks()


def test_a_task_that_avoids_the_only_node_there_is_ends_at_once(make: Make) -> None:
    executor = make()
    news: list[News] = []
    task = TaskRequest(AttemptId(10**6), Call(os.getppid), avoid=[platform.node()])
    executor.launch([task], news.extend)
    until(lambda: news)
    (outcome,) = (each for each in news if isinstance(each, Outcome))
    assert outcome.failure is not None
    assert isinstance(outcome.failure.error, ResourcesUnavailable)
