"""Programs whose tasks run under a real Grid Engine."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, wait
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_batch import GridEngineProvider
from lamina.vocabulary import BlockEnded, NodeLost, WorkerLost
from tests.integration.batch import operate, run, until
from tests.integration.gridengine.conftest import queue
from tests.integration.slurm.bodies import host_after

pytestmark = [pytest.mark.service, pytest.mark.apart]

Make: TypeAlias = Callable[..., HighThroughputExecutor]
PROGRAM = Path(__file__).with_name("program.py")
LEFT_WITHIN = 30.0  # seconds from the program's end until the queue is empty


@pytest.fixture
def make(gridengine: None, tmp_path: Path) -> Iterator[Make]:
    """Start executors; afterwards each is closed and no job of it is left."""
    made: list[HighThroughputExecutor] = []

    def start(max_idletime: float = 120.0, heartbeat: float = 30.0, **options: Any) -> Any:
        executor = HighThroughputExecutor(
            f"htex-{len(made)}",
            GridEngineProvider(status_polling_interval=1, **options),
            max_idletime=max_idletime,
            max_workers_per_node=2,
            heartbeat_period=heartbeat,
            heartbeat_threshold=2 * heartbeat,
        )
        made.append(executor)
        executor.start(Site(run_dir=tmp_path))
        return executor

    yield start
    for executor in made:
        executor.close(timeout=10.0)
    until(lambda: not queue(), LEFT_WITHIN)


def test_blocks_follow_the_work_and_are_given_back(make: Make) -> None:
    executor = make(init_blocks=0, max_blocks=2, max_idletime=1.0)
    assert queue() == []
    futures = [executor.submit(host_after, 0.2) for _ in range(60)]
    until(lambda: len(queue()) == 2)
    assert all(future.result(timeout=30) for future in futures)
    until(lambda: not queue())


def test_a_deleted_block_is_replaced(make: Make) -> None:
    executor = make(heartbeat=2.0)
    futures = [executor.submit(host_after, 0.2) for _ in range(100)]
    wait(futures[:1], timeout=30)
    [job] = until(queue)
    run("qdel", job)
    # qdel kills at once: nobody is left to say goodbye.
    failed = [error for future in futures if (error := future.exception(timeout=60))]
    assert len(failed) <= 2
    assert all(isinstance(error, NodeLost | WorkerLost | BlockEnded) for error in failed)
    until(lambda: len(queue()) == 1)
    assert queue() != [job]
    states = {one.job: one.state for one in executor.blocks() if one.over}
    assert states == {job: "cancelled_by_others"}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_block_that_reaches_its_walltime_is_replaced(make: Make) -> None:
    executor = make(heartbeat=2.0, walltime=8)
    futures = [executor.submit(host_after, 0.5) for _ in range(60)]
    failed = [error for future in futures if (error := future.exception(timeout=90))]
    # Grid Engine kills at once: nobody is left to say goodbye.
    assert len(failed) <= 2 * len(executor.blocks())
    assert all(isinstance(error, NodeLost | WorkerLost | BlockEnded) for error in failed)
    assert len(executor.blocks()) >= 2


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_tasks_go_on_while_the_master_is_away(make: Make) -> None:
    executor = make()
    executor.submit(host_after, 0.0).result(timeout=30)
    before = queue()
    operate("gridengine.sh", "crash-master")
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        futures = [executor.submit(host_after, 0.2) for _ in range(10)]
        assert all(future.result(timeout=30) for future in futures)
    operate("gridengine.sh", "start-master")
    assert executor.submit(host_after, 0.0).result(timeout=30)
    assert until(queue) == before


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_block_whose_host_is_lost_is_given_up_and_replaced_when_there_is_a_host(
    make: Make,
) -> None:
    """Grid Engine itself shows the job running for as long as the host is away."""
    executor = make(heartbeat=2.0, max_blocks=1)
    futures = [executor.submit(host_after, 0.2) for _ in range(200)]
    futures[0].result(timeout=30)
    [lost] = queue()
    operate("gridengine.sh", "crash-exec")
    crashed = time.monotonic()
    # What ran there is known to be lost when the manager has been silent for 4 s.
    wait(futures, timeout=30, return_when=FIRST_EXCEPTION)
    assert time.monotonic() - crashed < 15.0

    def end() -> Any:
        return next((one for one in executor.blocks() if one.job == lost and one.over), None)

    # 4 s until it is told to end, and 68 s of being ended.
    given_up = until(end, 120.0)
    assert given_up.state == "node_fail"
    assert "the batch system is still ending it: it is being deleted" in given_up.reason
    until(lambda: set(queue()) - {lost}, 60.0)
    operate("gridengine.sh", "start-exec")
    failed = [error for future in futures if (error := future.exception(timeout=60))]
    assert 1 <= len(failed) <= 2  # as many as there are workers
    assert all(isinstance(error, NodeLost) for error in failed)
    until(lambda: lost not in queue())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_tasks_go_on_while_the_daemon_of_their_host_is_silent(make: Make) -> None:
    executor = make()
    executor.submit(host_after, 0.0).result(timeout=30)
    before = queue()
    operate("gridengine.sh", "hang-exec")
    try:
        until(lambda: re.search(r"^all\.q@.* a?u$", run("qstat", "-f"), re.MULTILINE))
        futures = [executor.submit(host_after, 0.2) for _ in range(10)]
        assert all(future.result(timeout=30) for future in futures)
        assert queue() == before
    finally:
        operate("gridengine.sh", "resume-exec")
    assert [one.state for one in executor.blocks()] == ["running"]


def test_a_program_that_is_killed_while_its_job_waits_leaves_none(tmp_path: Path) -> None:
    run("qmod", "-d", "all.q")
    try:
        said = tmp_path / "said"
        with said.open("w") as output:
            program = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path)], stdout=output)
        until(lambda: "submitted" in said.read_text() and queue())
        program.send_signal(signal.SIGKILL)
        program.wait()
        assert len(queue()) == 1
    finally:
        run("qmod", "-e", "all.q")
    # It starts, finds nobody who wants it, and ends.
    until(lambda: not queue(), LEFT_WITHIN)


def test_a_program_that_is_killed_leaves_no_job(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as output:
        program = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path)], stdout=output)
    until(lambda: "running" in said.read_text())
    assert len(queue()) == 1
    program.send_signal(signal.SIGKILL)
    program.wait()
    until(lambda: not queue(), LEFT_WITHIN)
