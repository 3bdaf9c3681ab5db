"""The end of a block, as its manager and the interchange reckon with it.

A block ends at its walltime, whatever runs there. So its manager drains some time before, no
task is begun there of which it is known that it cannot end in time, and what is lost with the
manager about then was ended with its block.
"""

from typing import NamedTuple

__all__ = ["BlockEnd", "block_margin"]

LONGEST_MARGIN = 60.0  # seconds
MARGIN_PART = 0.1  # of the time that a block has left when its manager starts


def block_margin(left: float) -> float:
    """For how long a manager drains before the end of a block that has so many seconds left.

    A tenth of them, and a minute at most.
    """
    return max(0.0, min(LONGEST_MARGIN, MARGIN_PART * left))


class BlockEnd(NamedTuple):
    """When a block ends, in seconds on some clock."""

    at: float
    margin: float
    """Seconds before that in which its manager drains."""

    @property
    def drains(self) -> float:
        """When its manager begins to drain."""
        return self.at - self.margin

    def explains(self, now: float, heard: float, period: float) -> bool:
        """Whether a manager that is lost now, and was last heard then, was ended with its block.

        ``period`` is how long one that is well may say nothing.
        """
        return now >= self.drains and heard + period >= self.drains
