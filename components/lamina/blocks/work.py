"""What there is to do, and which blocks have none of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from lamina.blocks.block import Block

__all__ = ["ManagerWork", "Work", "busy_in", "drains", "idle_of", "last_busy_in"]


class ManagerWork(NamedTuple):
    """What a manager has to do."""

    busy: int
    """Workers that have a task."""
    idle_since: float | None
    """Since when none has; None while one has."""
    draining: bool = False
    """Whether it is given no more tasks, and leaves when it has none left."""


class Work(NamedTuple):
    """What there is to do at one moment."""

    outstanding: int
    """Unresolved tasks."""
    finished: int = 0
    """Tasks that were resolved since the start."""
    managers: Mapping[str, ManagerWork] = MappingProxyType({})
    """What each has; one that is not named is taken to be busy as long as there is work."""


def busy_in(held: Block, work: Work) -> int:
    """Tasks that run there; of a manager of which nothing was heard, as many as it can have."""
    busy = 0
    for manager, slots in held.managers.items():
        told = work.managers.get(manager)
        busy += (slots if work.outstanding else 0) if told is None else told.busy
    return busy


def last_busy_in(held: Block, work: Work) -> float | None:
    """When one of its managers last had a task, if all of them say."""
    said = [work.managers[one].idle_since for one in held.managers if one in work.managers]
    known = [at for at in said if at is not None]
    return max(known) if known and len(known) == len(held.managers) else None


def drains(held: Block, work: Work) -> bool:
    """Whether all of its managers drain, whoever told them to."""
    told = [work.managers.get(manager) for manager in held.managers]
    return all(one is not None and one.draining for one in told)


def idle_of(
    staying: Sequence[Block], work: Work, parallelism: float, slots_per_block: int
) -> list[bool]:
    """Of each block, whether it has nothing to do now, or is not needed where it waits."""
    needed = max(1.0, work.outstanding * parallelism) if work.outstanding else 0.0
    needed -= sum(held.slots for held in staying)
    idle = []
    for held in staying:  # the oldest first: of those that wait, the youngest are too many
        if held.waiting:
            idle.append(needed <= 0)
            needed -= slots_per_block
        else:
            idle.append(not busy_in(held, work))
    return idle
