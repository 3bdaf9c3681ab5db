from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import MpiExecLauncher
from lamina.providers import BlockRequest, JobState
from lamina.providers_batch import GridEngineProvider
from lamina.vocabulary import BlockId, ConfigError
from tests.fakes.channels import ScriptedChannel, said

QUEUE = """<?xml version='1.0'?>
<job_info><queue_info><job_list state="running"><JB_job_number>5</JB_job_number>
<JB_name>x</JB_name><state>r</state></job_list></queue_info><job_info/></job_info>"""


def test_options_are_those_that_users_know() -> None:
    provider = GridEngineProvider(
        nodes_per_block=2,
        init_blocks=0,
        min_blocks=0,
        max_blocks=4,
        parallelism=0.5,
        walltime="01:00:00",
        scheduler_options="#$ -cwd\n#$ -pe mpi 2",
        worker_init="module load python",
        launcher=MpiExecLauncher(),
        cmd_timeout=60,
        queue="all.q",
    )
    assert provider.walltime == 3600
    assert not provider.blocks_are_local
    assert GridEngineProvider() == GridEngineProvider()
    assert hash(GridEngineProvider()) == hash(GridEngineProvider())


def test_a_block_is_asked_for_polled_and_cancelled(tmp_path: Path) -> None:
    channel = ScriptedChannel(qsub=said("5\n"), qstat=said(QUEUE), qdel=said())
    provider = GridEngineProvider(channel=channel, queue="all.q", walltime=90)
    job = provider.submit(
        BlockRequest(
            block=BlockId("0"),
            name="block",
            command="true",
            script_dir=tmp_path,
            stdout=tmp_path / "the out",
            stderr=tmp_path / "err",
        )
    )
    [script] = channel.stdin
    assert "#$ -q all.q\n#$ -l h_rt=00:01:30\n" in script
    assert f"exec >'{tmp_path}/the out' 2>{tmp_path}/err\n" in script
    assert provider.poll([job])[job].state is JobState.RUNNING
    provider.cancel([job])
    assert channel.asked[-1] == ("qdel", "5")


@pytest.mark.parametrize(
    "given, says",
    [
        ({"nodes_per_block": 2}, "name it in scheduler_options, such as '#\\$ -pe mpi 2'"),
        ({"nodes_per_block": 2, "scheduler_options": "-pe mpi 2"}, "parallel environment"),
        ({"queue": ""}, "queue"),
        ({"max_blocks": 0}, "max_blocks"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        GridEngineProvider(**given)
