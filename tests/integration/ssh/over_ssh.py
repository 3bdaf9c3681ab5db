"""Blocks on a host that is reached by SSH only, as an executor on a laptop has them."""

import json
import shlex
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.channels import ChannelError, RemoteChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobState, JobStatus, ProviderUnavailable
from lamina.vocabulary import JobId

TIMEOUT = 60.0  # seconds


def moved(request: BlockRequest, channel: RemoteChannel) -> BlockRequest:
    """The request as it holds on the other side: files moved there, and a way back to here."""
    words = shlex.split(request.command)
    config = Path(words[-1])
    facts: dict[str, Any] = json.loads(config.read_text())
    place = channel.place(f"run-{config.stat().st_ino}-{request.block}")
    _, _, port = facts["addresses"][0].partition("?")[0].rpartition(":")
    forward = channel.forward(int(port))
    facts["addresses"] = [f"tcp://{','.join(forward.hosts)}:{forward.port}"]
    keys = Path(facts["keys"])
    facts["keys"] = f"{place}/keys"
    channel.make_directory(facts["keys"])
    for name in ("interchange.public", "manager", "manager.public"):
        channel.put(keys / name, f"{place}/keys/{name}")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "manager.json"
        written.write_text(json.dumps(facts))
        channel.put(written, f"{place}/manager.json")
    there = {sys.executable: channel.python, str(config): f"{place}/manager.json"}
    command = shlex.join(there.get(word, word) for word in words)
    return attrs.evolve(
        request, command=command, stdout=Path(place) / "stdout", stderr=Path(place) / "stderr"
    )


@attrs.frozen(kw_only=True)
class OverSSH:
    """Each block is a session of processes on the host itself."""

    channel: RemoteChannel
    label: str = "over-ssh"
    blocks_are_local: bool = False
    nodes_per_block: int = 1
    init_blocks: int = 1
    min_blocks: int = 0
    max_blocks: int = 1
    parallelism: float = 1
    status_polling_interval: float = 1
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)

    def submit(self, request: BlockRequest) -> JobId:
        there = moved(request, self.channel)
        launched = self.launcher(there.command, 1, 1)
        out, err = shlex.quote(str(there.stdout)), shlex.quote(str(there.stderr))
        script = f"setsid bash -c {shlex.quote(launched)} </dev/null >{out} 2>{err} & echo $!"
        return JobId(self._run("sh", "-c", script).strip())

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        alive = self._run("ps", "-A", "-o", "pid=").split()
        return {
            job: JobStatus(state=JobState.RUNNING if job in alive else JobState.GONE)
            for job in jobs
        }

    def cancel(self, jobs: Collection[JobId]) -> None:
        for job in jobs:
            # By the shell: the program of this name takes some groups for everybody.
            self._run("sh", "-c", f"kill -TERM -{job}")

    def _run(self, *command: str) -> str:
        try:
            return self.channel.run(command, timeout=TIMEOUT).stdout
        except ChannelError as error:
            raise ProviderUnavailable(command[0], str(error)) from error


class Moved:
    """A provider whose commands go through a channel, and whose blocks start there."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def submit(self, request: BlockRequest) -> JobId:
        job: JobId = self._provider.submit(moved(request, self._provider.channel))
        return job

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)
