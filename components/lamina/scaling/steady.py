"""How many blocks there should be: by how long the work will take, and not in a hurry to shrink."""

import math
from typing import Any

import attrs

from lamina.scaling.protocol import BlocksView
from lamina.vocabulary import ConfigError, read_seconds

__all__ = ["Steady"]


def _finish_seconds(value: float | str) -> float:
    return read_seconds(value, what="finish_within")


def _positive(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not 0 < value < math.inf:
        msg = f"{attribute.name} is {value!r}; it must be more than 0"
        raise ConfigError(msg)


def _margin(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        msg = f"{attribute.name} is {value!r}; it must be a number, 0 or more, such as 0.25"
        raise ConfigError(msg)


@attrs.frozen
class Steady:
    """As many blocks as finish the work in time, of which it lets go only when that is sure.

    A slot per task is wanted where tasks take longer than ``finish_within``; where they are
    shorter, so many slots as finish all of them within it: a thousand tasks of a tenth of a
    second need two slots for a minute, and not a thousand. As long as nothing is measured, tasks
    count as long. ``parallelism`` is the most slots per task, as everywhere.

    It grows at once. It shrinks when no block was asked for within the last ``max_idletime``, to
    what the largest amount of work since then needs and ``margin`` more, so that a pause, or a
    duration that varies, moves nothing. Then blocks that still work may be told to take no more
    tasks, and go when they have none left.
    """

    finish_within: float = attrs.field(default=60.0, converter=_finish_seconds, validator=_positive)
    """Seconds, or text with a unit."""
    margin: float = attrs.field(default=0.25, validator=_margin)
    """A part of the work: with 0.25 blocks go when a quarter more would do without them."""

    def target(self, view: BlocksView) -> int:
        """The number of blocks wanted now."""
        here = len(view.blocks)
        target = wanted = self._blocks_for(view, view.outstanding)
        if wanted < here:
            if view.asked_at is not None and view.now - view.asked_at < view.max_idletime:
                return max(view.min_blocks, min(here, view.max_blocks))
            peak = max(view.outstanding, view.peak) * (1.0 + self.margin)
            target = min(here, max(wanted, self._blocks_for(view, peak)))
            if not view.came:
                target = max(target, min(here, view.init_blocks))
        return max(view.min_blocks, min(target, view.max_blocks))

    def _blocks_for(self, view: BlocksView, tasks: float) -> int:
        if tasks <= 0:
            return 0
        slots = tasks * view.parallelism
        if view.task_seconds is not None:
            slots = min(slots, tasks * view.task_seconds / self.finish_within)
        # No more than there may be, so that an infinite parallelism means as many.
        return max(1, math.ceil(min(slots / max(view.slots_per_block, 1), view.max_blocks)))
