"""What the shell knows of one unfinished task."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import attrs

from lamina.executors import Call, TaskRequest
from lamina.kernel.plans import Plan
from lamina.kernel.protocol import TaskSpec
from lamina.retry_policy import Attempt
from lamina.vocabulary import AttemptId, Resources, TaskId

__all__ = ["INTERNAL", "Task"]

INTERNAL = "kernel"
"""What notes call the kernel's own threads, where join bodies run; no executor is called so."""


@attrs.define(eq=False)
class Task:
    """One unfinished task. It exists once per task: no validators."""

    id: TaskId
    spec: TaskSpec
    dependencies: Sequence[Future[Any]]
    executors: Sequence[str] | None
    resources: Resources | None
    args: tuple[Any, ...] | None = None
    """With results in the place of futures; None until they are there."""
    kwargs: Mapping[str, Any] | None = None
    avoid: Collection[str] = ()
    attempt: AttemptId | None = None
    executor: str = ""
    """The label of the one that has, or had, its last attempt."""
    history: list[Attempt] | None = None
    """The attempts that have failed."""
    memory_limit: int | None = None
    """Bytes, where a retry policy has changed them; so too the seconds of the walltime."""
    walltime: float | None = None
    key: bytes | None = None
    joined: Any = None
    plan: Plan | None = None
    """How its files are moved; None where none has to be."""
    since: float = 0.0
    """When it entered its state, in seconds since the epoch."""

    @property
    def described(self) -> str:
        """What messages call it."""
        return f"{self.spec.name} (task {self.id})"

    @property
    def limit(self) -> float | None:
        """Seconds that its code may run."""
        return self.spec.options.walltime if self.walltime is None else self.walltime

    def request(self) -> TaskRequest:
        """Its present attempt, as an executor takes it."""
        spec = self.spec
        options = spec.options
        assert self.attempt is not None
        assert self.args is not None
        assert self.kwargs is not None
        return TaskRequest(
            self.attempt,
            Call(spec.function, self.args, self.kwargs) if self.plan is None else self.plan.call(),
            spec.name,
            options.priority,
            self.limit,
            options.memory_limit if self.memory_limit is None else self.memory_limit,
            options.expected,
            self.resources,
            self.avoid,
            options.env,
            options.hints,
            options.grace,
        )
