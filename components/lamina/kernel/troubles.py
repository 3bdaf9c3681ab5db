"""A failed attempt as the retry policy is told of it, and what its decision changes."""

from collections.abc import Iterable

import attrs

from lamina.kernel.task import Task
from lamina.retry_policy import Again, Attempt, Trouble
from lamina.vocabulary import Failure

__all__ = ["change", "trouble_of"]


def trouble_of(
    task: Task, failure: Failure, executor: str, labels: Iterable[str], chance: float
) -> Trouble:
    """Note down that the task has failed once more, and tell of it.

    ``labels`` are those of all executors; ``chance`` is for this decision.
    """
    options = task.spec.options
    attempt = Attempt(
        failure=failure,
        executor=executor,
        resources=task.resources,
        memory_limit=options.memory_limit if task.memory_limit is None else task.memory_limit,
        walltime=options.walltime if task.walltime is None else task.walltime,
        chance=chance,
    )
    if task.history is None:
        task.history = []
    task.history.append(attempt)
    return Trouble(
        task=task.described,
        name=task.spec.name,
        id=task.id,
        failure=failure,
        history=tuple(past.failure for past in task.history),
        attempts=tuple(task.history),
        executor=executor,
        executors=tuple(labels) if options.executors is None else options.executors,
        resources=attempt.resources,
        memory_limit=attempt.memory_limit,
        walltime=attempt.walltime,
        chance=chance,
    )


def change(task: Task, decision: Again) -> None:
    """Let the task's next attempt be as the policy wants it."""
    if decision.executors is not None:
        task.executors = tuple(decision.executors)
    if decision.avoid:
        task.avoid = tuple(dict.fromkeys((*task.avoid, *decision.avoid)))
    if decision.resources is not None:
        task.resources = decision.resources
    if decision.memory_limit is not None:
        task.memory_limit = decision.memory_limit
    if decision.walltime is not None:
        task.walltime = decision.walltime
    if task.history:
        task.history[-1] = attrs.evolve(task.history[-1], cost=decision.cost)
