"""Trying again somewhere else: on another node, or on another executor."""

import attrs

from lamina.retry_policy.checks import a_policy, whole
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.policies import Retries
from lamina.retry_policy.protocol import Again, Decision, RetryPolicy, Trouble

__all__ = ["OtherExecutor", "OtherNode"]

_ONE = Retries(1)


@attrs.frozen
class OtherNode(Composable):
    """Another policy, whose new attempts keep away from the nodes where the task has failed.

    At most the first ``most`` of these nodes are avoided, so that there is one left for it; a
    task for which there is none waits for one. Executors without nodes take no notice.
    """

    policy: RetryPolicy = attrs.field(default=_ONE, validator=a_policy)
    most: int = attrs.field(default=3, validator=whole(1))

    def decide(self, trouble: Trouble) -> Decision:
        """What the other policy says, elsewhere."""
        decision = self.policy.decide(trouble)
        if not isinstance(decision, Again):
            return decision
        seen = [failure.node for failure in trouble.history if failure.node is not None]
        nodes = tuple(dict.fromkeys(seen))[: self.most]
        return attrs.evolve(decision, avoid=tuple(dict.fromkeys((*decision.avoid, *nodes))))


@attrs.frozen
class OtherExecutor(Composable):
    """Another policy, whose new attempts go to an executor where the task has not failed yet.

    Once it has failed on all that it may go to, any but the last one will do. With one executor
    only it stays where it is. An attempt that the other policy sends somewhere goes there.
    """

    policy: RetryPolicy = attrs.field(default=_ONE, validator=a_policy)

    def decide(self, trouble: Trouble) -> Decision:
        """What the other policy says, elsewhere."""
        decision = self.policy.decide(trouble)
        if not isinstance(decision, Again) or decision.executors is not None:
            return decision
        tried = {attempt.executor for attempt in trouble.attempts}
        others = [label for label in trouble.executors if label not in tried]
        others = others or [label for label in trouble.executors if label != trouble.executor]
        return attrs.evolve(decision, executors=tuple(others) or None)
