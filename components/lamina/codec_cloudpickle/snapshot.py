"""What a function by value was made of, to tell whether its form is still true."""

from collections.abc import Iterator
from functools import lru_cache
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import ref

from lamina.codec import reference_to

__all__ = ["Snapshot"]

_MOST_FUNCTIONS = 100  # that one function reaches by value
_END = object()


class Snapshot:
    """The code, defaults, closure and named globals of a function, as they were.

    Those of the functions that it reaches and that would travel within it count as well. Objects
    are compared by identity: a list that was changed in place is the same list.
    """

    __slots__ = ("_parts",)

    def __init__(self, function: FunctionType) -> None:
        # Weakly where that can be: a function that names itself must not keep itself alive.
        self._parts = [_weakly(part) for part in _parts(function)]

    def holds(self, function: FunctionType) -> bool:
        """Whether the function is still made of the same objects."""
        kept = iter(self._parts)
        for part in _parts(function):
            was = next(kept, _END)
            if type(was) is ref:
                was = was()
                if was is None:  # what it stood for is gone; None itself is never held weakly
                    return False
            if was is not part:
                return False
        return next(kept, _END) is _END


def _weakly(part: Any) -> Any:
    try:
        return ref(part)
    except TypeError:
        return part


def _parts(function: FunctionType) -> Iterator[Any]:
    found = [function]
    seen = {id(function)}
    for one in found:  # grows while it is walked
        yield one.__code__
        for part in _direct(one):
            yield part
            if (
                type(part) is FunctionType
                and id(part) not in seen
                and len(found) < _MOST_FUNCTIONS
                and reference_to(part) is None
            ):
                seen.add(id(part))
                found.append(part)


def _direct(function: FunctionType) -> Iterator[Any]:
    yield from function.__defaults__ or ()
    if function.__kwdefaults__:
        yield from function.__kwdefaults__.values()
    for cell in function.__closure__ or ():
        yield _content(cell)
    names = function.__globals__
    for name in _names(function.__code__):
        if name in names:
            yield names[name]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


@lru_cache(maxsize=1024)
def _names(code: CodeType) -> tuple[str, ...]:
    """All names that the code and the code within it look up. Attributes are among them."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(dict.fromkeys(_names(constant)))
    return tuple(names)
