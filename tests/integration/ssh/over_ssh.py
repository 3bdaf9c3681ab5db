"""Blocks on a host that is reached by SSH only, as an executor on a laptop has them."""

import shlex
from collections.abc import Collection, Mapping

import attrs

from lamina.channels import ChannelError, RemoteChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobState, JobStatus, ProviderUnavailable
from lamina.vocabulary import JobId

TIMEOUT = 60.0  # seconds


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
        launched = self.launcher(request.command, 1, 1)
        out, err = shlex.quote(str(request.stdout)), shlex.quote(str(request.stderr))
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
