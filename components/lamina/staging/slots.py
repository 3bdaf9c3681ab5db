"""The files among a call's arguments: found wherever they nest, and replaced."""

import copy
from collections.abc import Callable
from typing import Any

from lamina.vocabulary import File

__all__ = ["Slot", "filled", "replaced"]

_DEPTH = 50  # containers within containers; a list that holds itself ends there


class Slot:
    """Stands for a file in the arguments of a call until the worker knows its path."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"Slot({self.index})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and other.index == self.index

    def __hash__(self) -> int:
        return hash((Slot, self.index))

    def __reduce__(self) -> tuple[type["Slot"], tuple[int]]:
        return Slot, (self.index,)


def replaced(value: Any, change: Callable[[File], Any]) -> Any:
    """The value with ``change(file)`` for each file in it.

    Looked into are lists, tuples, named tuples, sets, and the values of dicts, to a depth of 50;
    and those of their subclasses that can be made from what they hold, or, of dicts, copied.
    A container that holds no file is given back itself; one that does is made anew.
    """
    return _changed(value, File, change, 0)


def filled(value: Any, files: list[File]) -> Any:
    """The value with the files in the places of their slots."""
    return _changed(value, Slot, lambda slot: files[slot.index], 0)


def _changed(value: Any, kind: type, change: Callable[[Any], Any], depth: int) -> Any:
    if type(value) is kind:
        return change(value)
    if depth > _DEPTH:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        parts = [_changed(part, kind, change, depth + 1) for part in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        if isinstance(value, tuple) and hasattr(value, "_make"):
            return value._make(parts)
        return type(value)(parts)
    if isinstance(value, dict):
        pairs = {key: _changed(part, kind, change, depth + 1) for key, part in value.items()}
        if all(pairs[key] is part for key, part in value.items()):
            return value
        if type(value) is dict:
            return pairs
        twin = copy.copy(value)
        twin.update(pairs)
        return twin
    return value
