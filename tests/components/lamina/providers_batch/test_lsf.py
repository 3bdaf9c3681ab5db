from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import JsrunLauncher
from lamina.providers_batch import LSFProvider
from lamina.vocabulary import ConfigError
from tests.fakes.blocks_of import script_of
from tests.fakes.channels import ScriptedChannel, said


@pytest.mark.parametrize(
    "given, resources",
    [
        ({"nodes_per_block": 2}, "-nnodes 2"),
        ({"request_by_nodes": False, "cores_per_block": 8}, '-n 8 -R "span[ptile=8]"'),
        (
            {"request_by_nodes": False, "cores_per_block": 7, "nodes_per_block": 2},
            '-n 7 -R "span[ptile=4]"',
        ),
        (
            {"request_by_nodes": False, "cores_per_node": 4, "nodes_per_block": 2},
            '-n 8 -R "span[ptile=4]"',
        ),
    ],
)
def test_lsf_is_asked_with_the_options_that_users_know(
    tmp_path: Path, given: dict[str, Any], resources: str
) -> None:
    to = ScriptedChannel(
        bsub=said("Job <5> is submitted to queue <q>.\n"),
        bjobs=said("5|RUN|-|-|it\n"),
        bkill=said(),
    )
    provider = LSFProvider(
        project="physics",
        queue="q",
        walltime="00:30:00",
        scheduler_options="#BSUB -x",
        bsub_redirection=True,
        launcher=JsrunLauncher(),
        channel=to,
        **given,
    )
    script = script_of(provider, to, tmp_path, "bkill")
    for line in (resources, "-W 00:30", "-q q", "-P physics", "-x"):
        assert f"#BSUB {line}\n" in script
    assert LSFProvider() == LSFProvider()
    assert hash(LSFProvider()) == hash(LSFProvider())


@pytest.mark.parametrize(
    "given, says",
    [
        ({"request_by_nodes": False}, "give cores_per_block or cores_per_node"),
        ({"request_by_nodes": 1}, "request_by_nodes is 1; write True or False"),
        ({"queue": ""}, "queue"),
        ({"init_blocks": 2}, "max_blocks"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LSFProvider(**given)
