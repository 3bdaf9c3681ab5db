"""What the shell knows of one unfinished task."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import attrs

from lamina.executors import Call, TaskRequest
from lamina.kernel.plans import Plan
from lamina.kernel.protocol import TaskSpec
from lamina.vocabulary import AttemptId, Failure, Resources, TaskId

__all__ = ["Task"]


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
    history: list[Failure] | None = None
    key: bytes | None = None
    joined: Any = None
    plan: Plan | None = None
    """How its files are moved; None where none has to be."""
    since: float = 0.0
    """When it entered its state, in seconds since the epoch."""
    submitted: float = 0.0

    @property
    def described(self) -> str:
        """What messages call it."""
        return f"{self.spec.name} (task {self.id})"

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
            options.walltime,
            options.memory_limit,
            options.expected,
            self.resources,
            self.avoid,
            options.env,
            options.hints,
        )
