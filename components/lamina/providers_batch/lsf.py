"""``LSFProvider``: blocks that are jobs of LSF."""

from collections.abc import Collection, Mapping

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.lsf_dialect import LsfDialect, lsf_directives
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
    yes_or_no,
)
from lamina.vocabulary import ConfigError, JobId

__all__ = ["LSFProvider"]


@attrs.frozen
class LSFProvider:
    """Asks LSF for each block with one batch job.

    ``queue`` and ``project`` are what bsub calls so. With ``request_by_nodes`` a block asks for
    whole nodes (``-nnodes``), otherwise for ``cores_per_block`` cores (``-n``), or as many as
    ``nodes_per_block`` nodes of ``cores_per_node`` have. ``walltime`` is in seconds or
    ``"HH:MM:SS"``, None for the queue's, and counts in minutes. ``scheduler_options`` are further
    ``#BSUB`` lines; ``worker_init`` is shell text that runs before the block's command.
    ``bsub_redirection`` changes nothing: bsub always reads the script from its stdin.
    ``cmd_timeout`` is how long a command may take, in seconds.

    A job that bjobs no longer shows is looked up by the exit status that its script has left;
    it is given up as gone when it has been missing for ``missing_after`` seconds. All providers
    of a program share one bjobs in each ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    cores_per_block: int | None = attrs.field(
        default=None, validator=at_least(1, int, optional=True)
    )
    cores_per_node: int | None = attrs.field(
        default=None, validator=at_least(1, int, optional=True)
    )
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    walltime: float | None = attrs.field(default=600, converter=walltime)
    scheduler_options: str = attrs.field(default="", validator=text)
    worker_init: str = attrs.field(default="", validator=text)
    project: str | None = attrs.field(default=None, validator=one_line)
    queue: str | None = attrs.field(default=None, validator=one_line)
    cmd_timeout: float = attrs.field(default=120, converter=cmd_timeout)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    bsub_redirection: bool = attrs.field(default=False, validator=yes_or_no)
    request_by_nodes: bool = attrs.field(default=True, validator=yes_or_no)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="lsf", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        check_reach(self)
        dialect = LsfDialect(
            directives=lsf_directives(
                project=self.project,
                queue=self.queue,
                walltime=self.walltime,
                resources=self._resources(),
            ),
            scheduler_options=self.scheduler_options,
        )
        object.__setattr__(self, "_engine", engine_of(self, dialect))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with bsub.

        Raises:
            SubmitRejected: LSF said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: LSF gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with bkill.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)

    def _resources(self) -> str:
        if self.request_by_nodes:
            return f"-nnodes {self.nodes_per_block}"
        cores = self.cores_per_block
        if cores is None and self.cores_per_node is not None:
            cores = self.cores_per_node * self.nodes_per_block
        if cores is None:
            msg = (
                "request_by_nodes is False, so the block asks for cores: "
                "give cores_per_block or cores_per_node"
            )
            raise ConfigError(msg)
        each = self.cores_per_node or -(-cores // self.nodes_per_block)
        return f'-n {cores} -R "span[ptile={each}]"'
