"""Tasks on virtual machines that moto keeps, with processes of this host in their place."""

import sys
from pathlib import Path

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_aws import AWSProvider
from tests.fakes.aws_machines import emulated
from tests.integration.batch import until
from tests.integration.slurm.bodies import host_after

ENDS = 60  # seconds for whatever the test waits for


@pytest.mark.timeout(150)
def test_tasks_run_on_machines_and_none_is_left_running(tmp_path: Path) -> None:
    with emulated(tmp_path / "machines") as machines:
        image = next(iter(machines.backend.amis.values()))
        provider = AWSProvider(
            image.id, max_blocks=1, status_polling_interval=0.5, python=sys.executable
        )
        executor = HighThroughputExecutor("htex", provider, max_workers_per_node=1)
        executor.start(Site(run_dir=tmp_path))
        try:
            futures = [executor.submit(host_after, 0.01) for _ in range(20)]
            assert [future.result(ENDS) for future in futures]
            [block] = executor.blocks()
            assert block.job is not None
            assert len(machines.of_block(block.job)) == 1
        finally:
            executor.close(10.0)
        ended = ("terminated", "shutting-down")
        until(lambda: all(one._state.name in ended for one in machines.instances()), ENDS)
