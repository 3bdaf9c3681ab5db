"""How many blocks there should be: the strategies that look at the work alone."""

import math

import attrs

from lamina.scaling.protocol import BlocksView

__all__ = ["NoScaling", "Simple"]


@attrs.frozen
class NoScaling:
    """As many blocks as at the start, for as long as the executor runs."""

    def target(self, view: BlocksView) -> int:
        """The initial number, within the limits."""
        return _between(view, view.init_blocks)


@attrs.frozen
class Simple:
    """Grows with the work, and gives idle blocks back.

    It wants ``outstanding * parallelism`` slots, rounded up to whole blocks; with work and a
    parallelism of 0, one block. It never gives back a block that works or that was idle for less
    than ``max_idletime``; without work, a block that still waits in the queue is given back,
    unless it is one of the initial ones and none has come yet.
    """

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted now."""
        here = len(view.blocks)
        if view.outstanding > 0:
            wanted = self._for_work(view)
            if wanted >= here:
                return _between(view, wanted)
            return _between(view, max(wanted, here - self._idle_too_long(view)))
        waiting = sum(block.waiting for block in view.blocks)
        if here == waiting:
            # Nothing has come yet, so this is the start: what was asked for at first is due.
            return _between(view, view.init_blocks if here else view.min_blocks)
        keep = here - waiting - self._idle_too_long(view)
        return _between(view, keep)

    def _for_work(self, view: BlocksView) -> int:
        slots = view.outstanding * view.parallelism
        return max(1, math.ceil(slots / max(view.slots_per_block, 1)))

    def _idle_too_long(self, view: BlocksView) -> int:
        return sum(
            block.idle_since is not None and view.now - block.idle_since >= view.max_idletime
            for block in view.blocks
        )


def _between(view: BlocksView, count: int) -> int:
    return max(view.min_blocks, min(count, view.max_blocks))
