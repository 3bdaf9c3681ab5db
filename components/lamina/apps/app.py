"""``App``: a function that becomes a task when it is called."""

import enum
import functools
import inspect
import sys
from collections.abc import Callable, Generator, Iterable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, cast, overload

import attrs

from lamina.app_bodies import BashBody, PythonBody, plain_body
from lamina.apps.call import SpecialCall, read_special_call
from lamina.apps.futures import AppFuture
from lamina.apps.mapping import map_calls
from lamina.apps.options import AppOptions, Options, changed
from lamina.apps.registry import current
from lamina.apps.shape import SPECIAL, Shape
from lamina.kernel import Kernel, TaskOptions, TaskSpec
from lamina.vocabulary import ConfigError, NoDataFlowKernelError, UsageError

__all__ = ["App", "Kind"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


_BASH_GRACE = 5.0
"""Seconds: bash apps kill their command themselves, which a busy machine may take a moment for."""


class Kind(enum.Enum):
    """What happens to the function of an app."""

    PYTHON = "python_app"
    """It runs, and what it returns is the result."""
    BASH = "bash_app"
    """It runs, and returns a command line, which bash runs."""
    JOIN = "join_app"
    """It runs on a thread of the kernel, and returns futures, whose results are the result."""


class App(Generic[P, R]):
    """A function that becomes a task when it is called; made by the decorators.

    ``__wrapped__`` is what runs: the function, marked as a task while it does. So is the body of
    a join app: one that waits holds a thread of the kernel, which other bodies may need to end.
    """

    def __init__(self, kind: Kind, function: Callable[P, Any], options: Options) -> None:
        if isinstance(function, type | App) or not callable(function):
            msg = f"{kind.value} was given {function!r:.100}; it decorates functions"
            raise UsageError(msg)
        functools.update_wrapper(self, function)
        self.__name__: str = getattr(function, "__name__", type(function).__name__)
        self._kind, self._options = kind, options
        self._function: Callable[..., Any] = function
        self.__wrapped__: Callable[..., Any] = plain_body(function)
        self._shape = Shape(function, self.__name__)
        self.__signature__ = self._shape.signature
        self._receiver: tuple[Any, ...] = ()
        self._settle()

    def _settle(self) -> None:
        """Work out what all calls have in common."""
        if not self._shape.open:
            known = self._shape.names | SPECIAL
            if unknown := sorted(self._options.ignore_for_cache - known):
                msg = f"ignore_for_cache of {self.__name__} names {', '.join(unknown)}, "
                raise ConfigError(msg + "which it has no parameter for")
        if self._kind is Kind.JOIN:
            self._refuse_for_join(self._options.of_executors())
        self._task_name = self._options.name or self.__name__
        self._task_options = TaskOptions(
            join=self._kind is Kind.JOIN,
            grace=_BASH_GRACE if self._kind is Kind.BASH else 0.0,
            memo_function=self._function if self._options.cache else None,
            **self._options.for_tasks(),
        )

    def _refuse_for_join(self, given: Iterable[str]) -> None:
        if given := sorted(given):
            msg = (
                f"{self.__name__} is a join_app, whose body runs on a thread of the kernel: "
                f"{', '.join(given)} cannot be honoured there. Give it to the apps that it calls."
            )
            raise ConfigError(msg)

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AppFuture[R]: ...
    @overload
    def __call__(self, *args: object, **kwargs: object) -> AppFuture[R]: ...
    def __call__(self, *args: Any, **kwargs: Any) -> AppFuture[R]:
        """Submit a task.

        Raises:
            TypeError: The arguments do not fit the function.
            UsageError: A special keyword has a value that cannot work, or a future hides where
                nobody looks.
            NoDataFlowKernelError: No kernel is loaded to run it.
        """
        kernel: Kernel | None = self._options.data_flow_kernel or current()
        if kernel is None:
            raise NoDataFlowKernelError(self.__name__)
        if self._receiver:
            args = (*self._receiver, *args)
        shape = self._shape
        if self._kind is Kind.BASH or shape.declared or (kwargs and not SPECIAL.isdisjoint(kwargs)):
            return self._call_specially(kernel, args, kwargs)
        shape.check(args, kwargs)
        future: AppFuture[R] = AppFuture()
        future._kernel = kernel
        kernel.submit(
            TaskSpec(self.__wrapped__, args, kwargs, future, self._task_name, self._task_options)
        )
        return future

    def _call_specially(
        self, kernel: Kernel, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AppFuture[R]:
        call = read_special_call(self._shape, kernel, self._task_name, args, kwargs)
        if call.resources is not None and self._kind is Kind.JOIN:
            self._refuse_for_join(["parsl_resource_specification"])
        future: AppFuture[R] = AppFuture()
        future._kernel = kernel
        files = call.data_futures(future)
        own: dict[str, Any] = {}
        if call.walltime is not None:
            own["walltime"] = call.walltime
        if call.resources is not None:
            own["resources"] = call.resources
        if call.expected is not None:
            own["expected"] = call.expected
        if call.not_counted:
            own["ignore_for_cache"] = self._options.ignore_for_cache | call.not_counted
        if call.mark:
            own["version"] = self._options.version + call.mark
        options = attrs.evolve(self._task_options, **own) if own else self._task_options
        spec = TaskSpec(
            function=self._body(call, options.walltime),
            args=call.args,
            kwargs=call.kwargs,
            future=future,
            name=self._task_name,
            options=options,
            outputs=call.written,
            log_paths=tuple(where.path for where in (call.stdout, call.stderr) if where),
        )
        kernel.submit(spec, call.task)
        for file in files:
            file.follow()
        return future

    def _body(self, call: SpecialCall, walltime: float | None) -> Callable[..., Any]:
        body = self.__wrapped__
        if self._kind is Kind.BASH:
            return BashBody(
                body,
                self._task_name,
                call.dropped,
                call.stdout,
                call.stderr,
                call.outputs,
                walltime,
            )
        declared = self._shape.declared
        stdout = None if "stdout" in declared else call.stdout
        stderr = None if "stderr" in declared else call.stderr
        if (stdout or stderr) and self._kind is Kind.JOIN:
            msg = f"{self.__name__} is a join_app, which has no stdout or stderr of its own; "
            raise UsageError(msg + "declare the parameter to get the value")
        if not call.dropped and stdout is None and stderr is None:
            return body
        return PythonBody(body, call.dropped, stdout, stderr)

    def map(
        self, *iterables: Iterable[object], window: int = 10_000, ordered: bool = True
    ) -> Generator[R, None, None]:
        """Call it once for each item, and give the results; like the built-in ``map``.

        Calls are made as results are asked for, and no call is made while ``window`` results
        are still to come or to be taken: so an endless iterable does not fill the memory.
        Nothing is called before the first result is asked for. What remains when an error is
        raised, or when the generator is closed or forgotten, is cancelled.

        Args:
            *iterables: The arguments, one iterable for each; the shortest ends it.
            window: How many calls may be alive at once.
            ordered: Results in the order of the items; otherwise as they come.

        Yields:
            The results. A call that fails raises its error in the place of its result.

        Raises:
            UsageError: The window is no whole number of 1 or more.
        """
        return map_calls(self, iterables, window, ordered=ordered)

    def options(self, **options: Unpack[AppOptions]) -> "App[P, R]":
        """The same app with other options; the ones that are not named stay.

        They are those of the decorator, and ``name``, ``priority``, ``retries``, ``retry``,
        ``walltime``, ``expected``, ``memory_limit``, ``resources``, ``env``, ``hints``.

        Raises:
            ConfigError: One is unknown, or has a value that cannot work.
        """
        other = self._copy()
        other._options = changed(self._options, options)
        other._settle()
        return other

    def _copy(self) -> "App[P, R]":
        other: App[P, R] = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> "App[P, R]": ...
    @overload
    def __get__(
        self: "App[Concatenate[S, Q], R]", instance: S, owner: type | None = None
    ) -> "App[Q, R]": ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None or self._receiver:
            return self
        bound = self._copy()
        bound._receiver = (instance,)
        parameters = list(self._shape.signature.parameters.values())
        if parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            del parameters[0]
        bound.__signature__ = self._shape.signature.replace(parameters=parameters)
        return bound

    def __repr__(self) -> str:
        return f"<{self._kind.value} {getattr(self, '__qualname__', self.__name__)}>"

    def __reduce__(self) -> "str | tuple[Callable[..., App[P, R]], tuple[Any, ...]]":
        name = getattr(self, "__qualname__", "")
        if self.__module__ != "__main__" and "." not in name:
            if getattr(sys.modules.get(self.__module__), name, None) is self:
                return cast("str", name)
        # What must stay here stays; there is no kernel where this goes.
        options = changed(self._options, {"data_flow_kernel": None})
        return _remade, (self._kind, self._function, options, self._receiver)


def _remade(
    kind: Kind, function: Callable[..., Any], options: Options, receiver: tuple[Any, ...]
) -> App[Any, Any]:
    app: App[Any, Any] = App(kind, function, options)
    return app.__get__(receiver[0]) if receiver else app
