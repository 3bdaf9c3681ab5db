from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import SingleNodeLauncher, SrunLauncher
from lamina.providers import BlockRequest, JobState
from lamina.providers_batch import SlurmProvider
from lamina.vocabulary import BlockId, ConfigError
from tests.fakes.channels import ScriptedChannel, said


def test_options_are_those_that_users_know() -> None:
    provider = SlurmProvider(
        partition="debug",
        account="physics",
        qos="high",
        constraint="knl&quad",
        clusters="east",
        nodes_per_block=2,
        cores_per_node=8,
        mem_per_node=16,
        gpus_per_node="a100:2",
        gres="license:1",
        init_blocks=0,
        min_blocks=0,
        max_blocks=4,
        parallelism=0.5,
        walltime="01:00:00",
        scheduler_options="#SBATCH --mail-type=END",
        worker_init="module load python",
        cmd_timeout=10,
        exclusive=False,
        launcher=SrunLauncher(),
    )
    assert (provider.walltime, provider.mem_per_node) == (3600, 16 * 2**30)
    assert not provider.blocks_are_local


def test_it_is_a_value_that_starts_nothing() -> None:
    assert SlurmProvider("debug") == SlurmProvider(partition="debug")
    assert SlurmProvider() != SlurmProvider("debug")
    assert hash(SlurmProvider()) == hash(SlurmProvider())
    assert SlurmProvider().launcher == SingleNodeLauncher()


def test_a_block_is_asked_for_polled_and_cancelled(tmp_path: Path) -> None:
    channel = ScriptedChannel(sbatch=said("5\n"), squeue=said("5|RUNNING|None|x\n"), scancel=said())
    provider = SlurmProvider(channel=channel, cores_per_node=4, mem_per_node="1 GiB")
    job = provider.submit(
        BlockRequest(
            block=BlockId("0"),
            name="block",
            command="true",
            script_dir=tmp_path,
            stdout=tmp_path / "out",
            stderr=tmp_path / "err",
        )
    )
    [script] = channel.stdin
    for line in (
        "#SBATCH --exclusive",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=1024M",
        "#SBATCH --time=00:10:00",
        "export LAMINA_CORES_PER_NODE=4",
        f"export LAMINA_MEMORY_PER_NODE={2**30}",
        "export SRUN_CPUS_PER_TASK=4",
    ):
        assert f"{line}\n" in script
    assert provider.poll([job])[job].state is JobState.RUNNING
    provider.cancel([job])
    assert channel.asked[-1] == ("scancel", "5")


@pytest.mark.parametrize(
    "given, says",
    [
        ({"gpus_per_node": 0}, "gpus_per_node is 0; make it 1"),
        ({"gpus_per_node": ""}, "gpus_per_node"),
        ({"regex_job_id": r"job (\d+)"}, "group"),
        ({"regex_job_id": "("}, "group"),
        ({"regex_job_id": 3}, "group"),
        ({"exclusive": "no"}, "exclusive is 'no'; write True or False"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SlurmProvider(**given)
