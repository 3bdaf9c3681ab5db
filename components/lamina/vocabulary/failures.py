"""Why a task failed: the causes, the errors that carry them, and the record that policies read.

::

    TaskError
    ├── SerializationError     an argument, a function or a result cannot be (un)pickled
    ├── WorkerLost             the worker process died under the task
    ├── TaskOutOfMemory        the worker was killed for using too much memory
    ├── TaskWalltime           the task used up its walltime    (known as AppTimeout)
    ├── BlockEnded             the block reached its walltime, or was preempted
    ├── NodeLost               the manager died or fell silent
    ├── ResourcesUnavailable   no node has what the task asks for
    ├── StagingFailed          a file could not be brought or taken away
    ├── DependencyError        something in its arguments had failed
    ├── JoinError              a future that a join app returned had failed
    ├── ExecutorLost           the executor could not go on
    └── ClosedError            the executor or kernel was closed first

An exception of the user's own function is not wrapped: it is the future's exception, and its
cause is ``APPLICATION``.
"""

import enum
import signal
from collections.abc import Sequence

import attrs

from lamina.vocabulary.errors import LaminaError

__all__ = [
    "BlockEnded",
    "Cause",
    "ClosedError",
    "DependencyError",
    "ExecutorLost",
    "Failure",
    "HasStarted",
    "JoinError",
    "NodeLost",
    "ResourcesUnavailable",
    "SerializationError",
    "StagingFailed",
    "TaskError",
    "TaskOutOfMemory",
    "TaskWalltime",
    "WorkerLost",
    "exit_in_words",
]


class Cause(enum.Enum):
    """What ended an attempt. The retry policy decides by this, never by an exception's text."""

    APPLICATION = "application"
    SERIALIZATION = "serialization"
    WORKER_LOST = "worker_lost"
    OUT_OF_MEMORY = "out_of_memory"
    TASK_WALLTIME = "task_walltime"
    BLOCK_ENDED = "block_ended"
    NODE_LOST = "node_lost"
    RESOURCES = "resources"
    STAGING = "staging"
    DEPENDENCY = "dependency"
    CANCELLED = "cancelled"
    EXECUTOR_LOST = "executor_lost"
    CLOSED = "closed"

    @property
    def is_infrastructure(self) -> bool:
        """Whether the machinery failed rather than the task, its arguments or its author."""
        return self in _INFRASTRUCTURE


_INFRASTRUCTURE = frozenset(
    {Cause.WORKER_LOST, Cause.BLOCK_ENDED, Cause.NODE_LOST, Cause.STAGING, Cause.EXECUTOR_LOST}
)


