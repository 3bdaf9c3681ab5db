"""Functions by reference: the name under which a worker can import them.

A decorated function is not what its own name stands for: ``module.f`` is then the decorator's
object, and plain pickle refuses ``f``. Where that object says ``__wrapped__``, as
``functools.wraps`` makes it, the function can still be named: the same name, some layers in.
"""

import importlib
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

__all__ = ["NOT_IMPORTABLE", "Reference", "reference_to"]

NOT_IMPORTABLE = frozenset({"__main__", "__mp_main__"})
"""Modules that are something else in every process."""

_DEEPEST = 20  # layers of decorators; a cycle of __wrapped__ must end


class Reference:
    """Stands for a decorated function in a pickle; it is unpickled as the function itself."""

    __slots__ = ("layers", "module", "qualname")

    def __init__(self, module: str, qualname: str, layers: int) -> None:
        self.module, self.qualname, self.layers = module, qualname, layers

    def __reduce__(self) -> tuple[Callable[[str, str, int], Any], tuple[str, str, int]]:
        return _resolve, (self.module, self.qualname, self.layers)


def reference_to(function: Callable[..., Any]) -> Any:
    """What to put into a pickle for a callable: itself, or a Reference, or None for by value.

    Callables that are no plain functions are given back as they are: pickle judges them.
    """
    if type(function) is not FunctionType:
        return function
    module: str | None = function.__module__  # None for what exec made in bare globals
    if module is None or module in NOT_IMPORTABLE:
        return None
    try:
        found = _find(sys.modules[module], function.__qualname__)
    except (KeyError, AttributeError):
        return None
    if found is function:
        return function
    for layers in range(1, _DEEPEST):
        found = getattr(found, "__wrapped__", None)
        if found is function:
            return Reference(module, function.__qualname__, layers)
        if found is None:
            break
    return None


def _find(place: Any, qualname: str) -> Any:
    if "." not in qualname:
        return getattr(place, qualname)
    *outer, last = qualname.split(".")
    for name in outer:
        place = getattr(place, name)
    if isinstance(place, type) and last in vars(place):
        return vars(place)[last]  # not bound: a descriptor would give something else
    return getattr(place, last)


def _resolve(module: str, qualname: str, layers: int) -> Any:
    found = _find(importlib.import_module(module), qualname)
    for _ in range(layers):
        found = found.__wrapped__
    return found
