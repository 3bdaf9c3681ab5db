"""What a function by value was made of, to tell whether its form is still true.

This is asked once per task, so ``holds`` compares places in memory and builds nothing. A place
means an object as long as that lives: what can be referred to weakly is, and when it goes, so
does the snapshot's truth; the rest is kept alive. A function that names itself must not keep
itself alive, which is why nothing here holds a function or its globals.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple
from weakref import ref

from lamina.codec import reference_to

__all__ = ["Snapshot"]

_MOST_FUNCTIONS = 100  # that one function reaches by value
_MISSING = object()


class _Layer(NamedTuple):
    """One function of those that travel together, as it was."""

    function: "ref[FunctionType]"
    code: CodeType
    places: list[int]
    """Of its defaults and of what its closure holds."""
    names: list[tuple[str, int]]
    """What its code may look up in its globals, and the places of that."""


class Snapshot:
    """The code, defaults, closure and named globals of a function, as they were.

    Those of the functions that it reaches and that would travel within it count as well; of those
    that go by reference, that they still can. Objects are compared by identity: a list that was
    changed in place is the same list.
    """

    __slots__ = ("_alive", "_kept", "_layers", "_named")

    def __init__(self, function: FunctionType) -> None:
        self._alive = [True]
        self._kept: list[Any] = []
        self._layers: list[_Layer] = []
        self._named: list[ref[FunctionType]] = []
        gone = _clearing(self._alive)
        found, seen = [function], {id(function)}
        for one in found:  # grows while it is walked
            layer = _layer(one)
            self._layers.append(layer)
            for part in (layer.code, *_direct(one)):
                self._kept.append(_weakly(part, gone))
                if type(part) is not FunctionType or id(part) in seen:
                    continue
                if reference_to(part) is not None:
                    self._named.append(ref(part))
                elif len(found) < _MOST_FUNCTIONS:
                    found.append(part)
                seen.add(id(part))

    def holds(self, function: FunctionType) -> bool:
        """Whether the function is still made of the same objects."""
        if not self._alive:
            return False
        for named in self._named:
            if not _is_named(named()):
                return False
        one: FunctionType | None = function
        for kept, code, places, names in self._layers:
            if one is None and (one := kept()) is None:
                return False
            if one.__code__ is not code or _places(one) != places:
                return False
            get = one.__globals__.get
            for name, place in names:
                if id(get(name, _MISSING)) != place:
                    return False
            one = None
        return True


def _layer(function: FunctionType) -> _Layer:
    code, space = function.__code__, function.__globals__
    names = [(name, id(space.get(name, _MISSING))) for name in _names(code)]
    return _Layer(ref(function), code, _places(function), names)


def _places(function: FunctionType) -> list[int]:
    places = [id(_content(cell)) for cell in function.__closure__ or ()]
    if function.__defaults__:
        places += map(id, function.__defaults__)
    if function.__kwdefaults__:
        places += map(id, function.__kwdefaults__.values())
    return places


def _direct(function: FunctionType) -> Iterator[Any]:
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from map(_content, function.__closure__ or ())
    space = function.__globals__
    yield from (space[name] for name in _names(function.__code__) if name in space)


def _content(cell: CellType) -> Any:
    """What a closure holds in this cell; ``_MISSING`` before it is filled."""
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def _is_named(function: FunctionType | None) -> bool:
    """Whether a function that could be imported by its name is still there, and still can."""
    if function is None:
        return False
    # Most stand in their module under their own name, which can be told without looking it up.
    name = function.__qualname__
    return function.__globals__.get(name) is function or reference_to(function) is not None


def _weakly(part: Any, gone: Callable[[object], None]) -> Any:
    try:
        return ref(part, gone)
    except TypeError:
        return part


def _clearing(alive: list[bool]) -> Callable[[object], None]:
    def gone(_: object) -> None:
        alive.clear()

    return gone


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[str, ...]:
    """All names that the code and the code within it look up. Attributes are among them."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(dict.fromkeys(_names(constant)))
    return tuple(names)
