"""Asking for blocks of nodes, and learning what became of them."""

import enum
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import attrs

from lamina.vocabulary import BlockId, JobId, LaminaError

__all__ = [
    "TERMINAL_STATES",
    "BlockRequest",
    "JobState",
    "JobStatus",
    "Luggage",
    "LuggageProvider",
    "Provider",
    "ProviderError",
    "ProviderUnavailable",
    "SubmitDeferred",
    "SubmitRejected",
]


class ProviderError(LaminaError):
    """A batch system did not do what it was asked."""


class SubmitRejected(ProviderError):
    """The batch system refused a block, and would refuse it again."""

    def __init__(self, block: str, command: str, status: int, said: str) -> None:
        super().__init__(block, command, status, said)
        self.block, self.command, self.status, self.said = block, command, status, said

    def __str__(self) -> str:
        return (
            f"{self.command} refused block {self.block!r} (exit status {self.status}): "
            f"{self.said.strip() or 'it gave no reason'}. "
            "Check the partition, account and walltime in the provider's options."
        )


class SubmitDeferred(ProviderError):
    """The batch system refused a block for now, as for a limit on how many jobs a user may have.

    It may take it later, and nothing is wrong with the request.
    """

    def __init__(self, block: str, command: str, said: str) -> None:
        super().__init__(block, command, said)
        self.block, self.command, self.said = block, command, said

    def __str__(self) -> str:
        return (
            f"{self.command} takes no block now ({self.block!r}): {self.said.strip()}. "
            "It is asked again, less and less often; a smaller max_blocks stays below the limit."
        )


class ProviderUnavailable(ProviderError):
    """The batch system gave no answer. Asking again may help; nothing is known of the jobs."""

    def __init__(self, command: str, why: str) -> None:
        super().__init__(command, why)
        self.command, self.why = command, why

    def __str__(self) -> str:
        return f"{self.command} gave no usable answer: {self.why}"


class JobState(enum.Enum):
    """Where a block's job stands with the batch system."""

    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    UNKNOWN = "unknown"
    """The batch system said something that nobody has a word for."""
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    """It reached its walltime, which is not a fault."""
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    NODE_FAIL = "node_fail"
    OUT_OF_MEMORY = "out_of_memory"
    GONE = "gone"
    """The batch system has forgotten it, and nobody knows how it ended."""

    @property
    def terminal(self) -> bool:
        """Whether the job will never run again."""
        return self in TERMINAL_STATES


TERMINAL_STATES = frozenset(
    {
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.TIMEOUT,
        JobState.CANCELLED,
        JobState.PREEMPTED,
        JobState.NODE_FAIL,
        JobState.OUT_OF_MEMORY,
        JobState.GONE,
    }
)


@attrs.frozen(kw_only=True)
class JobStatus:
    """Where a job stands, and what is known of how it ended."""

    state: JobState
    reason: str = ""
    """What the batch system says, in a sentence."""
    exit_code: int | None = None
    """The batch script's; negative numbers are signals."""


@attrs.frozen(kw_only=True)
class Luggage:
    """What a block needs on a host that can read no file of this one."""

    files: Mapping[str, bytes] = attrs.field(repr=False)
    """Contents by relative path. For the user's eyes only: there are keys among them."""
    command: str
    """What is to run, for a shell in which ``LAMINA_LUGGAGE`` is the directory of the files."""


@attrs.frozen(kw_only=True)
class BlockRequest:
    """A block to be asked for. The provider adds what its own options say."""

    block: BlockId
    name: str
    """The job's name in the batch system: letters, digits, dots and dashes."""
    command: str
    """What is to run once on each node, for a shell; the provider's launcher wraps it."""
    script_dir: Path
    """Where scripts are written; it exists."""
    stdout: Path
    stderr: Path
    remote_dir: Path | None = None
    """Where scripts belong on the provider's channel's other side, and what they leave.

    It exists, and stdout and stderr are then paths of that side. None where both see
    ``script_dir``.
    """
    luggage: Luggage | None = None
    """What replaces the command where the provider is a ``LuggageProvider``."""


class Provider(Protocol):
    """**Protocol:** asks a batch system for blocks of nodes and says what became of them.

    No method waits for a block to start, and any may be called from any thread.
    """

    @property
    def label(self) -> str:
        """What messages call it."""
        ...

    @property
    def blocks_are_local(self) -> bool:
        """Whether every block runs on the host of this program."""
        ...

    @property
    def nodes_per_block(self) -> int:
        """Nodes in each block; one manager runs on each."""
        ...

    @property
    def init_blocks(self) -> int:
        """Blocks to ask for at once."""
        ...

    @property
    def min_blocks(self) -> int:
        """Blocks to keep, with work or without."""
        ...

    @property
    def max_blocks(self) -> int:
        """Never more blocks than this at a time."""
        ...

    @property
    def parallelism(self) -> float:
        """Slots wanted per outstanding task: 1 for as many as tasks, 0 for one block only."""
        ...

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two questions to the batch system."""
        ...

    def submit(self, request: BlockRequest) -> JobId:
        """Queue one block and return the batch system's name for it.

        Raises:
            SubmitRejected: It said no; asking again will not help.
            SubmitDeferred: It said: not now.
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        ...

    def poll(self, jobs: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        """Say where each job stands, with one query however many are named.

        A job that the batch system has forgotten is GONE, never left out.

        Raises:
            ProviderUnavailable: It gave no answer, so nothing is known.
        """
        ...

    def cancel(self, jobs: Collection[JobId]) -> None:
        """End these jobs, those that wait and those that run; ended ones are ignored.

        Raises:
            ProviderUnavailable: It gave no answer; asking again may help.
        """
        ...


class LuggageProvider(Provider, Protocol):
    """**Protocol:** a provider whose blocks see no file of this host.

    What a block needs comes with its request, as ``Luggage``, and is taken there by the provider,
    where nobody but the user can read it.
    """

    @property
    def python(self) -> str:
        """The command that is Python on the nodes; Lamina must be installed for it."""
        ...

    @property
    def takes_luggage(self) -> bool:
        """Whether the blocks see no file of this host: yes."""
        ...

    def described(self, request: BlockRequest) -> tuple[str, str]:
        """How this block would be asked for, and with what, in words; nothing is contacted."""
        ...
