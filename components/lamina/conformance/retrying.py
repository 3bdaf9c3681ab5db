"""The kit of RetryPolicy."""

from collections.abc import Iterator

import attrs

from lamina.conformance.clauses import Kit, clause, expect
from lamina.retry_policy import Again, Attempt, GiveUp, RetryPolicy, Trouble
from lamina.vocabulary import Cause, Failure, HasStarted

__all__ = ["RETRY_POLICY"]

PATIENCE = 1000  # attempts of one task, after which a policy is taken for one that never ends


def _troubles() -> Iterator[Trouble]:
    for cause in Cause:
        for started in HasStarted:
            failure = Failure(cause=cause, error=RuntimeError("x"), started=started, node="n1")
            for count in (1, 2, 5):
                for chance in (0.0, 0.999):
                    yield Trouble(
                        task="t",
                        failure=failure,
                        history=(failure,) * count,
                        executor="htex",
                        chance=chance,
                    )


@clause("retry.decides")
def _decides(policy: RetryPolicy) -> None:
    """It answers every cause, started or not, with Again or GiveUp, and never raises."""
    for trouble in _troubles():
        decision = policy.decide(trouble)
        expect(
            isinstance(decision, Again | GiveUp),
            else_say=f"{decision!r} for {trouble.failure.cause}",
        )


@clause("retry.stateless")
def _stateless(policy: RetryPolicy) -> None:
    """It keeps no state: the same trouble gets the same decision, whatever came between."""
    first = [policy.decide(trouble) for trouble in _troubles()]
    again = [policy.decide(trouble) for trouble in _troubles()]
    expect(first == again, else_say="another decision the second time")


@clause("retry.delay")
def _delay(policy: RetryPolicy) -> None:
    """A delay is a number of seconds, 0 or more."""
    for trouble in _troubles():
        decision = policy.decide(trouble)
        if isinstance(decision, Again):
            expect(decision.delay >= 0, else_say=f"a delay of {decision.delay!r}")


@clause("retry.executors")
def _executors(policy: RetryPolicy) -> None:
    """Where it names executors for the next attempt, it names at least one."""
    for trouble in _troubles():
        decision = policy.decide(trouble)
        if isinstance(decision, Again) and decision.executors is not None:
            expect(decision.executors, else_say="none at all")


@clause("retry.ends")
def _ends(policy: RetryPolicy) -> None:
    """A task that always fails in the same way is given up in the end."""
    for cause in Cause:
        for started in HasStarted:
            failure = Failure(cause=cause, error=RuntimeError("x"), started=started, node="n1")
            expect(
                _is_given_up(policy, failure),
                else_say=f"{PATIENCE} attempts that ended by {cause}, {started}",
            )


def _is_given_up(policy: RetryPolicy, failure: Failure) -> bool:
    """Whether a task that always fails so comes to its end."""
    limit: int | None = 2**20
    attempts: list[Attempt] = []
    for _ in range(PATIENCE):
        attempts.append(Attempt(failure=failure, executor="htex", memory_limit=limit))
        trouble = Trouble(
            task="t",
            failure=failure,
            history=(failure,) * len(attempts),
            attempts=tuple(attempts),
            executor="htex",
            executors=("htex", "threads"),
            memory_limit=limit,
        )
        decision = policy.decide(trouble)
        if not isinstance(decision, Again):
            return True
        attempts[-1] = attrs.evolve(attempts[-1], cost=decision.cost)
        limit = limit if decision.memory_limit is None else decision.memory_limit
    return False


RETRY_POLICY = Kit(
    "retry_policy", "RetryPolicy", 1, (_decides, _stateless, _delay, _executors, _ends)
)
