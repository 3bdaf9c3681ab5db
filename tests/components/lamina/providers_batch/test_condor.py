from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import MpiExecLauncher
from lamina.providers_batch import CondorProvider
from lamina.vocabulary import ConfigError
from tests.fakes.blocks_of import script_of
from tests.fakes.channels import ScriptedChannel, said


def test_htcondor_is_asked_with_the_options_that_users_know(tmp_path: Path) -> None:
    to = ScriptedChannel(
        condor_submit=said("5.0 - 5.0\n"),
        condor_q=said('[{"ClusterId": 5, "JobStatus": 2}]'),
        condor_rm=said(),
    )
    provider = CondorProvider(
        cores_per_slot=2,
        mem_per_slot="1 GiB",
        environment={"GREETING": "hello you"},
        project="physics",
        requirements="HasPython",
        transfer_input_files=["data"],
        scheduler_options="+Quick = true",
        worker_init="module load it",
        channel=to,
    )
    script = script_of(provider, to, tmp_path, "condor_rm")
    assert "export GREETING='hello you'\n" in script
    for line in (
        "universe = vanilla",
        "request_cpus = 2",
        "request_memory = 1024",
        "requirements = HasPython",
        "transfer_input_files = data",
        "+Quick = true",
    ):
        assert f"{line}\n" in to.stdin[0]
    assert CondorProvider() == CondorProvider()
    assert hash(CondorProvider()) == hash(CondorProvider())


@pytest.mark.parametrize(
    "given, says",
    [
        ({"environment": "A=1"}, "write a mapping"),
        ({"transfer_input_files": "a b"}, "write a list"),
        ({"requirements": "a\nb"}, "one line"),
        ({"walltime": "soon"}, "walltime is 'soon'"),
        ({"project": 3}, "project is 3"),
        ({"mem_per_slot": "much"}, "mem_per_slot"),
        ({"min_blocks": 2}, "max_blocks"),
        ({"nodes_per_block": 2, "launcher": MpiExecLauncher()}, "leave launcher out"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CondorProvider(**given)


def test_each_node_starts_one_manager_and_the_first_leaves_the_exit_status(tmp_path: Path) -> None:
    to = ScriptedChannel(
        condor_submit=said("5.0 - 5.0\n"),
        condor_q=said('[{"ClusterId": 5, "JobStatus": 2}]'),
        condor_rm=said(),
    )
    provider = CondorProvider(nodes_per_block=3, channel=to)
    assert provider.runs_on_each_node
    script = script_of(provider, to, tmp_path, "condor_rm")
    assert "lamina_rank < 1;" in script
    assert 'if [ "${_CONDOR_PROCNO:-0}" = 0 ]; then\n    rm -f ' in script
    assert f"output = {tmp_path}/out.$(NODE)\n" in to.stdin[0]
