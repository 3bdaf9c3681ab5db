"""Programs whose tasks run on the two nodes of a real Slurm, and what happens to their blocks."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher, SrunLauncher
from lamina.providers_batch import SlurmProvider
from lamina.vocabulary import BlockEnded, NodeLost, WorkerLost
from tests.integration.batch import run, until
from tests.integration.slurm.bodies import host_after
from tests.integration.slurm.cluster import queue, slurm

pytestmark = pytest.mark.service

Make: TypeAlias = Callable[..., HighThroughputExecutor]
PROGRAM = Path(__file__).with_name("program.py")
LEFT_WITHIN = 20.0  # seconds from the program's end until the queue is empty


@pytest.fixture
def make(cluster: dict[str, str], tmp_path: Path) -> Iterator[Make]:
    """Start executors on Slurm; afterwards each is closed and no job of it is left."""
    made: list[HighThroughputExecutor] = []

    def start(strategy: Any = None, max_idletime: float = 120.0, **options: Any) -> Any:
        given = {"launcher": SrunLauncher(), "status_polling_interval": 1, **options}
        executor = HighThroughputExecutor(
            f"htex-{len(made)}",
            SlurmProvider(**given),
            strategy=strategy,
            max_idletime=max_idletime,
        )
        made.append(executor)
        executor.start(Site(run_dir=tmp_path))
        return executor

    yield start
    for executor in made:
        executor.close(timeout=10.0)
    until(lambda: not queue(), LEFT_WITHIN)


def _end_of(executor: HighThroughputExecutor, job: str) -> str:
    """How the block of this job stands when it is over."""

    def over() -> str:
        return next((one.state for one in executor.blocks() if one.job == job and one.over), "")

    state: str = until(over)
    return state


def test_tasks_run_on_all_nodes_of_a_block(make: Make) -> None:
    executor = make(nodes_per_block=2)
    futures = [executor.submit(host_after, 0.05) for _ in range(100)]
    assert {future.result(timeout=30) for future in futures} == {"n1", "n2"}
    assert len(queue()) == 1


def test_blocks_follow_the_work_and_are_given_back(make: Make) -> None:
    executor = make(init_blocks=0, max_blocks=2, max_idletime=1.0)
    assert queue() == []
    futures = [executor.submit(host_after, 0.2) for _ in range(60)]
    until(lambda: len(queue()) == 2)
    assert {future.result(timeout=30) for future in futures} == {"n1", "n2"}
    until(lambda: not queue())
    until(lambda: {one.state for one in executor.blocks()} == {"cancelled"})
    assert executor.submit(host_after, 0.0).result(timeout=30) in {"n1", "n2"}


def test_a_cancelled_block_is_replaced(make: Make) -> None:
    executor = make(launcher=SimpleLauncher())
    futures = [executor.submit(host_after, 0.2) for _ in range(100)]
    wait(futures[:1], timeout=30)
    [job] = until(queue)
    run("scancel", job)
    lost = 0
    for future in futures:
        error = future.exception(timeout=60)
        lost += error is not None
        # scancel signals each process of the job: a worker may be dead before its manager hears.
        assert error is None or isinstance(error, BlockEnded | WorkerLost), error
    assert lost <= 2  # what ran at that moment, one task on each core
    until(lambda: len(queue()) == 1)
    assert queue() != [job]
    assert _end_of(executor, job) == "cancelled_by_others"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_walltime_that_is_reached_costs_what_did_not_end_in_time_and_nothing_else(
    make: Make,
) -> None:
    # A minute is the least that Slurm counts, and it looks every half.
    executor = make(launcher=SimpleLauncher(), walltime="00:01:00")
    error = executor.submit(time.sleep, 1000).exception(timeout=150)
    assert isinstance(error, BlockEnded | NodeLost), error
    assert executor.submit(host_after, 0.0).result(timeout=60) in {"n1", "n2"}
    until(lambda: executor.blocks()[0].over)
    assert [one.state for one in executor.blocks()] == ["timeout", "running"]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_tasks_go_on_while_the_controller_is_away_for_a_minute(make: Make) -> None:
    executor = make(nodes_per_block=2)
    executor.submit(host_after, 0.0).result(timeout=30)
    before = queue()
    slurm("crash-ctld")
    end, rounds = time.monotonic() + 60.0, 0
    while time.monotonic() < end:
        futures = [executor.submit(host_after, 0.25) for _ in range(20)]
        assert all(future.result(timeout=30) for future in futures)
        rounds += 1
    assert rounds > 5
    slurm("start-ctld")
    assert executor.submit(host_after, 0.0).result(timeout=30) in {"n1", "n2"}
    assert queue() == before


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_block_that_reaches_its_walltime_is_replaced(make: Make) -> None:
    executor = make()
    executor.submit(host_after, 0.0).result(timeout=30)
    [job] = until(queue)
    run("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    futures = []

    def ended() -> bool:
        """There is work until it is; Slurm looks at walltimes every 30 s."""
        futures.extend(executor.submit(host_after, 0.25) for _ in range(20))
        wait(futures, timeout=30)
        return job not in queue()

    until(ended, 90.0)
    futures += [executor.submit(host_after, 0.0) for _ in range(10)]
    failed = [error for future in futures if (error := future.exception(timeout=60))]
    assert len(failed) <= 2  # what ran at that moment, one task on each core
    assert all(isinstance(error, BlockEnded | WorkerLost) for error in failed), failed
    assert until(queue) != [job]


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_block_that_is_requeued_costs_what_ran_in_it(make: Make) -> None:
    executor = make(scheduler_options="#SBATCH --requeue")
    futures = [executor.submit(host_after, 0.3) for _ in range(100)]
    wait(futures[:1], timeout=30)
    [job] = until(queue)
    run("scontrol", "requeue", job)
    failed = [error for future in futures if (error := future.exception(timeout=120))]
    assert len(failed) <= 2
    assert all(isinstance(error, BlockEnded | WorkerLost) for error in failed), failed
    assert len(queue()) <= 1


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_node_set_down_costs_what_ran_on_it(make: Make) -> None:
    executor = make(init_blocks=2, max_blocks=2, scheduler_options="#SBATCH --no-requeue")
    futures = [executor.submit(host_after, 0.2) for _ in range(100)]
    until(lambda: len(executor.connected_blocks()) == 2)
    slurm("down-node", "n2")
    failed = [error for future in futures if (error := future.exception(timeout=60))]
    assert len(failed) <= 2
    assert len({future.result() for future in futures if future.exception() is None}) == 2
    until(lambda: "node_fail" in {one.state for one in executor.blocks()})


@pytest.mark.parametrize("pending", [False, True], ids=["running", "pending"])
def test_a_program_that_is_killed_leaves_no_job(
    tmp_path: Path, pending: bool, cluster: dict[str, str]
) -> None:
    if pending:
        run("sbatch", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")
    said = tmp_path / "said"
    with said.open("w") as output:
        program = subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path)], stdout=output)
    ready = "submitted" if pending else "running"
    until(lambda: ready in said.read_text())
    until(lambda: len(queue()) == 1 + pending)
    program.send_signal(signal.SIGKILL)
    program.wait()
    began = time.monotonic()
    until(lambda: not queue(), LEFT_WITHIN + 10 * pending)
    assert time.monotonic() - began < LEFT_WITHIN + 10 * pending
