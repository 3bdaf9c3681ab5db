"""Functions by reference: the name under which a worker can import them.

A decorated function is not what its own name stands for: ``module.f`` is then the decorator's
object, and plain pickle refuses ``f``. Where that object says ``__wrapped__``, as
``functools.wraps`` makes it, the function can still be named: the same name, some layers in.
"""

import hashlib
import importlib
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

from lamina.codec.protocol import FunctionForm

__all__ = ["NOT_IMPORTABLE", "Reference", "form_by_name", "made_of", "reference_to"]

NOT_IMPORTABLE = frozenset({"__main__", "__mp_main__"})
"""Modules that are something else in every process."""

_DEEPEST = 20  # layers of decorators; a cycle of __wrapped__ must end
_DIGEST_SIZE = 16  # bytes


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
    layers = _layers_to(function)
    if not layers:
        return None if layers is None else function
    return Reference(function.__module__, function.__qualname__, layers)


def form_by_name(function: FunctionType) -> FunctionForm | None:
    """The form of a function that can be imported, which holds its name alone; None for others."""
    layers = _layers_to(function)
    if layers is None:
        return None
    return _form_of_name(function.__module__, function.__qualname__, layers)


def made_of(content: bytes) -> FunctionForm:
    """A form, and the digest that names it."""
    return FunctionForm(hashlib.blake2b(content, digest_size=_DIGEST_SIZE).digest(), content)


@lru_cache(maxsize=4096)
def _form_of_name(module: str, qualname: str, layers: int) -> FunctionForm:
    return made_of(pickle.dumps(Reference(module, qualname, layers), protocol=5))


def _layers_to(function: FunctionType) -> int | None:
    """How many layers of decorators a function is under what bears its name; None if it is not."""
    module: str | None = function.__module__  # None for what exec made in bare globals
    if module is None or module in NOT_IMPORTABLE:
        return None
    try:
        found = _find(sys.modules[module], function.__qualname__)
    except (KeyError, AttributeError):
        return None
    for layers in range(_DEEPEST):
        if found is function:
            return layers
        if found is None:
            break
        found = getattr(found, "__wrapped__", None)
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
