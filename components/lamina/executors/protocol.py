"""What an executor is: it runs attempts somewhere, and reports what became of them.

Batches go both ways and no future lies between. Whoever drives an executor — the kernel, the
``concurrent.futures`` face, a platform of its own — calls ``launch`` with requests and a
``report``; the executor answers each attempt with exactly one :class:`Outcome`, whatever dies.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import attrs

from lamina.vocabulary import (
    AttemptId,
    Clock,
    Emit,
    ExecutorLost,
    Failure,
    LaminaError,
    Resources,
    SystemClock,
)

__all__ = [
    "AlreadyStartedError",
    "BrokenPool",
    "Call",
    "Capabilities",
    "Executor",
    "ExecutorError",
    "Load",
    "News",
    "NotStartedError",
    "Outcome",
    "Payload",
    "Report",
    "Site",
    "Started",
    "TaskRequest",
]


class ExecutorError(LaminaError):
    """An executor was used in a way that cannot work."""


class AlreadyStartedError(ExecutorError):
    """The executor runs already. A copy of it can be started beside it."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label

    def __str__(self) -> str:
        return f"executor {self.label!r} has been started already; use copy.copy() for a second one"


class NotStartedError(ExecutorError):
    """The executor does not run: it was not started, or has been closed."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label

    def __str__(self) -> str:
        return f"executor {self.label!r} does not run; start it, or load a kernel that does"


class BrokenPool(ExecutorLost, BrokenExecutor):
    """The executor could not go on, in the words of ``concurrent.futures``.

    It answers nothing any more; a copy of it, or another executor, may take the call.
    """


class Call(NamedTuple):
    """A function and its arguments, to be called where the task runs."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}


class Payload(NamedTuple):
    """Opaque bytes, and the ``module:name`` of the callable that will run them on the worker.

    The callable gets the bytes and returns bytes. Nobody between looks into them.
    """

    runner: str
    data: bytes


@attrs.define(eq=False)
class TaskRequest:
    """One attempt to run one task. It exists once per task, so it has no validators."""

    attempt: AttemptId
    call: Call | Payload
    name: str = ""
    """What to call the task in messages and logs."""
    priority: float = 0
    """Higher runs sooner; equal ones run in the order they came."""
    walltime: float | None = None
    """Seconds that it may run, counted from the start mark."""
    memory_limit: int | None = None
    """Bytes that its processes may use together."""
    expected: float | None = None
    """Seconds that it is expected to take; it is not placed where it cannot end."""
    resources: Resources | None = None
    avoid: Collection[str] = ()
    """Nodes on which it is not to run, as outcomes name them; it waits for another."""
    env: Mapping[str, str] | None = None
    """Environment variables for this task alone."""
    hints: Mapping[str, Any] | None = None
    """For plug-ins of the executor; they cross the wire, so text and numbers only."""

    @property
    def described(self) -> str:
        """What messages call it."""
        return self.name or f"task attempt {self.attempt}"


class Started(NamedTuple):
    """An attempt's code is running. Short tasks may end without ever saying so."""

    attempt: AttemptId
    at: float
    """Seconds since the epoch."""
    node: str | None = None
    worker: str | None = None


class Outcome(NamedTuple):
    """What became of an attempt: a value, or a failure. There is one for each attempt."""

    attempt: AttemptId
    value: Any = None
    failure: Failure | None = None
    began: float | None = None
    """When its code started, in seconds since the epoch; None where nobody looked."""
    ended: float | None = None
    node: str | None = None
    worker: str | None = None


News: TypeAlias = Started | Outcome
Report: TypeAlias = Callable[[Sequence[News]], None]
"""Takes news in batches, from any thread but one that reads a socket. Never raises."""


@attrs.frozen(kw_only=True)
class Capabilities:
    """What an executor can do; asked once, after it has started."""

    stops_running_tasks: bool
    """Whether ``cancel`` and walltime end a task that runs, with everything below it."""
    own_processes: bool
    """Whether a task has a process of its own, so that it may change the process's state."""
    shared_file_system: bool = True
    """Whether tasks see the same files at the same paths as the program."""
    resources: frozenset[str] = frozenset()
    """The fields of Resources that it honours; asking for another is an error."""


class Load(NamedTuple):
    """How busy an executor is, for the Router. Both are counts and may be a moment old."""

    outstanding: int
    slots: int
    """Tasks that it could run at once now; 0 while no worker has come."""


@attrs.frozen(kw_only=True)
class Site:
    """Where an executor finds itself: what whoever starts it hands in."""

    run_dir: Path
    """A directory of this run, for this executor and the others; it exists."""
    clock: Clock = attrs.field(factory=SystemClock)
    emit: Emit | None = None


class Executor(Protocol):
    """**Protocol:** runs attempts somewhere.

    Before ``start`` an executor is a plain value: constructing one starts and contacts
    nothing, and ``copy.copy`` gives another. After ``close`` it may be started again.
    All methods but ``start`` may be called from any thread, and none waits for a task.
    """

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def start(self, site: Site) -> None:
        """Begin to run. It does not wait for the first worker.

        Raises:
            AlreadyStartedError: It runs already; a copy can be started beside it.
            ConfigError: Its settings cannot work on this machine.
        """
        ...

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts, each of which will be reported exactly once as an Outcome.

        It raises for nothing that one task alone is to blame for: an argument that cannot be
        pickled is an Outcome with a failure.

        Raises:
            NotStartedError: It was not started, or has been closed; nothing was taken.
        """
        ...

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Stop these attempts as soon as it can; unknown ones are ignored.

        Their outcome is a failure of cause CANCELLED once they are stopped, or the result if
        that came first.
        """
        ...

    def load(self) -> Load:
        """How busy it is."""
        ...

    def close(self, timeout: float | None = None) -> None:
        """Stop everything; an outcome is reported for every attempt left, before it returns.

        Running tasks are stopped, where that can be done, within ``timeout`` seconds
        (None: as long as the executor thinks right). A second call does nothing.
        """
        ...
