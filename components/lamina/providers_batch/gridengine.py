"""``GridEngineProvider``: blocks that are jobs of Grid Engine."""

import re
from collections.abc import Collection, Mapping

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.gridengine_dialect import GridEngineDialect, grid_engine_directives
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
from lamina.vocabulary import ConfigError, JobId

__all__ = ["GridEngineProvider"]

_PARALLEL = re.compile(r"^#\$.*\s-pe\s", re.MULTILINE)


@attrs.frozen
class GridEngineProvider:
    """Asks Grid Engine for each block with one batch job.

    ``queue`` is what qsub calls so. ``walltime`` is in seconds or ``"HH:MM:SS"``, None for no
    limit but the queue's. ``scheduler_options`` are further ``#$`` lines: a block of several nodes
    needs a parallel environment, such as ``#$ -pe mpi 4``. ``worker_init`` is shell text that
    runs before the block's command. ``cmd_timeout`` is how long a command may take, in seconds.

    A job that qstat no longer shows is looked up by the exit status that its script has left,
    then with qacct; it is given up as gone when it has been missing for ``missing_after``
    seconds. All providers of a program share one qstat in each ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    walltime: float | None = attrs.field(default=600, converter=walltime)
    scheduler_options: str = attrs.field(default="", validator=text)
    worker_init: str = attrs.field(default="", validator=text)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    cmd_timeout: float = attrs.field(default=60, converter=cmd_timeout)
    queue: str | None = attrs.field(default=None, validator=one_line)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="grid_engine", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        if self.nodes_per_block > 1 and not _PARALLEL.search(self.scheduler_options):
            msg = (
                f"nodes_per_block is {self.nodes_per_block}, and Grid Engine gives several nodes "
                "only in a parallel environment of the site; name it in scheduler_options, "
                f"such as '#$ -pe mpi {self.nodes_per_block}'"
            )
            raise ConfigError(msg)
        check_reach(self)
        dialect = GridEngineDialect(
            directives=grid_engine_directives(queue=self.queue, walltime=self.walltime),
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
            SubmitRejected: Grid Engine said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: Grid Engine gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with qdel.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)
