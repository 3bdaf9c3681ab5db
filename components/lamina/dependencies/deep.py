"""Looking for futures inside containers, and rebuilding those that hold one.

Most arguments hold none, and some are lists of a million numbers, so a container is first asked
for the set of the types of its elements, which CPython answers without running any of our code.
"""

import copy
import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import attrs

__all__ = ["find_futures", "replace_futures"]

_ATOMS = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, type, type(Ellipsis), range}
)


def find_futures(value: object) -> Iterator[tuple[str, Future[Any]]]:
    """Every future in a value, with the path that leads to it: ``("[2]['rates']", future)``.

    It looks into lists, tuples, deques, dicts and read-only views of them (keys and values),
    sets, dataclasses, attrs instances, namespaces and partials, however deep, in the order of
    their elements; each container once, so cycles do no harm. It does not look into other objects.
    """
    seen: set[int] = set()
    todo: list[tuple[str, object]] = [("", value)]
    while todo:
        path, item = todo.pop()
        if isinstance(item, Future):
            yield path, item
            continue
        if type(item) in _ATOMS or id(item) in seen:
            continue
        parts = _parts(item)
        if parts:
            seen.add(id(item))
            todo.extend((path + step, part) for step, part in reversed(parts))


def _plain(items: Iterable[object]) -> bool:
    return _ATOMS.issuperset(map(type, items))


def _parts(item: object) -> list[tuple[str, object]]:
    """The elements of a container that may be or hold futures, each with its step."""
    if isinstance(item, list | tuple | deque):
        if _plain(item):
            return []
        names = getattr(item, "_fields", None) if isinstance(item, tuple) else None
        if names is not None and len(names) == len(item):
            return [(f".{name}", part) for name, part in zip(names, item, strict=True)]
        return [(f"[{n}]", part) for n, part in enumerate(item) if type(part) not in _ATOMS]
    if isinstance(item, dict | MappingProxyType):
        keys = [] if _plain(item) else [(".keys()", k) for k in item if type(k) not in _ATOMS]
        if _plain(item.values()):
            return keys
        return keys + [
            (f"[{_short(key)}]", part) for key, part in item.items() if type(part) not in _ATOMS
        ]
    if isinstance(item, set | frozenset):
        return [] if _plain(item) else [("{…}", part) for part in item if type(part) not in _ATOMS]
    if isinstance(item, partial):
        return [(".func", item.func), (".args", item.args), (".keywords", item.keywords)]
    return [(f".{name}", getattr(item, name)) for name in _field_names(item) if _has(item, name)]


def _short(key: object) -> str:
    text = repr(key) if type(key) in _ATOMS else f"<{type(key).__name__}>"
    return text if len(text) <= 40 else text[:39] + "…"


def _field_names(item: object) -> list[str]:
    kind = type(item)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if attrs.has(kind):
        return [field.name for field in attrs.fields(kind)]
    return list(vars(item)) if isinstance(item, SimpleNamespace) else []


def _has(item: object, name: str) -> bool:
    try:
        getattr(item, name)
    except AttributeError:  # a field with init=False that nobody has set
        return False
    return True


def replace_futures(value: Any) -> Any:
    """The value with each future replaced by its result; every one of them is done.

    What holds a future, at any depth, is made anew with its own type; everything else stays the
    very same object. An object held twice is remade once. A container that holds itself is
    remade around its old self.

    Raises:
        Exception: The exception of a future that failed.
    """
    return _replace(value, {})


def _replace(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, Future):
        return value.result(timeout=0)
    if type(value) in _ATOMS:
        return value
    if id(value) in done:
        return done[id(value)]
    done[id(value)] = value
    result = _remade(value, done)
    done[id(value)] = result
    return result


def _remade(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return _remade_dict(value, done)
    if isinstance(value, MappingProxyType):
        below = dict(value)
        remade_below = _remade_dict(below, done)
        return value if remade_below is below else MappingProxyType(remade_below)
    if isinstance(value, partial):
        return _remade_partial(value, done)
    if isinstance(value, list | tuple | deque | set | frozenset):
        if _plain(value):
            return value
        old = list(value)
        new = [_replace(part, done) for part in old]
        if all(a is b for a, b in zip(old, new, strict=True)):
            return value
        return _like(value, new)
    changes = {}
    for name in _field_names(value):
        if _has(value, name):
            part = getattr(value, name)
            other = _replace(part, done)
            if other is not part:
                changes[name] = other
    if not changes:
        return value
    # Not replace() nor evolve(): fields with init=False exist, and validators have had their say
    # about a future already.
    remade = copy.copy(value)
    for name, part in changes.items():
        object.__setattr__(remade, name, part)
    return remade


def _remade_partial(value: "partial[Any]", done: dict[int, Any]) -> "partial[Any]":
    parts = (value.func, value.args, value.keywords)
    func, args, keywords = (_replace(part, done) for part in parts)
    if all(new is old for new, old in zip((func, args, keywords), parts, strict=True)):
        return value
    return type(value)(func, *args, **keywords)


def _remade_dict(value: dict[Any, Any], done: dict[int, Any]) -> dict[Any, Any]:
    if _plain(value) and _plain(value.values()):
        return value
    pairs = [(_replace(key, done), _replace(part, done)) for key, part in value.items()]
    same = (k is a and v is b for (k, v), (a, b) in zip(pairs, value.items(), strict=True))
    if all(same):
        return value
    if type(value) is dict:
        return dict(pairs)
    remade = copy.copy(value)
    remade.clear()
    for key, part in pairs:  # not update(), by which a Counter counts
        remade[key] = part
    return remade


def _like(value: Any, parts: list[Any]) -> Any:
    """A sequence or set of the same type with other elements."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(parts)
    if isinstance(value, tuple):
        return tuple.__new__(kind, parts)
    if isinstance(value, frozenset):
        return kind(parts)
    remade = copy.copy(value)
    remade.clear()
    if isinstance(value, list | deque):
        remade.extend(parts)
    else:
        remade.update(parts)
    return remade
