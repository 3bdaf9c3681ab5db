"""The three decorators."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, Unpack, overload

from lamina.apps.app import App, Kind
from lamina.apps.options import AppOptions, Options, make_options

__all__ = ["bash_app", "join_app", "python_app"]

P = ParamSpec("P")
R = TypeVar("R")


class _Python(Protocol):
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> App[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> App[P, R]: ...


class _Bash(Protocol):
    def __call__(self, function: Callable[P, str], /) -> App[P, int]: ...


class _Join(Protocol):
    def __call__(self, function: Callable[P, Any], /) -> App[P, Any]: ...


def _decorate(kind: Kind, function: Any, given: Mapping[str, Any]) -> Any:
    options = make_options(given) if given else Options()
    if function is None:
        return lambda late: App(kind, late, options)
    return App(kind, function, options)


@overload
def python_app(
    function: Callable[P, Coroutine[Any, Any, R]], /, **options: Unpack[AppOptions]
) -> App[P, R]: ...
@overload
def python_app(function: Callable[P, R], /, **options: Unpack[AppOptions]) -> App[P, R]: ...
@overload
def python_app(function: None = None, **options: Unpack[AppOptions]) -> _Python: ...
def python_app(function: Any = None, **options: Any) -> Any:
    """Make a function an app: what it returns, on whatever executor, is the future's result.

    An ``async def`` runs to completion where it runs.

    Args:
        function: What to decorate; without it, ``python_app(...)`` is a decorator.
        **options: ``data_flow_kernel`` (None: the one that is loaded when the app is called),
            ``cache`` (False), ``executors`` ("all", or a list of labels), ``ignore_for_cache``
            (names of parameters), and those of ``App.options``.

    Raises:
        ConfigError: An option is unknown, or has a value that cannot work.
        UsageError: It decorates something that is no function.
    """
    return _decorate(Kind.PYTHON, function, options)


@overload
def bash_app(function: Callable[P, str], /, **options: Unpack[AppOptions]) -> App[P, int]: ...
@overload
def bash_app(function: None = None, **options: Unpack[AppOptions]) -> _Bash: ...
def bash_app(function: Any = None, **options: Any) -> Any:
    """Make a function an app whose command line, which the function returns, bash runs.

    The function is called where the task runs. The result is 0; a command that ends with
    another status is a BashExitFailure.

    Args:
        function: What to decorate; without it, ``bash_app(...)`` is a decorator.
        **options: As for ``python_app``.

    Raises:
        ConfigError: An option is unknown, or has a value that cannot work.
        UsageError: It decorates something that is no function.
    """
    return _decorate(Kind.BASH, function, options)


@overload
def join_app(function: Callable[P, Any], /, **options: Unpack[AppOptions]) -> App[P, Any]: ...
@overload
def join_app(function: None = None, **options: Unpack[AppOptions]) -> _Join: ...
def join_app(function: Any = None, **options: Any) -> Any:
    """Make a function an app that calls other apps, and returns their futures to wait for.

    It runs on a thread of the kernel. A future, or a list, tuple or dict of futures, becomes
    the result, the list, tuple or dict of results.

    Args:
        function: What to decorate; without it, ``join_app(...)`` is a decorator.
        **options: As for ``python_app``.

    Raises:
        ConfigError: An option is unknown, or has a value that cannot work.
        UsageError: It decorates something that is no function.
    """
    return _decorate(Kind.JOIN, function, options)
