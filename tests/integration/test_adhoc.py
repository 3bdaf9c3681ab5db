"""An executor on hosts of one's own, each of which is this one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lamina.channels import LocalChannel
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import AdHocProvider
from tests.integration.batch import until
from tests.integration.slurm.bodies import host_after

ENDS = 60  # seconds for whatever a test waits for
PROGRAM = """
import sys
from pathlib import Path
from lamina.channels import LocalChannel
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import AdHocProvider

executor = HighThroughputExecutor("hosts", AdHocProvider(channels=[LocalChannel()]))
executor.start(Site(run_dir=Path(sys.argv[1])))
executor.submit(print).result(60)
[manager] = executor.connected_managers()
print(manager["boot"].split("/")[2], flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hosts make the directories of blocks."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_tasks_run_on_each_host_and_nothing_is_left(tmp_path: Path, places: Path) -> None:
    # Both are kept: what the strategy gives back while it comes up may take a task with it.
    channels = [LocalChannel()] * 2
    mine = AdHocProvider(channels=channels, min_blocks=2, status_polling_interval=0.5)
    executor = HighThroughputExecutor("hosts", mine, max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path))
    try:
        until(lambda: len(executor.connected_managers()) == 2, ENDS)
        assert [executor.submit(host_after, 0.01).result(ENDS) for _ in range(5)]
    finally:
        executor.close(ENDS)
    assert not list(places.iterdir())


def test_a_program_that_is_killed_leaves_no_manager(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        manager = int(program.stdout.readline())
        assert os.path.exists(f"/proc/{manager}")
        program.send_signal(signal.SIGKILL)
        program.wait(ENDS)
    until(lambda: not os.path.exists(f"/proc/{manager}"), ENDS)
