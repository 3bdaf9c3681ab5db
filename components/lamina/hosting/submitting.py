"""How tasks are handed to an endpoint, and what may be asked for each."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar

import attrs

from lamina.executors import Call, Payload
from lamina.hosting.futures import TaskFuture
from lamina.vocabulary import ConfigError, UsageError, read_seconds

__all__ = ["Submitter", "TaskOptions"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _walltime(value: float | str | None) -> float | None:
    return None if value is None else read_seconds(value, what="walltime")


def _expected(value: float | str | None) -> float | None:
    return None if value is None else read_seconds(value, what="expected")


@attrs.frozen(kw_only=True)
class TaskOptions:
    """What is asked for a task besides what it does."""

    executor: str | None = None
    """The label of one; None for the first."""
    name: str = ""
    """What events and messages call it; empty for the function's own name."""
    priority: float = attrs.field(default=0)
    """Higher runs sooner."""
    walltime: float | None = attrs.field(default=None, converter=_walltime)
    """Seconds that it may run, or text with a unit."""
    expected: float | None = attrs.field(default=None, converter=_expected)
    """Seconds that it is expected to take, or text; it is begun only where it can end."""
    env: Mapping[str, str] | None = None
    """Environment variables for this task alone."""
    hints: Mapping[str, Any] | None = None
    """For plug-ins of the executor; text and numbers only."""

    @priority.validator
    def _is_a_number(self, _: object, priority: float) -> None:
        if isinstance(priority, bool) or not isinstance(priority, int | float):
            msg = f"priority is {priority!r}; it must be a number, and higher runs sooner"
            raise ConfigError(msg)


class Take(Protocol):
    """Takes a task and gives its future."""

    def __call__(self, call: Call | Payload, name: str, options: TaskOptions) -> TaskFuture[Any]:
        """Hand it to the executor that the options name."""
        ...


class Submitter:
    """Submits tasks with options; made by ``Endpoint.options`` and, without any, an endpoint."""

    def __init__(self, take: Take, options: TaskOptions) -> None:
        self._take, self._options = take, options

    def submit(
        self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> TaskFuture[_R]:
        """Run a call on a worker; the future has its value, or the error that ended it.

        A call that cannot be pickled is an error of its future.

        Raises:
            NotStartedError: The endpoint was not started, or has been closed.
            UsageError: There is no executor of that label.
        """
        name = getattr(fn, "__qualname__", type(fn).__qualname__)
        return self._take(Call(fn, args, kwargs), name, self._options)

    def submit_payload(self, runner: str, data: bytes) -> TaskFuture[Any]:
        """Have the callable ``runner``, a ``module:name``, called with these bytes on a worker.

        Nobody between here and there looks into them; the future has what the callable returns.

        Raises:
            NotStartedError: The endpoint was not started, or has been closed.
            UsageError: There is no executor of that label, or the runner is not so written.
        """
        module, _, name = runner.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            msg = f"runner is {runner!r}; write module:name of a callable that workers can import"
            raise UsageError(msg)
        return self._take(Payload(runner, bytes(data)), runner, self._options)

    def options(
        self,
        *,
        executor: str | None = None,
        name: str = "",
        priority: float = 0,
        walltime: float | str | None = None,
        expected: float | str | None = None,
        env: Mapping[str, str] | None = None,
        hints: Mapping[str, Any] | None = None,
    ) -> "Submitter":
        """What submits tasks with these options instead.

        Raises:
            ConfigError: One of them cannot work.
        """
        options = TaskOptions(
            executor=executor,
            name=name,
            priority=priority,
            walltime=walltime,
            expected=expected,
            env=env,
            hints=hints,
        )
        return Submitter(self._take, options)
