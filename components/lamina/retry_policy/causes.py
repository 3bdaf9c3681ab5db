"""Deciding by what went wrong: a policy for each cause, and the machinery's faults for nothing."""

from collections.abc import Mapping
from typing import Any

import attrs

from lamina.retry_policy.checks import a_policy, is_policy, whole
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.policies import (
    CRASH_LIMIT,
    Never,
    Retries,
    is_of_the_machinery,
    poison,
)
from lamina.retry_policy.protocol import Again, Decision, GiveUp, RetryPolicy, Trouble
from lamina.vocabulary import Cause, ConfigError

__all__ = ["ByCause", "InfrastructureFree"]

_NEVER = Never()


def _table(given: Mapping[Cause | str, RetryPolicy | int]) -> Any:
    """Causes from their names, and counts as policies."""
    value: Any = given
    if not isinstance(value, Mapping):
        msg = f'causes is {value!r:.100}; it must be a mapping such as {{"staging": Retries(3)}}'
        raise ConfigError(msg)
    table: dict[Cause, RetryPolicy] = {}
    for name, policy in value.items():
        try:
            cause = Cause(name)
        except ValueError:
            known = ", ".join(cause.value for cause in Cause)
            msg = f"causes has {name!r:.100}; the causes are {known}"
            raise ConfigError(msg) from None
        if type(policy) is int:
            policy = Retries(policy)
        if not is_policy(policy):
            msg = f"causes has {policy!r:.100} for {cause.value}; write a retry policy or a count"
            raise ConfigError(msg)
        table[cause] = policy
    return table


@attrs.frozen
class ByCause(Composable):
    """A policy for each cause of failure, and one for all others.

    ``causes`` maps a :class:`Cause` or its name to a policy, or to a count, which means
    ``Retries(count)``. Each policy sees only the failures that are its own, so the counts do not
    mix: three failed transfers use up nothing of what is granted to lost workers.
    """

    causes: Mapping[Cause | str, RetryPolicy | int] = attrs.field(converter=_table)
    otherwise: RetryPolicy = attrs.field(default=_NEVER, validator=a_policy)

    def decide(self, trouble: Trouble) -> Decision:
        """Ask the policy of this cause."""
        mine = self._policy(trouble.cause)
        own = [one for one in trouble.attempts if self._policy(one.failure.cause) is mine]
        return mine.decide(trouble.among(own))

    def _policy(self, cause: Cause) -> RetryPolicy:
        found = self.causes.get(cause, self.otherwise)
        assert not isinstance(found, int)
        return found


@attrs.frozen
class InfrastructureFree(Composable):
    """New attempts for nothing where the machinery failed; another policy for all else.

    The machinery has failed when a worker, a node, a block or an executor was lost, or a transfer
    of a file did not work that might work the next time. At most ``limit`` such attempts are
    free, and none once ``crash_limit`` workers have died under the task. The other policy does
    not see them.
    """

    policy: RetryPolicy = attrs.field(default=_NEVER, validator=a_policy)
    crash_limit: int = attrs.field(default=CRASH_LIMIT, validator=whole())
    limit: int = attrs.field(default=20, validator=whole())

    def decide(self, trouble: Trouble) -> Decision:
        """Try again for nothing, or ask the other policy."""
        if not is_of_the_machinery(trouble.failure):
            own = [one for one in trouble.attempts if not is_of_the_machinery(one.failure)]
            return self.policy.decide(trouble.among(own))
        if verdict := poison(trouble.history, self.crash_limit):
            return GiveUp(verdict)
        lost = sum(map(is_of_the_machinery, trouble.history))
        if lost > self.limit:
            return GiveUp(
                f"the machinery failed {lost} times under it, and limit={self.limit} allows no more"
            )
        return Again(cost=0.0)
