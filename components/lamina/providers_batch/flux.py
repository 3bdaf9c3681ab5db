"""``FluxProvider``: blocks that are jobs of a Flux instance."""

from collections.abc import Collection, Mapping

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.flux_dialect import FluxDialect, flux_directives
from lamina.providers_batch.options import (
    at_least,
    check_blocks,
    cmd_timeout,
    missing_after,
    one_line,
    status_polling_interval,
    text,
    walltime,
    yes_or_no,
)
from lamina.vocabulary import JobId

__all__ = ["FluxProvider"]


@attrs.frozen
class FluxProvider:
    """Asks Flux for each block with one batch job, which is a Flux instance of its own.

    ``queue`` is what flux batch calls so. A block has one slot on each of ``nodes_per_block``
    nodes, of ``cores_per_node`` cores and ``gpus_per_node`` GPUs, or with ``exclusive`` of the
    whole node. ``walltime`` is in seconds or ``"HH:MM:SS"``, None for the queue's.
    ``scheduler_options`` are further ``# flux:`` lines; ``worker_init`` is shell text that runs
    before the block's command. ``cmd_timeout`` is how long a command may take, in seconds.

    The script runs on the first node of a block. Several nodes need a launcher that reaches the
    others: ``WrappedLauncher("flux run --nodes=2 --ntasks=2")`` for two.

    A job that flux jobs no longer shows is looked up by the exit status that its script has left;
    it is given up as gone when it has been missing for ``missing_after`` seconds. All providers
    of a program share one flux jobs in each ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    queue: str | None = attrs.field(default=None, validator=one_line)
    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    cores_per_node: int | None = attrs.field(
        default=None, validator=at_least(1, int, optional=True)
    )
    gpus_per_node: int | None = attrs.field(default=None, validator=at_least(1, int, optional=True))
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    walltime: float | None = attrs.field(default=600, converter=walltime)
    scheduler_options: str = attrs.field(default="", validator=text)
    worker_init: str = attrs.field(default="", validator=text)
    cmd_timeout: float = attrs.field(default=60, converter=cmd_timeout)
    exclusive: bool = attrs.field(default=False, validator=yes_or_no)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="flux", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        dialect = FluxDialect(
            directives=flux_directives(
                nodes=self.nodes_per_block,
                cores=self.cores_per_node,
                gpus=self.gpus_per_node,
                exclusive=self.exclusive,
                walltime=self.walltime,
                queue=self.queue,
            ),
            scheduler_options=self.scheduler_options,
        )
        object.__setattr__(self, "_engine", engine_of(self, dialect))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with flux batch.

        Raises:
            SubmitRejected: Flux said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: Flux gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with flux cancel.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)
