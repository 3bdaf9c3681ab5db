"""How many blocks there should be now, and when their failures are too many."""

from collections.abc import Sequence
from typing import Protocol

import attrs

__all__ = ["BlockErrorPolicy", "BlockView", "BlocksView", "Ending", "ScalingStrategy"]


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
    """Since when it has had nothing to do, or, where it waits, since when the work would fit
    without it; None while it is busy or needed."""


@attrs.frozen(kw_only=True)
class BlocksView:
    """All that a strategy may look at."""

    now: float
    outstanding: int
    """Unresolved tasks of the executor."""
    peak: int
    """The most of them that there were at any look within the last ``max_idletime`` seconds."""
    task_seconds: float | None
    """How long a task takes, as measured lately; None while too few have ended to tell."""
    blocks: tuple[BlockView, ...]
    """Those that wait or run; not those that are on their way out."""
    asked_at: float | None
    """When a block was last asked for; None if none ever was."""
    came: bool
    """Whether any block has ever come."""
    slots_per_block: int
    """As measured from blocks that came, or as the configuration promises."""
    init_blocks: int
    min_blocks: int
    max_blocks: int
    parallelism: float
    """Slots wanted per unresolved task."""
    max_idletime: float
    """Seconds that a block may be idle before it is given back."""


class ScalingStrategy(Protocol):
    """**Protocol:** says how many blocks there should be. A pure function of what it sees."""

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted, waiting ones included.

        The executor keeps it between ``min_blocks`` and ``max_blocks`` whatever it says. Of too
        many it gives back those that are idle, then those that wait; one that works gets no more
        tasks, and goes when it has none left.
        """
        ...


@attrs.frozen(kw_only=True)
class Ending:
    """How one block ended."""

    block: str
    at: float
    """Seconds, on the clock of the verdict's ``now``."""
    state: str
    """Its last state, such as ``"failed"`` or ``"timeout"``."""
    bad: bool
    """Whether the executor itself may be at fault. A walltime that was reached, a preemption, a
    node that failed, and being cancelled by anybody are nobody's fault here."""
    exit_code: int | None = None
    lived: float | None = None
    """Seconds from its first manager to its end; None where none came."""


class BlockErrorPolicy(Protocol):
    """**Protocol:** says when failing blocks make an executor fail. A pure function."""

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        """Why the executor should fail, or nothing at all.

        ``endings`` are the last 1,000 at most, oldest first. It is asked after each.
        """
        ...
