"""Policies made of policies: the first that grants an attempt, and one after the other.

All of ours can be written together, ``MoreMemory("64 GiB") | Retries(1)``, and
``Retries(2).then(OtherExecutor())``. A policy of your own needs nothing for it beside one of
ours; two of your own are put into the lists, ``Either([mine, another])``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs

from lamina.retry_policy.checks import some_policies
from lamina.retry_policy.protocol import (
    Again,
    Attempt,
    Decision,
    GiveUp,
    RetryPolicy,
    Trouble,
)

__all__ = ["Composable", "Either", "Then"]


class Composable:
    """Lends ``|`` and ``then`` to a class that decides; it has no state of its own."""

    __slots__ = ()

    def __or__(self, other: RetryPolicy) -> "Either":
        """Ask this one, and the other where this one gives up."""
        return Either((cast("RetryPolicy", self), other))

    def __ror__(self, other: RetryPolicy) -> "Either":
        """Ask the other one, and this one where that gives up."""
        return Either((other, cast("RetryPolicy", self)))

    def then(self, other: RetryPolicy) -> "Then":
        """Once this one has given up, let the other decide from there on."""
        return Then((cast("RetryPolicy", self), other))


def _flat(value: Any, kind: type[Any]) -> Any:
    """A tuple without the lists inside it, or what it is: the validator has words for that."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        return value
    found: list[Any] = []
    for one in value:
        found += one.policies if type(one) is kind else [one]
    return tuple(found)


def _either(value: Iterable[RetryPolicy]) -> Any:
    return _flat(value, Either)


def _then(value: Iterable[RetryPolicy]) -> Any:
    return _flat(value, Then)


@attrs.frozen
class Either(Composable):
    """The first of several policies that makes a new attempt.

    Each sees the whole history; the task fails when all of them give up at one time.
    """

    policies: tuple[RetryPolicy, ...] = attrs.field(converter=_either, validator=some_policies)

    def decide(self, trouble: Trouble) -> Decision:
        """Ask them in order."""
        reasons = []
        for policy in self.policies:
            decision = policy.decide(trouble)
            if isinstance(decision, Again):
                return decision
            reasons.append(decision.reason)
        return GiveUp(_together(reasons))


@attrs.frozen
class Then(Composable):
    """One policy until it gives up, and the next one from there on.

    The next one sees what has happened since: the attempt on which the one before gave up is the
    first of its history. A policy that has given up is not asked about later attempts; it is
    asked once more about the earlier ones, since nobody notes down what it said.
    """

    policies: tuple[RetryPolicy, ...] = attrs.field(converter=_then, validator=some_policies)

    def decide(self, trouble: Trouble) -> Decision:
        """Find whose turn it is, and ask that one."""
        reasons, left = [], tuple(trouble.attempts)
        for policy in self.policies:
            decision, asked = _until_it_gives_up(policy, trouble, left)
            if isinstance(decision, Again):
                return decision
            reasons.append(decision.reason)
            left = left[asked - 1 :]
        return GiveUp(_together(reasons))


def _until_it_gives_up(
    policy: RetryPolicy, trouble: Trouble, attempts: Sequence[Attempt]
) -> tuple[Decision, int]:
    """Ask about one attempt after the other; the last answer, and how many were asked about."""
    for count in range(1, len(attempts)):
        decision = policy.decide(trouble.among(attempts[:count]))
        if not isinstance(decision, Again):
            return decision, count
    return policy.decide(trouble.among(attempts)), len(attempts)


def _together(reasons: Iterable[str]) -> str:
    """Each reason once, in order."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
