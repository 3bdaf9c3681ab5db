from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import AprunLauncher, MpiExecLauncher
from lamina.providers_batch import PBSProProvider, TorqueProvider
from lamina.vocabulary import ConfigError
from tests.fakes.blocks_of import script_of
from tests.fakes.channels import ScriptedChannel, said


def channel() -> ScriptedChannel:
    return ScriptedChannel(
        qsub=said("5.pbs\n"), qstat=said("Job Id: 5.pbs\n    job_state = R\n"), qdel=said()
    )


def test_pbs_pro_is_asked_with_the_options_that_users_know(tmp_path: Path) -> None:
    to = channel()
    provider = PBSProProvider(
        account="physics",
        queue="workq",
        scheduler_options="#PBS -V",
        select_options="ngpus=1",
        nodes_per_block=2,
        cpus_per_node=4,
        init_blocks=0,
        max_blocks=3,
        walltime="00:30:00",
        worker_init="module load it",
        launcher=MpiExecLauncher(),
        cmd_timeout=120,
        channel=to,
    )
    script = script_of(provider, to, tmp_path, "qdel")
    for line in (
        "#PBS -l select=2:ncpus=4:ngpus=1",
        "#PBS -l walltime=00:30:00",
        "#PBS -q workq",
        "#PBS -A physics",
        "#PBS -V",
    ):
        assert f"{line}\n" in script
    assert "select=1:ncpus=1\n" in script_of(
        PBSProProvider(channel=(other := channel())), other, _new(tmp_path), "qdel"
    )


def test_torque_is_asked_with_the_options_that_users_know(tmp_path: Path) -> None:
    to = channel()
    provider = TorqueProvider(
        account="physics", queue="batch", nodes_per_block=2, cores_per_node=4, channel=to
    )
    assert "#PBS -l nodes=2:ppn=4\n" in script_of(provider, to, tmp_path, "qdel")
    assert provider.launcher == AprunLauncher()
    assert TorqueProvider() == TorqueProvider()
    assert hash(PBSProProvider()) == hash(PBSProProvider())


def _new(place: Path) -> Path:
    (place / "other").mkdir()
    return place / "other"


@pytest.mark.parametrize("make", [PBSProProvider, TorqueProvider])
@pytest.mark.parametrize("given", [{"queue": ""}, {"max_blocks": 0}, {"min_blocks": 2}])
def test_what_cannot_work_is_refused(make: Any, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(given))):
        make(**given)
