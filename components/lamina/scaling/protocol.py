"""How many blocks there should be now."""

from typing import Protocol

import attrs

__all__ = ["BlockErrorPolicy", "BlockView", "BlocksView", "ScalingStrategy"]


@attrs.frozen(kw_only=True)
class BlockView:
    """One block, as a strategy sees it. Times are seconds on the clock of ``BlocksView.now``."""

    block: str
    waiting: bool
    """It is queued, and has no manager yet."""
    slots: int
    busy: int
    """Tasks that run in it or are held for it."""
    idle_since: float | None
    """Since when it has had nothing to do; None while it is busy or waiting."""


@attrs.frozen(kw_only=True)
class BlocksView:
    """All that a strategy may look at."""

    now: float
    outstanding: int
    """Unresolved tasks of the executor."""
    blocks: tuple[BlockView, ...]
    """Those that wait or run."""
    slots_per_block: int
    """As measured from blocks that came, or as the configuration promises."""
    init_blocks: int
    min_blocks: int
    max_blocks: int
    parallelism: float
    max_idletime: float
    """Seconds that a block may be idle before it is given back."""


class ScalingStrategy(Protocol):
    """**Protocol:** says how many blocks there should be. A pure function of what it sees."""

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted, waiting ones included.

        The executor keeps it between ``min_blocks`` and ``max_blocks`` whatever it says.
        """
        ...


class BlockErrorPolicy(Protocol):
    """**Protocol:** says when failing blocks make an executor fail."""

    def verdict(self, endings: tuple[bool, ...], now: float, times: tuple[float, ...]) -> str:
        """Why the executor should fail, or nothing at all.

        ``endings`` says of each ended block, oldest first, whether it ended well, and
        ``times`` when, in seconds on the clock of ``now``.
        """
        ...
