import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import attrs
import pytest

from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import SimpleLauncher, SrunLauncher, WrappedLauncher
from lamina.plugins import ConfigErrors
from lamina.providers import BlockRequest, JobStatus, LocalProvider, Provider
from lamina.providers_batch import CondorProvider, SlurmProvider
from lamina.resources import MPIBinder
from lamina.vocabulary import JobId
from tests.fakes.channels import FarChannel


def test_the_script_is_the_one_that_is_submitted(tmp_path: Path) -> None:
    provider = SlurmProvider(
        partition="debug",
        nodes_per_block=2,
        cores_per_node=8,
        max_blocks=4,
        worker_init="module load python",
        launcher=SrunLauncher(),
    )
    plan = HighThroughputExecutor("far", provider, cores_per_worker=2).plan()
    assert plan.submitted_with.split()[-2:] == ["sbatch", "--parsable"]
    lines = plan.script.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "#SBATCH --partition=debug" in lines
    assert "#SBATCH --nodes=2" in lines
    assert "module load python" in lines
    assert "RUN_DIR/manager.json" in plan.script
    assert "LAMINA_BLOCK=0" in plan.script
    assert (plan.workers_per_node, plan.nodes_per_block, plan.max_blocks) == (4, 2, 4)
    assert plan.link == "tcp://each address of this host, a free port, encrypted"


def test_a_local_block_is_run_and_not_submitted(tmp_path: Path) -> None:
    plan = HighThroughputExecutor(provider=LocalProvider(worker_init="umask 77")).plan()
    assert plan.submitted_with == ""
    lines = plan.script.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "trap 'lamina_keep \"$?\"' EXIT" in lines
    assert "umask 77" in lines
    assert "RUN_DIR/manager.json" in plan.script
    assert "RUN_DIR/blocks/lamina.HighThroughputExecutor.block-0.ec" in plan.script
    assert plan.workers_per_node == len(os.sched_getaffinity(0))
    assert plan.link == "a Unix socket that nobody else can open"


def test_it_shows_what_each_worker_is_bound_to() -> None:
    executor = HighThroughputExecutor(
        provider=SlurmProvider(cores_per_node=4),
        cores_per_worker=2,
        cpu_affinity="block",
        available_accelerators=["0", "1"],
        encrypted=False,
        address="127.0.0.1",
        worker_port=5000,
        mem_per_worker="2 GiB",
    )
    text = str(executor.plan())
    assert "worker 0        cores 0,1" in text
    assert "worker 1        cores 2,3" in text
    assert "CUDA_VISIBLE_DEVICES=1" in text
    assert "tcp://127.0.0.1:5000, not encrypted" in text
    assert "2 GiB for each worker" in text


def test_where_only_the_node_can_tell_it_says_so() -> None:
    text = str(HighThroughputExecutor(provider=SlurmProvider()).plan())
    assert "as many as each node has room for" in text
    assert "none to cores, none to accelerators" in text


@pytest.mark.parametrize(
    "executor, says",
    [
        (
            HighThroughputExecutor(
                provider=SlurmProvider(cores_per_node=2), max_workers_per_node=4
            ),
            "make it 2, or ask for more cores_per_node, or make cores_per_worker 0.5",
        ),
        (
            HighThroughputExecutor(provider=SlurmProvider(cores_per_node=2), cores_per_worker=4),
            "a node has 2; make it 2 or less",
        ),
        (
            HighThroughputExecutor(provider=SlurmProvider(cores_per_node=2), cpu_affinity="list:9"),
            "9",
        ),
        (
            HighThroughputExecutor(provider=LocalProvider(init_blocks=0, parallelism=0)),
            "make init_blocks 1",
        ),
        (
            HighThroughputExecutor(provider=SlurmProvider(walltime=60), max_idletime=90),
            "make max_idletime 30 s or less",
        ),
        (
            HighThroughputExecutor(
                provider=SlurmProvider(nodes_per_block=3, launcher=SimpleLauncher())
            ),
            "make launcher one that reaches all nodes, .* or make nodes_per_block 1",
        ),
    ],
    ids=["workers", "cores", "affinity", "blocks", "idle", "nodes"],
)
def test_contradictions_are_refused_with_what_would_work(
    executor: HighThroughputExecutor, says: str
) -> None:
    with pytest.raises(ConfigErrors, match=says):
        executor.plan()


@pytest.mark.parametrize(
    "provider, nodes",
    [
        (SlurmProvider(nodes_per_block=2, launcher=SrunLauncher()), "one manager on each"),
        (CondorProvider(nodes_per_block=2), "one manager on each"),
        (LocalProvider(nodes_per_block=2), "one manager for each, all of them on this host"),
        (
            SlurmProvider(nodes_per_block=2, launcher=WrappedLauncher("srun")),
            "managers where the launcher's own command starts them",
        ),
    ],
    ids=["srun", "condor", "local", "wrapped"],
)
def test_it_says_where_managers_start(provider: Provider, nodes: str) -> None:
    text = str(HighThroughputExecutor(provider=provider).plan())
    assert f"  nodes           2 in each block, with {nodes}\n" in text


def test_one_manager_may_have_all_nodes() -> None:
    provider = SlurmProvider(nodes_per_block=2, launcher=SimpleLauncher())
    plan = HighThroughputExecutor(provider=provider, resource_binder=MPIBinder()).plan()
    assert plan.managers == "one manager for all of them"


def test_on_another_host_it_shows_what_holds_there(tmp_path: Path) -> None:
    far = FarChannel(tmp_path)
    plan = HighThroughputExecutor("far", SlurmProvider(channel=far)).plan()
    assert "env LAMINA_BLOCK=0 python-there -m " in plan.script
    assert sys.executable not in plan.script
    assert "RUN_DIR" not in plan.script
    for text in (
        "htex_worker_pool REMOTE_DIR/manager.json",
        "#SBATCH --output=REMOTE_DIR/block-0.stdout",
        " REMOTE_DIR/lamina.far.block-0.",
    ):
        assert text in plan.script
    assert "  files there     REMOTE_DIR, a new directory on the channel's other side" in str(plan)
    assert list(tmp_path.iterdir()) == []


@attrs.frozen(kw_only=True)
class _Odd:
    """A provider of somebody else's, without channel, launcher or sizes."""

    label: str = "odd"
    blocks_are_local: bool = False
    nodes_per_block: int = 1
    init_blocks: int = 1
    min_blocks: int = 0
    max_blocks: int = 1
    parallelism: float = 1
    status_polling_interval: float = 1

    def submit(self, request: BlockRequest) -> JobId:
        raise AssertionError("a plan submits nothing")

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        raise AssertionError("a plan asks nothing")

    def cancel(self, jobs: Collection[JobId]) -> None:
        raise AssertionError("a plan cancels nothing")


def test_a_provider_that_shows_no_script_shows_its_command() -> None:
    plan = HighThroughputExecutor(provider=_Odd(), max_workers_per_node=3).plan()
    assert plan.script.startswith("env LAMINA_BLOCK=0 ")
    assert plan.workers_per_node == 3
