"""What every provider of a command-line scheduler does with its options and its dialect."""

import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import attrs

from lamina.channels import Channel, ChannelError
from lamina.launchers import Launcher
from lamina.providers import BlockRequest, JobStatus, ProviderUnavailable, SubmitRejected
from lamina.providers_batch.desk import Desk, desk_of
from lamina.providers_batch.dialect import BatchJob, Dialect
from lamina.vocabulary import JobId

__all__ = ["BatchEngine", "BatchOptions", "engine_of"]

_TASKS_PER_NODE = 1  # a block's command is one manager on each node


@attrs.define
class BatchEngine:
    """One provider at work. Any thread may call."""

    dialect: Dialect
    channel: Channel
    launcher: Launcher
    nodes: int
    worker_init: str
    cmd_timeout: float
    interval: float
    missing_after: float
    on_each_node: bool = False
    """Whether the batch system runs the script on each node of a block, or on the first only."""
    desk: Desk = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.desk = desk_of(self.dialect, self.channel)

    def submit(self, request: BlockRequest) -> JobId:
        """Write the script down and hand it to the batch system.

        The script is written here, for whoever wants to read it; where the batch system sees
        other files than this program, it is brought there, and leaves its exit status there.

        Raises:
            SubmitRejected: It said no, or the script cannot be written.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        name = self.dialect.job_name(request.name, secrets.token_hex(4))
        path = request.script_dir.absolute() / f"{name}.sh"
        there = path if request.remote_dir is None else request.remote_dir / path.name
        exit_code = there.with_suffix(".ec")
        script = self.script(request, name, exit_code)
        invocation = self.dialect.submit(script, there)
        try:
            path.touch(mode=0o700, exist_ok=False)
            path.write_text(script, encoding="utf-8")
        except OSError as error:
            status, program = error.errno or 1, invocation.program
            raise SubmitRejected(request.block, program, status, str(error)) from error
        if request.remote_dir is not None:
            try:
                self.channel.put(path, str(there))
            except ChannelError as error:
                raise ProviderUnavailable("the channel", str(error)) from error
        return self.desk.submit(
            self.dialect, request.block, name, invocation, str(exit_code), self.cmd_timeout
        )

    def script(self, request: BlockRequest, name: str, exit_code: Path) -> str:
        """The submit script of this block under this name."""
        job = BatchJob(
            name=name,
            nodes=self.nodes,
            launched=self.launcher(
                request.command, _TASKS_PER_NODE, 1 if self.on_each_node else self.nodes
            ),
            worker_init=self.worker_init,
            stdout=request.stdout.absolute(),
            stderr=request.stderr.absolute(),
            exit_code=exit_code,
        )
        return self.dialect.script(job)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where jobs stand.

        Raises:
            ProviderUnavailable: The batch system is silent.
        """
        return self.desk.poll(
            jobs,
            interval=self.interval,
            missing_after=self.missing_after,
            timeout=self.cmd_timeout,
        )

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End jobs.

        Raises:
            ProviderUnavailable: There was no answer for some of them.
        """
        if jobs:
            self.desk.cancel(jobs, self.cmd_timeout)


class BatchOptions(Protocol):
    """The options of a provider that are the same for every batch system."""

    @property
    def channel(self) -> Channel:
        """How commands are run where the batch system is."""
        ...

    @property
    def launcher(self) -> Launcher:
        """What starts the block's command on each node."""
        ...

    @property
    def nodes_per_block(self) -> int:
        """Nodes in each block."""
        ...

    @property
    def worker_init(self) -> str:
        """Shell text that runs before the block's command."""
        ...

    @property
    def cmd_timeout(self) -> float:
        """Seconds that a command may take."""
        ...

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two status queries."""
        ...

    @property
    def missing_after(self) -> float:
        """Seconds of absence after which a job is given up as gone."""
        ...


def engine_of(
    options: BatchOptions, dialect: Dialect, *, on_each_node: bool = False
) -> BatchEngine:
    """The engine of a provider with these options."""
    return BatchEngine(
        dialect,
        options.channel,
        options.launcher,
        nodes=options.nodes_per_block,
        worker_init=options.worker_init,
        cmd_timeout=options.cmd_timeout,
        interval=options.status_polling_interval,
        missing_after=options.missing_after,
        on_each_node=on_each_node,
    )
