"""``PBSProProvider`` and ``TorqueProvider``: blocks that are jobs of PBS or Torque."""

from collections.abc import Collection, Mapping

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import AprunLauncher, Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.options import (
    at_least,
    check_blocks,
    check_reach,
    cmd_timeout,
    missing_after,
    one_line,
    status_polling_interval,
    text,
    walltime,
)
from lamina.providers_batch.pbs_dialect import PbsDialect, pbs_directives
from lamina.vocabulary import JobId

__all__ = ["PBSProProvider", "TorqueProvider"]


@attrs.frozen
class PBSProProvider:
    """Asks PBS Pro or OpenPBS for each block with one batch job.

    ``account`` and ``queue`` are what qsub calls so. ``walltime`` is in seconds or ``"HH:MM:SS"``,
    None for the queue's. ``scheduler_options`` are further ``#PBS`` lines; ``worker_init`` is
    shell text that runs before the block's command. ``cmd_timeout`` is how long a command may
    take, in seconds. ``cpus_per_node`` and ``select_options``, such as ``ngpus=1``,
    go into the ``select`` statement.

    A job that qstat no longer shows is looked up by the exit status that its script has left;
    it is given up as gone when it has been missing for ``missing_after`` seconds. All providers
    of a program share one qstat in each ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    account: str | None = attrs.field(default=None, validator=one_line)
    queue: str | None = attrs.field(default=None, validator=one_line)
    scheduler_options: str = attrs.field(default="", validator=text)
    select_options: str | None = attrs.field(default=None, validator=one_line)
    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    cpus_per_node: int = attrs.field(default=1, validator=at_least(1, int))
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    walltime: float | None = attrs.field(default=1200, converter=walltime)
    worker_init: str = attrs.field(default="", validator=text)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    cmd_timeout: float = attrs.field(default=120, converter=cmd_timeout)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="pbspro", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        check_reach(self)
        select = f"select={self.nodes_per_block}:ncpus={self.cpus_per_node}"
        if self.select_options is not None:
            select += f":{self.select_options.strip().lstrip(':')}"
        dialect = PbsDialect(
            history=True,
            directives=pbs_directives(
                account=self.account,
                queue=self.queue,
                walltime=self.walltime,
                resources=select,
            ),
            scheduler_options=self.scheduler_options,
        )
        object.__setattr__(self, "_engine", engine_of(self, dialect))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with qsub.

        Raises:
            SubmitRejected: PBS Pro or OpenPBS said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: PBS gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with qdel.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)


@attrs.frozen
class TorqueProvider:
    """Asks Torque for each block with one batch job.

    ``account`` and ``queue`` are what qsub calls so. ``walltime`` is in seconds or ``"HH:MM:SS"``,
    None for the queue's. ``scheduler_options`` are further ``#PBS`` lines; ``worker_init`` is
    shell text that runs before the block's command. ``cmd_timeout`` is how long a command may
    take, in seconds. ``cores_per_node`` becomes ``ppn``.

    A job that qstat no longer shows is looked up by the exit status that its script has left;
    it is given up as gone when it has been missing for ``missing_after`` seconds. All providers
    of a program share one qstat in each ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    account: str | None = attrs.field(default=None, validator=one_line)
    queue: str | None = attrs.field(default=None, validator=one_line)
    scheduler_options: str = attrs.field(default="", validator=text)
    worker_init: str = attrs.field(default="", validator=text)
    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    launcher: Launcher = attrs.field(factory=AprunLauncher)
    walltime: float | None = attrs.field(default=1200, converter=walltime)
    cmd_timeout: float = attrs.field(default=120, converter=cmd_timeout)
    cores_per_node: int = attrs.field(default=1, validator=at_least(1, int), kw_only=True)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="torque", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        check_reach(self)
        dialect = PbsDialect(
            history=False,
            directives=pbs_directives(
                account=self.account,
                queue=self.queue,
                walltime=self.walltime,
                resources=f"nodes={self.nodes_per_block}:ppn={self.cores_per_node}",
            ),
            scheduler_options=self.scheduler_options,
        )
        object.__setattr__(self, "_engine", engine_of(self, dialect))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with qsub.

        Raises:
            SubmitRejected: Torque said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: Torque gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with qdel.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)
