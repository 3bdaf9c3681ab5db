"""``CondorProvider``: blocks that are jobs of HTCondor."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from lamina.channels import Channel, LocalChannel
from lamina.launchers import Launcher, SingleNodeLauncher, stays_on_one_node
from lamina.providers import BlockRequest, JobStatus
from lamina.providers_batch.condor_dialect import CondorDialect
from lamina.providers_batch.engine import BatchEngine, engine_of
from lamina.providers_batch.options import (
    at_least,
    check_blocks,
    cmd_timeout,
    mem_per_slot,
    missing_after,
    status_polling_interval,
    text,
    walltime,
)
from lamina.vocabulary import ConfigError, JobId, explains

__all__ = ["CondorProvider"]


def _pairs(value: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    try:
        # Also of what it has returned: a value may be made again from its own fields.
        return tuple((str(name), str(one)) for name, one in dict(value or {}).items())
    except (TypeError, ValueError):
        msg = f"environment is {value!r}; write a mapping of names to text"
        raise ConfigError(msg) from None


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        msg = f"transfer_input_files is {value!r}; write a list of paths"
        raise ConfigError(msg)
    return tuple(str(one) for one in value)


def _one_line_or_nothing(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or "\n" in value:
        msg = f"{attribute.name} is {value!r}; it must be one line of text"
        raise ConfigError(msg)


@explains(cmd_chunk_size="one condor_q serves all jobs, however many there are")
@attrs.frozen
class CondorProvider:
    """Asks HTCondor for each block with one job, of the parallel universe for several nodes.

    ``cores_per_slot`` and ``mem_per_slot`` (GiB, or text with a unit) are asked for;
    ``environment`` is exported before anything else; ``project`` and ``requirements`` are what
    HTCondor calls so; ``transfer_input_files`` go along. ``walltime`` is in seconds or
    ``"HH:MM:SS"``, None for no limit but the pool's; HTCondor removes a job that has run for so
    long. ``scheduler_options`` are further lines
    of the submit description; ``worker_init`` is shell text that runs before the block's
    command. ``cmd_timeout`` is how long a command may take, in seconds.

    A job that condor_q no longer shows is looked up by the exit status that its script has left,
    then with condor_history; it is given up as gone when it has been missing for
    ``missing_after`` seconds. All providers of a program share one condor_q in each
    ``status_polling_interval``.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    nodes_per_block: int = attrs.field(default=1, validator=at_least(1, int))
    cores_per_slot: int | None = attrs.field(
        default=None, validator=at_least(1, int, optional=True)
    )
    mem_per_slot: int | None = attrs.field(default=None, converter=mem_per_slot)
    init_blocks: int = attrs.field(default=1, validator=at_least(0, int))
    min_blocks: int = attrs.field(default=0, validator=at_least(0, int))
    max_blocks: int = attrs.field(default=1, validator=at_least(1, int))
    parallelism: float = attrs.field(default=1, validator=at_least(0))
    environment: tuple[tuple[str, str], ...] = attrs.field(default=None, converter=_pairs)
    project: str = attrs.field(default="", validator=_one_line_or_nothing)
    scheduler_options: str = attrs.field(default="", validator=text)
    transfer_input_files: tuple[str, ...] = attrs.field(default=(), converter=_names)
    walltime: float | None = attrs.field(default=None, converter=walltime)
    worker_init: str = attrs.field(default="", validator=text)
    launcher: Launcher = attrs.field(factory=SingleNodeLauncher)
    requirements: str = attrs.field(default="", validator=_one_line_or_nothing)
    cmd_timeout: float = attrs.field(default=60, converter=cmd_timeout)
    channel: Channel = attrs.field(factory=LocalChannel, kw_only=True)
    label: str = attrs.field(default="condor", validator=text, kw_only=True)
    status_polling_interval: float = attrs.field(
        default=30, converter=status_polling_interval, validator=at_least(1), kw_only=True
    )
    missing_after: float = attrs.field(default=120, converter=missing_after, kw_only=True)
    _engine: BatchEngine = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self)
        if self.nodes_per_block > 1 and not stays_on_one_node(self.launcher):
            msg = (
                f"nodes_per_block is {self.nodes_per_block}, and HTCondor itself runs the script "
                f"on each node, where {self.launcher!r} would start managers on all of them "
                "again; leave launcher out"
            )
            raise ConfigError(msg)
        dialect = CondorDialect(
            scheduler_options=self.scheduler_options,
            project=self.project,
            requirements=self.requirements,
            transfer_input_files=self.transfer_input_files,
            environment=self.environment,
            cores_per_slot=self.cores_per_slot,
            mem_per_slot=self.mem_per_slot,
            walltime=self.walltime,
        )
        object.__setattr__(self, "_engine", engine_of(self, dialect, on_each_node=True))

    @property
    def runs_on_each_node(self) -> bool:
        """Whether the batch system itself runs the script on each node of a block: it does."""
        return True

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program: nobody knows, so no."""
        return False

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block with condor_submit.

        Raises:
            SubmitRejected: HTCondor said no; asking again will not help.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        return self._engine.submit(request)

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, as of at most ``status_polling_interval`` seconds ago.

        Raises:
            ProviderUnavailable: HTCondor gives no answer; all jobs stand where they stood.
        """
        return self._engine.poll(jobs)

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs with condor_rm.

        Raises:
            ProviderUnavailable: It gave no answer; it is tried again with the next query.
        """
        self._engine.cancel(jobs)
