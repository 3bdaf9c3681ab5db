"""A failed attempt as the retry policy is told of it, and what its decision changes."""

from collections.abc import Iterable

import attrs

from lamina.kernel.task import Task
from lamina.retry_policy import Again, Attempt, Trouble
from lamina.vocabulary import Failure

__all__ = ["change", "retried", "told_before", "trouble_of"]

TOLD = 5  # earlier attempts that a note tells of


def trouble_of(
    task: Task, failure: Failure, executor: str, labels: Iterable[str], chance: float
) -> Trouble:
    """Note down that the task has failed once more, and tell of it.

    ``labels`` are those of the executors that could have it; ``chance`` is for this decision.
    """
    options = task.spec.options
    allowed = options.executors
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
        executors=tuple(one for one in labels if allowed is None or one in allowed),
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


def retried(trouble: Trouble, decision: Again) -> dict[str, object]:
    """What an event says of a new attempt: why there is one, and what is other about it."""
    facts: dict[str, object] = {
        "task": trouble.id,
        "name": trouble.name,
        "failed": len(trouble.history),
        "executor": trouble.executor,
        "node": trouble.node,
        "cause": trouble.cause.value,
        "reason": _words(trouble.exception),
        "delay": decision.delay,
    }
    if decision.executors is not None:
        facts["executors"] = list(decision.executors)
    if decision.avoid:
        facts["avoid"] = list(decision.avoid)
    if decision.memory_limit is not None:
        facts["memory_limit"] = decision.memory_limit
    if decision.walltime is not None:
        facts["walltime"] = decision.walltime
    return facts


def told_before(trouble: Trouble) -> str:
    """How the attempts before the last one ended, for a note; empty if there were none."""
    earlier = list(enumerate(trouble.attempts[:-1], 1))
    told = [
        f"{number}{f' on {attempt.failure.node}' if attempt.failure.node else ''}: "
        f"{_words(attempt.failure.error)}"
        for number, attempt in earlier[-TOLD:]
    ]
    more = f"the last {TOLD} of {len(earlier)} " if len(earlier) > TOLD else ""
    return f"{more}earlier attempts: {'; '.join(told)}" if told else ""


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error!s:.200}"
    except Exception:  # the user's own __str__; the future must resolve all the same
        return type(error).__name__