class HasStarted(enum.Enum):
    """Whether an attempt had begun to run user code when it ended."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class TaskError(LaminaError):
    """A task failed for a reason outside its own code.

    ``cause`` says which, ``started`` whether its code may have run, so that a caller can tell
    whether running it again is safe.
    """

    cause: Cause = Cause.EXECUTOR_LOST

    def __init__(self, reason: str, started: HasStarted = HasStarted.UNKNOWN) -> None:
        super().__init__(reason, started)
        self.reason, self.started = reason, started

    def __str__(self) -> str:
        return self.reason


class SerializationError(TaskError):
    """A function, argument, result or exception cannot be pickled or unpickled.

    Running the task again will not help.
    """

    cause = Cause.SERIALIZATION


class WorkerLost(TaskError):
    """The worker process died under the task. Again may help, unless the task killed it."""

    cause = Cause.WORKER_LOST


class TaskOutOfMemory(TaskError):
    """The worker was killed because it used too much memory. More memory would help.

    ``peak`` is the most that it was seen to use and ``limit`` what it might, in bytes; None where
    nobody knows. ``measured`` says how: ``"watchdog"`` has looked at its processes in /proc,
    ``"cgroup"`` is the kernel itself.
    """

    cause = Cause.OUT_OF_MEMORY

    def __init__(
        self,
        reason: str,
        started: HasStarted = HasStarted.YES,
        peak: int | None = None,
        limit: int | None = None,
        measured: str = "",
    ) -> None:
        super().__init__(reason, started)
        self.args = (reason, started, peak, limit, measured)
        self.peak, self.limit, self.measured = peak, limit, measured


class TaskWalltime(TaskError):
    """The task ran for longer than its walltime. More walltime would help.

    ``stopped`` is False where the executor could not stop the work, which then goes on.
    """

    cause = Cause.TASK_WALLTIME

    def __init__(
        self, reason: str, started: HasStarted = HasStarted.YES, stopped: bool = True
    ) -> None:
        super().__init__(reason, started)
        self.args = (reason, started, stopped)
        self.stopped = stopped


class BlockEnded(TaskError):
    """The block of nodes reached its walltime or was preempted. Again may help."""

    cause = Cause.BLOCK_ENDED


class NodeLost(TaskError):
    """The manager on the node died or fell silent. Again may help."""

    cause = Cause.NODE_LOST


class ResourcesUnavailable(TaskError):
    """The task asks for more than any node of the executor has. Asking for less would help."""

    cause = Cause.RESOURCES


class StagingFailed(TaskError):
    """A file could not be brought to the task or taken away from it.

    ``url`` says which, ``attempt`` how often it was tried, ``moved`` how many bytes had gone the
    way at the last try, ``status`` what the other side answered where it has numbers or words
    for that, and ``again`` whether another attempt may help. ``started`` is NO where it was to be
    brought: the task's own code has not run.
    """

    cause = Cause.STAGING

    def __init__(
        self,
        reason: str,
        started: HasStarted = HasStarted.NO,
        url: str = "",
        attempt: int = 1,
        moved: int = 0,
        status: int | str | None = None,
        again: bool = True,
    ) -> None:
        super().__init__(reason, started)
        self.args = (reason, started, url, attempt, moved, status, again)
        self.url, self.attempt, self.moved = url, attempt, moved
        self.status, self.again = status, again

    def __str__(self) -> str:
        if not self.url:
            return self.reason
        status = "" if self.status is None else f", status {self.status}"
        help_ = "again may help" if self.again else "again will not help"
        return (
            f"{self.url} was not staged: {self.reason} "
            f"(attempt {self.attempt}, {self.moved} bytes moved{status}; {help_})"
        )


class ExecutorLost(TaskError):
    """The executor could not go on, and says why. Other executors may take the task."""

    cause = Cause.EXECUTOR_LOST


class ClosedError(TaskError):
    """The executor or the kernel was closed before the task had ended."""

    cause = Cause.CLOSED


class DependencyError(TaskError):
    """The task never ran, because something in its arguments had failed.

    ``task`` names this task, ``root`` the one that failed first; ``__cause__`` is the root's
    exception, and ``chain`` lists the tasks between, nearest first.
    """

    cause = Cause.DEPENDENCY

    def __init__(self, task: str, root: str, chain: Sequence[str] = ()) -> None:
        super().__init__(f"{task} did not run", HasStarted.NO)
        self.args = (task, root, tuple(chain))
        self.task, self.root, self.chain = task, root, tuple(chain)

    def __str__(self) -> str:
        between = f" (by way of {', '.join(self.chain)})" if self.chain else ""
        return f"{self.task} did not run, because {self.root} failed{between}"


class JoinError(TaskError):
    """A future that a join app returned has failed.

    ``task`` names the join, ``root`` the task that failed first; ``__cause__`` is the root's
    exception, and ``chain`` lists the tasks between, nearest first. ``failed`` of the ``joined``
    futures failed.
    """

    cause = Cause.DEPENDENCY

    def __init__(
        self, task: str, root: str, failed: int = 1, joined: int = 1, chain: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{task} joined a failure", HasStarted.YES)
        self.args = (task, root, failed, joined, tuple(chain))
        self.task, self.root, self.failed, self.joined = task, root, failed, joined
        self.chain = tuple(chain)

    def __str__(self) -> str:
        between = f" (by way of {', '.join(self.chain)})" if self.chain else ""
        return (
            f"{self.task} returned {self.joined} futures, of which {self.failed} failed; "
            f"the first was {self.root}{between}"
        )


@attrs.frozen(kw_only=True)
class Failure:
    """What became of an attempt that did not succeed. Times are wall-clock seconds."""

    cause: Cause
    error: BaseException
    started: HasStarted = HasStarted.UNKNOWN
    node: str | None = None
    """The host where it ran, if one is known."""
    block: str | None = None
    worker: str | None = None
    began: float | None = None
    """When its code started, in seconds since the epoch."""
    ended: float | None = None
    peak_memory: int | None = None
    """The most memory it was seen to use, in bytes, where that was measured."""
    stopped: bool = True
    """False when the work could not be stopped and goes on with nobody listening."""


def exit_in_words(status: int) -> str:
    """Say how a process ended, from its ``returncode``: negative numbers are signals."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"killed by {name}"
