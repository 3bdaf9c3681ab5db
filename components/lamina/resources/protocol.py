"""Binding what a node has to the tasks that run there."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import attrs

from lamina.vocabulary import Resources

__all__ = ["Binding", "NodeFacts", "Offer", "ResourceBinder"]


@attrs.frozen(kw_only=True)
class NodeFacts:
    """What a manager finds on its node when it starts."""

    host: str
    cores: tuple[int, ...]
    """The numbers of the cores that it may use, in order."""
    memory: int
    """Bytes that it may use; 0 where nobody could tell."""
    devices: frozenset[str] = frozenset()
    """The families of accelerators whose drivers are here: ``cuda``, ``rocm``, ``level_zero``."""
    env: Mapping[str, str] = attrs.field(factory=dict)
    """The manager's environment, in which a batch system says what the block is."""
    most_workers: int | None = None
    """At most so many workers are wanted; None for as many as fit."""


@attrs.frozen(kw_only=True)
class Offer:
    """What a manager has for all its tasks together; the interchange goes by it.

    The fields after ``workers`` are those of Resources, and 0 says that there is none to be had.
    """

    workers: int
    """How many workers to start."""
    cores: float = 0
    memory: int = 0
    accelerators: float = 0
    nodes: int = 0
    ranks: int = 0

    def totals(self) -> dict[str, float]:
        """All but the workers, by the names that tasks use; what there is none of is left out."""
        named = {
            "cores": self.cores,
            "memory": self.memory,
            "accelerators": self.accelerators,
            "nodes": self.nodes,
            "ranks": self.ranks,
        }
        return {name: amount for name, amount in named.items() if amount}


class Binding(NamedTuple):
    """What one task, or one worker, has been given."""

    env: Mapping[str, str]
    """Environment variables to add."""
    cpus: tuple[int, ...] | None = None
    """The cores on which to run; None for those of whoever runs it."""
    taken: Any = None
    """For the binder alone: what ``release`` gives back."""


class ResourceBinder(Protocol):
    """**Protocol:** says which cores, accelerators and nodes a task gets.

    One is made in each manager, from options that were written down where the executor was, and
    so it must be a class of a module, with options of plain text, numbers, lists and mappings.
    ``offer`` is called once, before anything else, and may look around; nothing after it may
    wait for anything, and each call takes time in proportion to the units of the node at most.

    A worker has a *place*, a number below ``Offer.workers``; two workers that live at once never
    have the same. While a worker runs tasks that ask for nothing it holds what its place is due.
    """

    @property
    def honours(self) -> frozenset[str]:
        """The fields of Resources that a task may ask for; known from the options alone."""
        ...

    def offer(self, node: NodeFacts) -> Offer:
        """Look at the node, and say what it has.

        Raises:
            ConfigError: The options cannot work on this node; the text says what would.
        """
        ...

    def refusal(self, wanted: Resources) -> str:
        """Why this could not be bound here even if nothing else were; empty if it could."""
        ...

    def at_place(self, place: int) -> Binding:
        """What a worker has from its start, and for tasks that ask for nothing. Takes nothing."""
        ...

    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        """Give the worker at this place what its task wants, or what its place is due if None.

        None when that is not to be had just now.
        """
        ...

    def release(self, binding: Binding) -> None:
        """Take back what ``bind`` gave; the worker is done with it, or dead."""
        ...

    def leaves_room(self, wanted: Resources, place: int) -> bool:
        """Whether the worker at this place may be given what it is due while this task waits.

        It may if, once all tasks that asked for something have ended, the waiting one could be
        bound beside what workers hold for tasks that ask for nothing.
        """
        ...
