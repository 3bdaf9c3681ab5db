"""The manager's tasks that ask for something of the node: which waits, and which has what.

They wait in a queue of their own and are bound in its order: while the oldest does not fit, no
younger one is bound, so that the wide are not starved by the narrow. Tasks that ask for nothing
go on meanwhile, except on workers whose due the oldest waits for. While no task here asks for
anything, nobody is bound and nothing is counted.
"""

from collections import deque
from collections.abc import Collection
from typing import Any, NamedTuple

import attrs

from lamina.htex_core.frames import WireTask
from lamina.resources import Binding, ResourceBinder, in_words, read_wanted
from lamina.vocabulary import ConfigError, Resources

__all__ = ["Bound", "Packing", "asks", "with_binding"]


class Bound(NamedTuple):
    """What a worker holds at present."""

    binding: Binding
    asked: bool
    """Whether its task asked for it; otherwise it is what the worker's place is due."""


def asks(wire: WireTask) -> bool:
    """Whether a task asks for anything."""
    options = wire[3]
    return options is not None and "resources" in options


@attrs.define(eq=False)
class Packing:
    """The tasks of one manager that ask for something."""

    host: str
    binder: ResourceBinder | None = None
    _waiting: deque[tuple[WireTask, Resources]] = attrs.field(factory=deque, init=False)
    _running: int = attrs.field(default=0, init=False)
    _counting: bool = attrs.field(default=False, init=False)

    @property
    def counting(self) -> bool:
        """Whether bindings are counted: from the first task that asks to the end of the last."""
        return self._counting

    @property
    def idle(self) -> bool:
        """Whether no task that asks for anything is here any more."""
        return not self._waiting and not self._running

    @property
    def waits(self) -> bool:
        """Whether a task waits for what it asks for."""
        return bool(self._waiting)

    def waiting(self) -> list[WireTask]:
        """All that wait, the oldest first."""
        return [wire for wire, _ in self._waiting]

    def count(self, on: bool) -> None:
        """Begin or cease to count; whoever says so binds or releases what the workers are due."""
        self._counting = on

    def add(self, wire: WireTask, *, first: bool = False) -> str:
        """Let a task wait; or say why it can never be bound here, and forget it."""
        said = wire[3]["resources"]
        if self.binder is None:
            return f"it asks for {in_words(said)}, which this executor does not hand out"
        try:
            wanted = read_wanted(said)
        except (ConfigError, TypeError, ValueError) as error:
            return f"what it asks for cannot be read: {error}"
        if refusal := self.binder.refusal(wanted):
            return f"it asks for {refusal} (on {self.host})"
        if first:
            self._waiting.appendleft((wire, wanted))
        else:
            self._waiting.append((wire, wanted))
        return ""

    def take(self, attempts: Collection[int] | None = None) -> list[WireTask]:
        """Take these out of those that wait, or all of them."""
        taken = [wire for wire, _ in self._waiting if attempts is None or wire[0] in attempts]
        if attempts is None:
            self._waiting.clear()
        elif taken:
            rest = [item for item in self._waiting if item[0][0] not in attempts]
            self._waiting = deque(rest)
        return taken

    def next_for(self, place: int) -> tuple[WireTask, Bound] | None:
        """The oldest, bound to the worker at this place, which is idle; None while it waits."""
        if self.binder is None or not self._waiting:
            return None
        wire, wanted = self._waiting[0]
        binding = self.binder.bind(place, wanted)
        if binding is None:
            return None
        self._waiting.popleft()
        self._running += 1
        return wire, Bound(binding, asked=True)

    def due(self, place: int, *, at_work: bool = False) -> Bound | None:
        """What a worker needs for tasks that ask for nothing; None while it may not have it.

        One that is ``at_work`` has begun already, and is only to be counted.
        """
        binder = self.binder
        if binder is None:
            return Bound(Binding({}), asked=False)
        if self._waiting and not at_work and not binder.leaves_room(self._waiting[0][1], place):
            return None
        binding = binder.bind(place, None)
        return None if binding is None else Bound(binding, asked=False)

    def release(self, bound: Bound) -> None:
        """A worker is done with what it held."""
        if bound.asked:
            self._running -= 1
        if self.binder is not None:
            self.binder.release(bound.binding)


def with_binding(wire: WireTask, binding: Binding) -> list[Any]:
    """The task as its worker gets it: the variables and cores of its binding among its options."""
    attempt, digest, buffers, options = wire
    given = {key: value for key, value in options.items() if key != "resources"}
    given["env"] = {**binding.env, **options.get("env", {})}
    if binding.cpus is not None:
        given["cpus"] = list(binding.cpus)
    return [attempt, digest, buffers, given]
