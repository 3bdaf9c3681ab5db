"""The futures among a call's arguments: found when it is submitted, replaced when it is ready."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from lamina.dependencies import DependencyResolver, find_futures
from lamina.vocabulary import File, FutureInArgumentsError

__all__ = ["gather", "unwrap"]

_ATOMS = frozenset({int, float, str, bool, bytes, complex, type(None), File})


def gather(
    resolver: DependencyResolver, app: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Sequence[Future[Any]]:
    """All futures that the call depends on, each once, in the order of its arguments.

    Raises:
        FutureInArgumentsError: One hides where the resolver does not look.
    """
    if not args and not kwargs:
        return ()
    found: dict[int, Future[Any]] = {}
    for index, argument in enumerate(args):
        if type(argument) not in _ATOMS:
            _gather_one(resolver, app, argument, f"args[{index}]", found)
    for name, argument in kwargs.items():
        if type(argument) in _ATOMS:
            continue
        if name == "inputs" and isinstance(argument, list | tuple):
            for index, element in enumerate(argument):
                if type(element) not in _ATOMS:
                    _gather_one(resolver, app, element, f"inputs[{index}]", found)
        else:
            _gather_one(resolver, app, argument, f"kwargs[{name!r}]", found)
    return list(found.values()) if found else ()


def _gather_one(
    resolver: DependencyResolver,
    app: str,
    argument: object,
    path: str,
    found: dict[int, Future[Any]],
) -> None:
    seen = resolver.gather(argument)
    for future in seen:
        found[id(future)] = future
    if isinstance(argument, Future):
        return
    known = set(map(id, seen))
    for below, future in find_futures(argument):
        if id(future) not in known:
            raise FutureInArgumentsError(app, path + below, resolver.name)


def unwrap(
    resolver: DependencyResolver, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments with results in the place of futures; the caller's containers stay."""
    plain = {}
    for name, argument in kwargs.items():
        if type(argument) in _ATOMS:
            plain[name] = argument
        elif name == "inputs" and isinstance(argument, list | tuple):
            elements = [resolver.unwrap(element) for element in argument]
            plain[name] = elements if isinstance(argument, list) else tuple(elements)
        else:
            plain[name] = resolver.unwrap(argument)
    return tuple(
        argument if type(argument) in _ATOMS else resolver.unwrap(argument) for argument in args
    ), plain
