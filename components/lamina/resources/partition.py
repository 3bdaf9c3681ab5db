"""Nodes of a block shared out among parallel programs: whole nodes, or ranks on one of them.

There is no backlog here. Whoever asks is told at once whether it can be had now, and asks again
when something has been given back; so a queue of any length costs nothing and recurses nowhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import attrs

from lamina.resources.hosts import Host
from lamina.vocabulary import Resources

__all__ = ["Part", "Partition", "Wanted", "wanted_of"]


class Wanted(NamedTuple):
    """What one program wants."""

    nodes: int
    """Whole nodes, for itself; 0 for ranks on nodes that it shares."""
    ranks: int


class Part(NamedTuple):
    """What one program has: the index of each node, and its ranks there."""

    nodes: Sequence[tuple[int, int]]
    whole: bool


def wanted_of(wanted: Resources) -> Wanted:
    """One rank on each node where only nodes are asked for; one rank where nothing is."""
    return Wanted(wanted.nodes, wanted.ranks or max(1, wanted.nodes))


@attrs.define(eq=False)
class Partition:
    """The nodes of one block, and which of their slots are free."""

    hosts: Sequence[Host]
    _free: list[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = [host.slots for host in self.hosts]

    @property
    def slots(self) -> int:
        """Ranks that run at once on all nodes."""
        return sum(host.slots for host in self.hosts)

    def refusal(self, wanted: Wanted) -> str:
        """Why this can never be had; empty if it can.

        On whole nodes there may be more ranks than slots, for who asks for nodes has reasons.
        """
        count = len(self.hosts)
        nodes = "1 node" if count == 1 else f"{count} nodes"
        if wanted.nodes > count:
            return f"{wanted.nodes} nodes, and the block has {nodes}"
        if wanted.nodes > wanted.ranks:
            return f"{wanted.nodes} nodes for {wanted.ranks} ranks; ask for one rank a node or more"
        if not wanted.nodes and wanted.ranks > self.slots:
            return f"{wanted.ranks} ranks, and the block has {nodes} for {self.slots}"
        return ""

    def take(self, wanted: Wanted) -> Part | None:
        """What is wanted, or None when that is not free now."""
        if wanted.nodes:
            free = [n for n, host in enumerate(self.hosts) if self._free[n] == host.slots]
            if len(free) < wanted.nodes:
                return None
            # The least that have a slot for each rank, if there are any, so that large ones stay.
            each = -(-wanted.ranks // wanted.nodes)
            free.sort(key=lambda n: (self.hosts[n].slots < each, self.hosts[n].slots, n))
            chosen = sorted(free[: wanted.nodes])
            part = Part(_spread(chosen, wanted.ranks), whole=True)
        else:
            shared = self._share(wanted.ranks)
            if shared is None:
                return None
            part = Part(shared, whole=False)
        for n, ranks in part.nodes:
            self._free[n] = 0 if part.whole else self._free[n] - ranks
        return part

    def give_back(self, part: Part) -> None:
        """It is free again."""
        for n, ranks in part.nodes:
            self._free[n] = self.hosts[n].slots if part.whole else self._free[n] + ranks

    def _share(self, ranks: int) -> list[tuple[int, int]] | None:
        """Ranks on the fullest node that has room for all, or else on the emptiest ones."""
        fits = [n for n, free in enumerate(self._free) if free >= ranks]
        if fits:
            return [(min(fits, key=lambda n: (self._free[n], n)), ranks)]
        if sum(self._free) < ranks:
            return None
        chosen = []
        for n in sorted(range(len(self._free)), key=lambda n: (-self._free[n], n)):
            here = min(ranks, self._free[n])
            if here:
                chosen.append((n, here))
                ranks -= here
        return sorted(chosen)


def _spread(nodes: Sequence[int], ranks: int) -> list[tuple[int, int]]:
    """So evenly that the first have one more at most."""
    each, more = divmod(ranks, len(nodes))
    return [(node, each + (position < more)) for position, node in enumerate(nodes)]
