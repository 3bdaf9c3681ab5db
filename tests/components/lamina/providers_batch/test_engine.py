from pathlib import Path

import pytest

from lamina.launchers import SimpleLauncher
from lamina.providers import BlockRequest, JobState, SubmitRejected
from lamina.providers_batch.engine import BatchEngine
from lamina.providers_batch.slurm_dialect import SlurmDialect
from lamina.vocabulary import BlockId, JobId
from tests.fakes.channels import ScriptedChannel, said


def engine(channel: ScriptedChannel) -> BatchEngine:
    return BatchEngine(
        SlurmDialect(),
        channel,
        SimpleLauncher(debug=False),
        nodes=2,
        worker_init="module load it",
        cmd_timeout=5.0,
        interval=30.0,
        missing_after=60.0,
    )


def request(place: Path) -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name="lamina.htex.block-0",
        command="the-command --option",
        script_dir=place,
        stdout=place / "block.out",
        stderr=place / "block.err",
    )


def test_a_block_is_one_script_which_also_lies_there_to_be_read(tmp_path: Path) -> None:
    channel = ScriptedChannel(sbatch=said("17\n"))
    assert engine(channel).submit(request(tmp_path)) == "17"
    [script] = channel.stdin
    [path] = tmp_path.glob("*.sh")
    assert path.read_text() == script
    assert path.name.startswith("lamina.htex.block-0.")
    assert f"#SBATCH --job-name={path.stem}\n" in script
    assert "#SBATCH --nodes=2\n" in script
    assert f"#SBATCH --output={tmp_path}/block.out\n" in script
    assert "module load it\n(\nthe-command --option\n)" in script
    assert f"{path.with_suffix('.ec')}" in script


def test_blocks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    channel = ScriptedChannel(sbatch=said("17\n"))
    mine = engine(channel)
    mine.submit(request(tmp_path))
    mine.submit(request(tmp_path))
    assert len(list(tmp_path.glob("*.sh"))) == 2


def test_a_script_that_cannot_be_written_is_not_submitted(tmp_path: Path) -> None:
    channel = ScriptedChannel()
    with pytest.raises(SubmitRejected, match=r"sbatch refused .*missing"):
        engine(channel).submit(request(tmp_path / "missing"))
    assert channel.asked == []


def test_jobs_are_polled_and_cancelled_by_the_desk() -> None:
    channel = ScriptedChannel(squeue=said("17|RUNNING|None|a\n"), scancel=said())
    mine = engine(channel)
    assert mine.poll([JobId("17")])[JobId("17")].state is JobState.RUNNING
    mine.cancel([])
    mine.cancel([JobId("17")])
    assert channel.asked_of("scancel") == [("scancel", "17")]
