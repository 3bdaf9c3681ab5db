from pathlib import Path
from typing import Any

import pytest

from lamina.providers_batch import FluxProvider
from lamina.vocabulary import ConfigError
from tests.fakes.blocks_of import script_of
from tests.fakes.channels import ScriptedChannel, said


def test_flux_is_asked_with_the_options_that_users_know(tmp_path: Path) -> None:
    answers = {"batch": said("\u0192Ab1\n"), "jobs": said("fAb1|RUN|16|||it\n"), "cancel": said()}
    to = ScriptedChannel(flux=lambda command, _: answers[command[1]])
    provider = FluxProvider(
        queue="debug",
        nodes_per_block=2,
        cores_per_node=8,
        gpus_per_node=1,
        walltime="00:30:00",
        scheduler_options="# flux: --requires=hosts:n1",
        channel=to,
    )
    script = script_of(provider, Cancelling(to), tmp_path, "cancel")
    for line in (
        "--nodes=2 --nslots=2",
        "--cores-per-slot=8",
        "--gpus-per-slot=1",
        "--time-limit=1800s",
        "--queue=debug",
        "--requires=hosts:n1",
    ):
        assert f"# flux: {line}\n" in script
    assert to.asked[0][:2] == ("flux", "batch")
    assert FluxProvider() == FluxProvider()
    assert hash(FluxProvider()) == hash(FluxProvider())


class Cancelling(ScriptedChannel):
    """What was asked, without the word that each command of Flux begins with."""

    def __init__(self, channel: ScriptedChannel) -> None:
        self._channel = channel

    @property
    def asked(self) -> list[tuple[str, ...]]:  # type: ignore[override]
        return [command[1:] for command in self._channel.asked]


@pytest.mark.parametrize(
    "given, says",
    [
        ({"exclusive": 1}, "exclusive is 1; write True or False"),
        ({"queue": ""}, "queue"),
        ({"cores_per_node": 0}, "cores_per_node is 0"),
        ({"init_blocks": 2}, "max_blocks"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FluxProvider(**given)
    assert says in str(caught.value)
