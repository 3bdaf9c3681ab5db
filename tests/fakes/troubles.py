"""Failures, and what a kernel makes of them, for the tests of policies."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from lamina.retry_policy import Again, Attempt, Decision, GiveUp, RetryPolicy, Trouble
from lamina.vocabulary import Cause, Failure, HasStarted, StagingFailed


def failed(cause: Cause = Cause.APPLICATION, **facts: Any) -> Failure:
    """A failure; its code had started unless told otherwise."""
    facts.setdefault("started", HasStarted.YES)
    return Failure(cause=cause, error=facts.pop("error", RuntimeError("no")), **facts)


def hopeless_transfer() -> Failure:
    """A transfer failed that says of itself that another will not help."""
    error = StagingFailed("status 404", HasStarted.NO)
    vars(error)["again"] = False
    return failed(Cause.STAGING, started=HasStarted.NO, error=error)


def trouble(*failures: Failure, **facts: Any) -> Trouble:
    """The trouble after these failures."""
    facts.setdefault("executor", "htex")
    return Trouble(task="t", failure=failures[-1], history=failures, **facts)


def story(
    policy: RetryPolicy,
    fails: Callable[[int], Failure],
    *,
    most: int = 2000,
    executors: Sequence[str] = ("htex", "threads"),
    draw: Callable[[], float] = lambda: 0.5,
    **facts: Any,
) -> list[Decision]:
    """All decisions about one task that always fails, as the kernel would ask for them.

    ``fails`` makes the failure of an attempt from its number. It ends with a GiveUp, or after
    ``most`` attempts without one.
    """
    attempts: list[Attempt] = []
    decisions: list[Decision] = []
    asked = {name: facts.get(name) for name in ("resources", "memory_limit", "walltime")}
    executor = executors[0]
    for number in range(most):
        failure = fails(number)
        now = Attempt(failure=failure, executor=executor, chance=draw(), **asked)
        attempts.append(now)
        told = Trouble(
            task="t",
            failure=failure,
            history=tuple(one.failure for one in attempts),
            attempts=tuple(attempts),
            executor=executor,
            executors=executors,
            chance=now.chance,
            **asked,
        )
        decision = policy.decide(told)
        decisions.append(decision)
        if isinstance(decision, GiveUp):
            break
        assert isinstance(decision, Again)
        attempts[-1] = attrs.evolve(now, cost=decision.cost)
        asked = {
            name: old if (new := getattr(decision, name)) is None else new
            for name, old in asked.items()
        }
        executor = decision.executors[0] if decision.executors else executor
    return decisions
