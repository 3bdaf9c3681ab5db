"""How many blocks there should be: the strategies whose names users know."""

import math

import attrs

from lamina.scaling.protocol import BlocksView

__all__ = ["HtexAutoScale", "NoScaling", "Simple"]


@attrs.frozen
class NoScaling:
    """As many blocks as at the start, for as long as the executor runs."""

    def target(self, view: BlocksView) -> int:
        """The initial number, within the limits."""
        return _between(view, view.init_blocks)


@attrs.frozen
class Simple:
    """Grows with the work, and gives blocks back when there is none.

    It wants ``outstanding * parallelism`` slots, rounded up to whole blocks; with work and a
    parallelism of 0, one block. While there is work it gives nothing back. Without work it gives
    back what has been idle, or has waited in vain, for ``max_idletime``; the initial blocks are
    waited for until the first of them has come.
    """

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted now."""
        here = len(view.blocks)
        if view.outstanding > 0:
            return _between(view, max(here, _for_work(view)))
        return _without_work(view)


@attrs.frozen
class HtexAutoScale:
    """As ``Simple``, but idle blocks go back while others work, too.

    A block goes that has been idle for ``max_idletime``, or that waits while the work has fitted
    without it for as long.
    """

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted now."""
        if view.outstanding == 0:
            return _without_work(view)
        here, wanted = len(view.blocks), _for_work(view)
        return _between(view, max(wanted, here - _idle_too_long(view)))


def _for_work(view: BlocksView) -> int:
    slots = view.outstanding * view.parallelism
    # No more than there may be, so that an infinite parallelism means as many.
    return max(1, math.ceil(min(slots / max(view.slots_per_block, 1), view.max_blocks)))


def _without_work(view: BlocksView) -> int:
    keep = len(view.blocks) - _idle_too_long(view)
    # Until something has come this is the start, and what was asked for at first is due.
    return _between(view, keep if view.came or not view.blocks else max(keep, view.init_blocks))


def _idle_too_long(view: BlocksView) -> int:
    return sum(
        block.idle_since is not None and view.now - block.idle_since >= view.max_idletime
        for block in view.blocks
    )


def _between(view: BlocksView, count: int) -> int:
    return max(view.min_blocks, min(count, view.max_blocks))
