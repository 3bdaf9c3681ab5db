"""How many blocks there are, with real processes: not too many, and none for nothing."""

import time
from pathlib import Path

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import LocalProvider
from lamina.scaling import Guards
from lamina.vocabulary import Event, ExecutorLost
from tests.integration.htex.bodies import note
from tests.integration.htex.conftest import Make
from tests.integration.htex.world import managers, ran, until

PATIENCE = 30.0  # seconds


def _scripts(executor: HighThroughputExecutor, site: Site) -> int:
    """Submissions, by the scripts that they leave."""
    return len(list((site.run_dir / executor.label / "blocks").glob("*.sh")))


@pytest.mark.parametrize("dies", ["exit 0", "exit 1"])
def test_where_each_block_dies_at_once_there_are_no_more_than_the_stated_number(
    make: Make, site: Site, dies: str
) -> None:
    most, young = 2, 4
    provider = LocalProvider(
        max_blocks=most,
        status_polling_interval=0.05,
        worker_init=f"echo said; echo complained >&2; {dies}",
    )
    executor = make(
        provider=provider,
        block_error_handler=False,
        guards=Guards(max_young=young, pause=0.1),
    )
    futures = [executor.submit(abs, -1) for _ in range(100)]
    errors = [future.exception(PATIENCE) for future in futures]
    assert all(isinstance(error, ExecutorLost) for error in errors)
    said = str(errors[0])
    assert "blocks in a row died young" in said
    assert f"exit code {dies[-1]}" in said
    assert "stdout:\nsaid" in said
    assert "stderr:\ncomplained" in said
    assert young <= _scripts(executor, site) <= young - 1 + most


def _wait_for(gate: str) -> None:
    while not Path(gate).exists():
        time.sleep(0.01)


def test_one_long_task_does_not_hold_the_blocks_that_have_none(make: Make, tmp_path: Path) -> None:
    provider = LocalProvider(init_blocks=3, max_blocks=3, status_polling_interval=0.05)
    executor = make(provider=provider, max_workers_per_node=1, max_idletime=1.0)
    gate = tmp_path / "gate"
    others = [executor.submit(_wait_for, str(gate)) for _ in range(2)]
    future = executor.submit(time.sleep, 1000)
    managers(executor, 3)
    gate.touch()
    for other in others:
        other.result(PATIENCE)
    until(lambda: len(executor.connected_managers()) == 1, PATIENCE)
    assert not future.done()
    wanted = ["cancelled", "cancelled", "running"]
    until(lambda: sorted(one.state for one in executor.blocks()) == wanted)


def test_blocks_come_and_go_under_work_and_no_task_fails(tmp_path: Path) -> None:
    events: list[Event] = []
    provider = LocalProvider(init_blocks=1, max_blocks=3, status_polling_interval=0.05)
    executor = HighThroughputExecutor(
        provider=provider, max_workers_per_node=1, max_idletime=0.3, heartbeat_period=30.0
    )
    executor.start(Site(run_dir=tmp_path, emit=events.extend))
    log = tmp_path / "ran"
    try:
        count = 0
        for burst in (60, 1, 1, 60, 1, 60):
            futures = [executor.submit(note, str(log), count + n) for n in range(burst)]
            count += burst
            assert [future.result(PATIENCE) for future in futures]
            time.sleep(0.35)  # for some, and not for all, it is time to go
    finally:
        executor.close(5.0)
    assert sorted(ran(log)) == list(range(count))
    kinds = [event.kind for event in events]
    assert kinds.count("manager.lost") == 0
