"""A block submitted, polled and cancelled through a channel that speaks to nobody."""

from pathlib import Path

from lamina.providers import BlockRequest, JobState, Provider
from lamina.vocabulary import BlockId
from tests.fakes.channels import ScriptedChannel


def script_of(provider: Provider, channel: ScriptedChannel, place: Path, cancel: str) -> str:
    """What was written for a block, which is then found running and cancelled."""
    job = provider.submit(
        BlockRequest(
            block=BlockId("0"),
            name="block",
            command="true",
            script_dir=place,
            stdout=place / "out",
            stderr=place / "err",
        )
    )
    assert provider.poll([job])[job].state is JobState.RUNNING
    provider.cancel([job])
    assert channel.asked[-1] == (cancel, job)
    assert not provider.blocks_are_local
    [path] = place.glob("*.sh")
    return path.read_text()
