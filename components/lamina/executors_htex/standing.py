"""What is known of each block of one run, for those who look on: no decision hangs on it."""

from collections import OrderedDict
from collections.abc import Sequence

import attrs

from lamina.blocks import BlockState, Turned
from lamina.vocabulary import BlockId

__all__ = ["BlockStanding", "Standings"]

_OVER = {state.value for state in BlockState if state.over}
_MOST_ENDED = 50  # ended blocks that are still shown


@attrs.frozen(kw_only=True)
class BlockStanding:
    """One block, as of the last word about it."""

    block: str
    job: str | None = None
    """The batch system's name for it; None before it has one."""
    state: str = BlockState.REQUESTED.value
    """A value of ``BlockState``; where the block is over, it is the cause of its end."""
    reason: str = ""
    exit_code: int | None = None
    """The job's, where it has ended and that is known; negative numbers are signals."""
    managers: int = 0
    """Nodes that are connected now."""
    slots: int = 0
    """Workers on them."""
    since: float
    """When this state was first heard of, in seconds since the epoch."""

    @property
    def over(self) -> bool:
        """Whether the block will never run again."""
        return self.state in _OVER


class Standings:
    """All blocks of one run."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[BlockId, BlockStanding] = OrderedDict()
        self._slots: dict[BlockId, dict[str, int]] = {}

    @property
    def all(self) -> Sequence[BlockStanding]:
        """Those that wait or run, and the last of those that have ended, oldest first."""
        return tuple(self._blocks.values())

    def requested(self, block: BlockId, now: float) -> None:
        """The provider is being asked for it."""
        self._blocks[block] = BlockStanding(block=block, since=now)
        over = [name for name, standing in self._blocks.items() if standing.over]
        for name in over[:-_MOST_ENDED]:
            del self._blocks[name]

    def turned(self, turned: Turned, now: float) -> BlockStanding | None:
        """It stands elsewhere than before; None where that is no news, or only its reason is."""
        before = self._blocks.get(turned.block)
        if before is None or before.over:
            return None
        self._blocks[turned.block] = after = attrs.evolve(
            before,
            job=turned.job,
            state=turned.state.value,
            reason=turned.reason,
            exit_code=turned.exit_code,
            since=now if turned.state.value != before.state else before.since,
        )
        return None if after.state == before.state else after

    def manager_came(self, block: BlockId, manager: str, slots: int) -> None:
        """A node of the block is connected."""
        self._slots.setdefault(block, {})[manager] = slots
        self._count(block)

    def manager_went(self, block: BlockId, manager: str) -> None:
        """A node of the block is not connected any more."""
        left = self._slots.get(block, {})
        left.pop(manager, None)
        self._count(block)
        if not left:
            self._slots.pop(block, None)

    def _count(self, block: BlockId) -> None:
        if block in self._blocks:
            slots = self._slots[block].values() if block in self._slots else ()
            self._blocks[block] = attrs.evolve(
                self._blocks[block], managers=len(slots), slots=sum(slots)
            )
