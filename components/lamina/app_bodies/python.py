"""What runs on the worker for a python app.

The plain body is a function that bears the name of the user's own, so that a codec sends it as
it would send that: by reference where it can be imported, by value and once where it cannot.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec

from lamina.app_bodies.inside import enter_task, leave_task
from lamina.app_bodies.streams import StdStream, redirected

__all__ = ["PythonBody", "plain_body", "run_to_end"]

P = ParamSpec("P")


def run_to_end(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a coroutine function, and run what it returns to its end on a loop of its own."""
    import asyncio  # late: it is large, and each worker process would have to read it

    return asyncio.run(function(*args, **kwargs))


def plain_body(function: Callable[P, Any]) -> Callable[P, Any]:
    """The function, marked as a task while it runs; an ``async def`` runs to completion."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        def body(*args: P.args, **kwargs: P.kwargs) -> Any:
            enter_task()
            try:
                return run_to_end(function, args, kwargs)
            finally:
                leave_task()

    else:

        @functools.wraps(function)
        def body(*args: P.args, **kwargs: P.kwargs) -> Any:
            enter_task()
            try:
                return function(*args, **kwargs)
            finally:
                leave_task()

    return body


@dataclass(eq=False, slots=True)
class PythonBody:
    """A python or join app with keywords that are not for its function, or redirected streams."""

    body: Callable[..., Any]
    dropped: frozenset[str] = frozenset()
    stdout: StdStream | None = None
    stderr: StdStream | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with what is for it."""
        for name in self.dropped:
            kwargs.pop(name, None)
        if self.stdout is None and self.stderr is None:
            return self.body(*args, **kwargs)
        with redirected(self.stdout, self.stderr):
            return self.body(*args, **kwargs)
