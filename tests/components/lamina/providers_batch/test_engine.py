import os
from pathlib import Path

import attrs
import pytest

from lamina.launchers import SimpleLauncher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobState, ProviderUnavailable, SubmitRejected
from lamina.providers_batch.engine import BatchEngine
from lamina.providers_batch.slurm_dialect import SlurmDialect
from lamina.vocabulary import BlockId, JobId
from tests.fakes.channels import FarChannel, ScriptedChannel, said


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


def test_where_the_batch_system_sees_other_files_the_script_is_brought_there(
    tmp_path: Path,
) -> None:
    far = FarChannel(tmp_path / "far", sbatch=said("17\n"))
    place = tmp_path / "here"
    place.mkdir()
    far.make_directory("/lamina/run")
    there = attrs.evolve(request(place), remote_dir=Path("/lamina/run"))
    assert engine(far).submit(there) == "17"
    [here] = place.glob("*.sh")
    [brought] = (tmp_path / "far/lamina/run").iterdir()
    assert brought.name == here.name
    assert brought.read_text() == here.read_text() == far.stdin[0]
    assert os.access(brought, os.X_OK)
    assert f" > /lamina/run/{here.stem}.ec.new" in here.read_text()
    assert str(tmp_path) not in here.read_text().replace(str(place / "block"), "")


def test_a_script_that_cannot_be_brought_there_may_be_later(tmp_path: Path) -> None:
    far = FarChannel(tmp_path / "far")
    there = attrs.evolve(request(tmp_path), remote_dir=Path("/lamina/run"))
    with pytest.raises(ProviderUnavailable, match="the channel gave no usable answer"):
        engine(far).submit(there)
    assert far.asked == []


def test_a_batch_system_that_runs_the_script_on_each_node_needs_one_copy_there(
    tmp_path: Path,
) -> None:
    mine = engine(ScriptedChannel(sbatch=said("17\n")))
    mine.launcher, mine.on_each_node = SingleNodeLauncher(), True
    mine.submit(request(tmp_path))
    [path] = tmp_path.glob("*.sh")
    assert "lamina_rank < 1;" in path.read_text()


def test_jobs_are_polled_and_cancelled_by_the_desk() -> None:
    channel = ScriptedChannel(squeue=said("17|RUNNING|None|a\n"), scancel=said())
    mine = engine(channel)
    assert mine.poll([JobId("17")])[JobId("17")].state is JobState.RUNNING
    mine.cancel([])
    mine.cancel([JobId("17")])
    assert channel.asked_of("scancel") == [("scancel", "17")]
