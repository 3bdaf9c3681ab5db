"""The submission of a block, rehearsed: all of it is done but the speaking to the batch system.

The script is no imitation: the provider itself writes it, with a channel that takes down what it
is told to run and runs nothing.
"""

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from lamina.channels import ChannelError, Completed
from lamina.executors_htex.blocks import block_request
from lamina.executors_htex.luggage import luggage_of, taker_of
from lamina.executors_htex.outpost import request_there, way_back_of
from lamina.executors_htex.settings import Settings
from lamina.providers import BlockRequest, ProviderError
from lamina.vocabulary import BlockId

__all__ = ["HERE", "REMOTE", "Rehearsed", "rehearse"]

HERE, REMOTE = "RUN_DIR", "REMOTE_DIR"  # stand for directories that only a real run has


class Rehearsed(NamedTuple):
    """What would have been submitted."""

    command: str
    """Empty where the provider submits nothing, and runs the script itself."""
    script: str


class _TakenDown(ChannelError):
    """The command was taken down, and not run."""


class _Secretary:
    """A channel that takes down the first command, and runs none."""

    def __init__(self) -> None:
        self.command: Sequence[str] = ()
        self.stdin = ""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        self.command, self.stdin = command, stdin
        raise _TakenDown(command[0], "this is a plan")

    def put(self, local: Path, remote: str) -> None:
        """Move nothing."""

    def get(self, remote: str, local: Path) -> None:
        """Move nothing."""

    def make_directory(self, remote: str) -> None:
        """Make nothing."""

    def close(self) -> None:
        """Hold nothing."""


def rehearse(settings: Settings) -> Rehearsed:
    """The command that submits the first block, and the script that it submits."""
    provider: Any = settings.provider
    with tempfile.TemporaryDirectory(prefix="lamina-plan-") as directory:
        place = Path(directory)
        (place / "blocks").mkdir()
        request = block_request(settings.label, place, BlockId("0"))
        channel = way_back_of(provider)
        if (taker := taker_of(provider)) is not None:
            luggage = luggage_of(request, taker, files={})
            return Rehearsed(*taker.described(attrs.evolve(request, luggage=luggage)))
        if channel is not None:
            request = request_there(request, channel.python, f"/{REMOTE}")
        if provider.blocks_are_local or not hasattr(provider, "channel"):
            command, script = "", _run_by_itself(provider, request)
        else:
            command, script = _taken_down(provider, request)
        return Rehearsed(_placed(command, directory), _placed(script, directory))


def _run_by_itself(provider: Any, request: BlockRequest) -> str:
    if hasattr(provider, "script"):
        text: str = provider.script(request, request.script_dir / f"{request.name}.sh")
        return text
    return request.command


def _taken_down(provider: Any, request: BlockRequest) -> tuple[str, str]:
    secretary = _Secretary()
    try:
        attrs.evolve(provider, channel=secretary).submit(request)
    except ProviderError:
        pass  # that is how a command ends that was only taken down
    written = [path.read_text(encoding="utf-8") for path in request.script_dir.glob("*.sh")]
    script = next((text for text in (*written, secretary.stdin) if text), "")
    return shlex.join(secretary.command), script


def _placed(text: str, directory: str) -> str:
    """The text with a word for each directory that only a real run has."""
    for here in (str(Path(directory).resolve()), directory):
        text = text.replace(here, HERE)
    return text.replace(f"/{REMOTE}", REMOTE)
