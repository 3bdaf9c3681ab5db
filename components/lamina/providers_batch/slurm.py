"""``SlurmProvider``: blocks that are jobs of Slurm."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.options import (
    at_least,
    check_blocks,
    check_reach,
    cmd_timeout,
    mem_per_node,
    missing_after,
    one_line,
    status_polling_interval,
    text,
    walltime,
    yes_or_no,
)
from lamina.providers_batch.slurm_dialect import SlurmDialect, slurm_directives
from lamina.vocabulary import ConfigError, JobId, explains

__all__ = ["SlurmProvider"]


def _has_group(_: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
    if value is None:
        return
    try:
        found = "id" in re.compile(value).groupindex
    except (re.error, TypeError):
        found = False
    if not found:
        msg = rf"{attribute.name} is {value!r}; write a pattern with a group (?P<id>\S+)"
        raise ConfigError(msg)


@explains(
    move_files="scripts are always brought to where the batch system is",
    status_batch_size="one squeue serves all jobs, however many there are",
)
@attrs.frozen
class SlurmProvider:
    """Asks Slurm for each block with one batch job.

    ``partition``, ``account``, ``qos``, ``constraint``, ``clusters`` and ``gres`` are what sbatch
    calls so. ``cores_per_node``, ``mem_per_node`` (GiB, or text with a unit) and
    ``gpus_per_node`` are asked for on each node; with ``exclusive`` a node is shared with nobody.
    ``walltime`` is in seconds or ``"HH:MM:SS"``, None for the partition's default.
    ``scheduler_options`` are further ``#SBATCH`` lines; ``worker_init`` is shell text that runs
    before the block's command. ``cmd_timeout`` is how long a command of Slurm may take, in
    seconds. ``regex_job_id`` is only for sites whose sbatch prints something of its own.

    A job that squeue no longer shows is looked up in the accounting, where there is one, then by
    the exit status that its script has left; it is given up as gone when it has been missing for
    ``missing_after`` seconds. All providers of a program share one squeue in each
    ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    partition: str | None = attrs.field(default=None, validator=one_line)
    account: str | None = attrs.field(default=None, validator=one_line)
    qos: str | None = attrs.field(default=None, validator=one_line)
    constraint: str | None = attrs.field(default=None, validator=one_line)
    clusters: str | None = attrs.field(default=None, validator=one_line)
    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    cores_per_node: int | None = attrs.field(
        default=None, validator=at_least(1, int, optional=True)
    )
    mem_per_node: int | None = attrs.field(default=None, converter=mem_per_node)
    gpus_per_node: int | str | None = attrs.field(default=None)
    gres: str | None = attrs.field(default=None, validator=one_line)
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    walltime: float | None = attrs.field(default=600, converter=walltime)
    scheduler_options: str = attrs.field(default="", validator=text)
    regex_job_id: str | None = attrs.field(default=None, validator=_has_group)
    worker_init: str = attrs.field(default="", validator=text)
    cmd_timeout: float = attrs.field(default=30, converter=cmd_timeout)
    exclusive: bool = attrs.field(default=True, validator=yes_or_no)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    channel: Channel = attrs.field(factory=LocalChannel)
    label: str = attrs.field(default="slurm", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    @gpus_per_node.validator
    def _counts_gpus(self, _: object, value: object) -> None:
        if value is None or isinstance(value, str):
            one_line(self, attrs.fields(SlurmProvider).gpus_per_node, value)
        else:
            at_least(1, int)(self, attrs.fields(SlurmProvider).gpus_per_node, value)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        check_reach(self, "SrunLauncher()")
        object.__setattr__(self, "_engine", engine_of(self, self._dialect()))

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with sbatch.

        Raises:
            SubmitRejected: Slurm said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: Slurm gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with scancel.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)

    def _dialect(self) -> SlurmDialect:
        exports: list[tuple[str, object]] = []
        if self.cores_per_node is not None:
            exports.append(("LAMINA_CORES_PER_NODE", self.cores_per_node))
            # Since 22.05 srun does not take over what was asked of sbatch.
            exports.append(("SRUN_CPUS_PER_TASK", self.cores_per_node))
        if self.mem_per_node is not None:
            exports.append(("LAMINA_MEMORY_PER_NODE", self.mem_per_node))
        return SlurmDialect(
            clusters=self.clusters,
            directives=slurm_directives(
                partition=self.partition,
                account=self.account,
                qos=self.qos,
                constraint=self.constraint,
                clusters=self.clusters,
                gres=self.gres,
                exclusive=self.exclusive,
                walltime=self.walltime,
                cores_per_node=self.cores_per_node,
                mem_per_node=self.mem_per_node,
                gpus_per_node=self.gpus_per_node,
            ),
            scheduler_options=self.scheduler_options,
            exports=tuple(exports),
            regex_job_id=self.regex_job_id,
        )
