"""Waiting longer before each new attempt."""

import math

import attrs

from lamina.retry_policy.checks import a_policy, number
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.policies import Retries
from lamina.retry_policy.protocol import Again, Decision, RetryPolicy, Trouble

__all__ = ["Backoff"]

_FIVE = Retries(5)


@attrs.frozen
class Backoff(Composable):
    """Another policy, with a wait before each attempt that it grants.

    The wait is ``first`` seconds after the first failure and ``factor`` times as long after each
    that follows, up to ``most``. ``jitter`` is the part of it that is left to chance, from 0 for
    none to 1 for all: tasks that failed together do not come back together. Where the other
    policy wants to wait longer, it is heeded.
    """

    policy: RetryPolicy = attrs.field(default=_FIVE, validator=a_policy)
    first: float = attrs.field(default=1.0, validator=number())
    factor: float = attrs.field(default=2.0, validator=number(1.0))
    most: float = attrs.field(default=300.0, validator=number())
    jitter: float = attrs.field(default=0.5, validator=number(0.0, 1.0))

    def decide(self, trouble: Trouble) -> Decision:
        """What the other policy says, later."""
        decision = self.policy.decide(trouble)
        if not isinstance(decision, Again):
            return decision
        wait = self.longest(len(trouble.history)) * (1.0 - self.jitter * trouble.chance)
        return attrs.evolve(decision, delay=max(decision.delay, wait))

    def longest(self, failures: int) -> float:
        """Seconds to wait after so many failures, before chance takes its part."""
        if self.first == 0 or self.first >= self.most:
            return min(self.first, self.most)
        # By logarithms, since the power itself may be too large for a number.
        if (failures - 1) * math.log(self.factor) >= math.log(self.most / self.first):
            return self.most
        return self.first * self.factor ** (failures - 1)
