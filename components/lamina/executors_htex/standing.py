"""What is known of each block of one run, for those who look on: no decision hangs on it."""

from collections import OrderedDict
from collections.abc import Sequence

import attrs

from lamina.providers import TERMINAL_STATES, JobStatus
from lamina.vocabulary import BlockId, JobId

__all__ = ["BlockStanding", "Standings"]

REQUESTED, REFUSED, CANCELLED = "requested", "refused", "cancelled"
_OVER = {REFUSED, *(state.value for state in TERMINAL_STATES)}
_MOST_ENDED = 50  # ended blocks that are still shown


@attrs.frozen(kw_only=True)
class BlockStanding:
    """One block, as of the last word about it."""

    block: str
    job: str | None = None
    """The batch system's name for it; None before it has one."""
    state: str = REQUESTED
    """``requested``, ``refused``, or what the batch system says: the values of ``JobState``."""
    reason: str = ""
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
    """All blocks of one run. Each method returns the block's standing if its state is new."""

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

    def submitted(self, block: BlockId, job: JobId) -> None:
        """The provider has taken the request."""
        self._blocks[block] = attrs.evolve(self._blocks[block], job=job)

    def refused(self, block: BlockId, why: str, now: float) -> BlockStanding | None:
        """The provider has not."""
        return self._turn(block, REFUSED, why, now)

    def told(self, job: JobId, status: JobStatus, now: float) -> BlockStanding | None:
        """The batch system has said something of a job."""
        block = self._block_of(job)
        return None if block is None else self._turn(block, status.state.value, status.reason, now)

    def cancelled(self, job: JobId, now: float) -> BlockStanding | None:
        """We have given it back."""
        block = self._block_of(job)
        return None if block is None else self._turn(block, CANCELLED, "given back", now)

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

    def _block_of(self, job: JobId) -> BlockId | None:
        # The last one first: a provider may use the name of an ended job again.
        blocks = reversed(self._blocks.items())
        return next((block for block, standing in blocks if standing.job == job), None)

    def _turn(self, block: BlockId, state: str, reason: str, now: float) -> BlockStanding | None:
        before = self._blocks[block]
        if before.over or before.state == state:
            return None
        turned = attrs.evolve(before, state=state, reason=reason, since=now)
        self._blocks[block] = turned
        return turned

    def _count(self, block: BlockId) -> None:
        if block in self._blocks:
            slots = self._slots[block].values() if block in self._slots else ()
            self._blocks[block] = attrs.evolve(
                self._blocks[block], managers=len(slots), slots=sum(slots)
            )
