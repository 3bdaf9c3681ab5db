"""Retries that are paid for: each failure has a price, and a task has so much to spend."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from lamina.retry_policy.checks import is_number, number, whole
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.policies import CRASH_LIMIT, is_a_try, poison
from lamina.retry_policy.protocol import Again, Decision, GiveUp, Trouble
from lamina.retry_policy.record import TaskRecord
from lamina.vocabulary import ConfigError

__all__ = ["CostBudget", "RetryHandler"]

RetryHandler: TypeAlias = Callable[[BaseException, TaskRecord], float]
"""Says what a failure costs, from the exception and a view of the task."""


def _handler(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not callable(value):
        msg = (
            f"{attribute.name} is {value!r:.100}; it must be a function of an exception and a task "
            "record that returns a cost, or None"
        )
        raise ConfigError(msg)


@attrs.frozen
class CostBudget(Composable):
    """New attempts while what the failures cost together is within the budget.

    ``handler(exception, task)`` says what a failure costs: 0 is free, more than the budget is
    final. Without one each costs 1. It is asked once for each failure, on a thread of the
    kernel, so it must not wait. A task under which ``crash_limit`` workers have died gets no
    further attempt, nor does one that has failed ``most_attempts`` times, however little that
    cost.
    """

    budget: float = attrs.field(default=1.0, validator=number())
    handler: RetryHandler | None = attrs.field(default=None, validator=_handler)
    crash_limit: int = attrs.field(default=CRASH_LIMIT, validator=whole())
    most_attempts: int = attrs.field(default=100, validator=whole(1))

    def decide(self, trouble: Trouble) -> Decision:
        """Try again where there is enough left.

        Raises:
            ConfigError: The handler returned something else than a number, 0 or more.
            Exception: Whatever the handler raises.
        """
        if not is_a_try(trouble.failure):
            return GiveUp()
        if verdict := poison(trouble.history, self.crash_limit):
            return GiveUp(verdict)
        cost = self._cost(trouble)
        spent = trouble.spent + cost
        # Three times 0.1 is a little more than 0.3, and is within it.
        if spent > self.budget and not math.isclose(spent, self.budget):
            return GiveUp(
                f"its failures cost {spent:g}, and a budget of {self.budget:g} allows no more"
            )
        if len(trouble.history) >= self.most_attempts:
            return GiveUp(
                f"it failed {len(trouble.history)} times, and "
                f"most_attempts={self.most_attempts} allows no more"
            )
        return Again(cost=cost)

    def _cost(self, trouble: Trouble) -> float:
        if self.handler is None:
            return 1.0
        cost = self.handler(trouble.exception, TaskRecord(trouble))
        if not is_number(cost) or cost < 0:
            msg = f"retry_handler returned {cost!r:.100}; it must return a number, 0 or more"
            raise ConfigError(msg)
        return cost
