"""What a kernel is: it takes tasks into a dataflow and resolves their futures."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

import attrs

from lamina.kernel.futures import KernelFuture
from lamina.retry_policy import RetryPolicy
from lamina.vocabulary import File, Resources, TaskId, TaskState

__all__ = ["Kernel", "TaskOptions", "TaskSpec"]


@attrs.frozen(kw_only=True)
class TaskOptions:
    """What the tasks of one app have in common; made once for all of its calls."""

    join: bool = False
    """``function`` runs on a thread of the kernel, and returns futures to wait for."""
    inline: bool = False
    """``function`` is quick and ours, and runs on a thread of the kernel (derived futures)."""
    executors: tuple[str, ...] | None = None
    """Labels it may go to; None for all."""
    priority: float = 0
    walltime: float | None = None
    grace: float = 0.0
    """Seconds beyond the walltime in which ``function`` ends itself, if its executor cannot."""
    memory_limit: int | None = None
    expected: float | None = None
    resources: Resources | None = None
    env: Mapping[str, str] | None = None
    hints: Mapping[str, Any] | None = None
    retry: RetryPolicy | None = None
    """Instead of the kernel's."""
    cache: bool = False
    memo_function: Callable[..., Any] | None = None
    """The user's function, where ``function`` wraps it; its identity makes the memo key."""
    sandbox: bool = False
    """It runs in a directory of its own, from which its outputs are collected."""
    transfer: bool = False
    """It moves files for another task, and has none that would have to be moved for it."""
    ignore_for_cache: frozenset[str] = frozenset()
    version: str = ""

    def __attrs_post_init__(self) -> None:
        if self.sandbox:
            File.need_staging = True


_PLAIN = TaskOptions()


@attrs.define(eq=False)
class TaskSpec:
    """One task to be taken into the dataflow. It exists once per task: no validators.

    ``function`` is what runs; ``args`` and ``kwargs`` may hold futures, which the kernel's
    dependency resolver finds and replaces. ``future`` is what the kernel resolves; whoever
    submits makes it, so it may be of any class.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)
    future: Future[Any] = attrs.field(factory=KernelFuture)
    name: str = "task"
    options: TaskOptions = _PLAIN
    outputs: tuple[File, ...] = ()
    log_paths: tuple[str, ...] = ()
    """Where its stdout and stderr go, for the notes on its exception."""


class Kernel(Protocol):
    """**Protocol:** runs a dataflow. All methods may be called from any thread."""

    @property
    def run_dir(self) -> Path:
        """This run's own directory."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """The labels of its executors."""
        ...

    def new_task_id(self) -> TaskId:
        """The next task id, for whoever must know it before it submits."""
        ...

    def submit(self, spec: TaskSpec, task: TaskId | None = None) -> TaskId:
        """Take a task. Its future will be resolved, whatever happens.

        Raises:
            KernelClosedError: The kernel has been closed.
            ConfigError: ``executors`` names a label that does not exist.
            FutureInArgumentsError: A future hides where the resolver does not look.
        """
        ...

    def cancel(self, task: TaskId) -> bool:
        """Cancel a task: its future at once, its work as soon as its executor can.

        Returns whether the task was not final yet.
        """
        ...

    def state(self, task: TaskId) -> TaskState | None:
        """Where a task stands; None once it is final, when only its future knows."""
        ...

    def explain(self, task: TaskId) -> str:
        """Say in a sentence what an unfinished task is waiting for."""
        ...

    def wait_for_current_tasks(self, timeout: float | None = None) -> None:
        """Wait until every task submitted before this call is final.

        Raises:
            TimeoutError: ``timeout`` seconds were not enough.
        """
        ...

    def close(self, timeout: float | None = None, *, cancel: bool = True) -> None:
        """End the kernel and its executors; every future left is resolved before it returns.

        Without ``cancel`` it waits for the tasks first, up to ``timeout`` seconds.
        """
        ...
