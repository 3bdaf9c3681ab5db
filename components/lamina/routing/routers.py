"""The routers that look at nothing but how busy the executors are."""

from collections.abc import Sequence

import attrs

from lamina.routing.protocol import Candidate
from lamina.vocabulary import Resources

__all__ = ["LeastLoaded", "RoundRobin"]


@attrs.define(eq=False)
class LeastLoaded:
    """The executor with the least outstanding work per slot; among equals, each in its turn.

    An executor without a slot yet counts as having one, so that it gets work to start for.
    """

    _turns: dict[str, int] = attrs.field(factory=dict, init=False)
    _count: int = attrs.field(default=0, init=False)

    def choose(
        self,
        task: str,
        resources: Resources | None,
        candidates: Sequence[Candidate],
    ) -> str:
        """The label of the least busy one."""
        best = min(
            candidates,
            key=lambda one: (one.outstanding / max(one.slots, 1), self._turns.get(one.label, 0)),
        )
        self._count += 1
        self._turns[best.label] = self._count
        return best.label


@attrs.define(eq=False)
class RoundRobin:
    """Each executor in its turn, however busy it is: the one that was chosen longest ago."""

    _turns: dict[str, int] = attrs.field(factory=dict, init=False)
    _count: int = attrs.field(default=0, init=False)

    def choose(
        self,
        task: str,
        resources: Resources | None,
        candidates: Sequence[Candidate],
    ) -> str:
        """The label of the next one."""
        best = min(candidates, key=lambda one: self._turns.get(one.label, 0))
        self._count += 1
        self._turns[best.label] = self._count
        return best.label
