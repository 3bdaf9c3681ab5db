"""``app.map``: many calls of one app, of which few are alive at a time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Reversible
from queue import SimpleQueue
from typing import TypeVar

from lamina.app_bodies import inside_task
from lamina.apps.futures import AppFuture
from lamina.vocabulary import UsageError

__all__ = ["map_calls"]

R = TypeVar("R")


def map_calls(
    app: Callable[..., AppFuture[R]],
    iterables: tuple[Iterable[object], ...],
    window: int,
    *,
    ordered: bool,
) -> Generator[R, None, None]:
    """What ``App.map`` gives back; see there.

    Raises:
        UsageError: The window is no whole number of 1 or more.
    """
    if type(window) is not int or window < 1:
        msg = f"window is {window!r:.100}; it must be a whole number of calls, 1 or more"
        raise UsageError(msg)
    calls = _Calls(app, zip(*iterables, strict=False))
    return _in_order(calls, window) if ordered else _as_completed(calls, window)


class _Calls(Iterator[AppFuture[R]]):
    """Makes the next call each time it is asked.

    What goes wrong with making one is kept for ``finish``: it has its place, after the results
    of the calls before it.
    """

    def __init__(
        self, app: Callable[..., AppFuture[R]], arguments: Iterator[tuple[object, ...]]
    ) -> None:
        self._app, self._arguments = app, arguments
        self._trouble: Exception | None = None

    def __next__(self) -> AppFuture[R]:
        if self._trouble is not None:
            raise StopIteration
        try:
            return self._app(*next(self._arguments))
        except StopIteration:
            raise
        except Exception as error:  # of the user's iterable, or of the call
            self._trouble = error
            raise StopIteration from None

    def finish(self) -> None:
        """Say what went wrong, once all results have been given out."""
        if self._trouble is not None:
            raise self._trouble


def _in_order(calls: _Calls[R], window: int) -> Generator[R, None, None]:
    alive: deque[AppFuture[R]] = deque()
    try:
        for future in calls:
            alive.append(future)
            del future
            if len(alive) >= window:
                yield _first_of(alive)
        while alive:
            yield _first_of(alive)
    finally:
        _cancel(alive)
    calls.finish()


def _first_of(alive: deque[AppFuture[R]]) -> R:
    # It counts as alive while it is waited for: an interrupt, or a task that may not wait, ends
    # that, and then it is to be cancelled with the others.
    result = alive[0].result()
    del alive[0]
    return result


def _as_completed(calls: _Calls[R], window: int) -> Generator[R, None, None]:
    alive: dict[AppFuture[R], None] = {}
    ended: SimpleQueue[AppFuture[R]] = SimpleQueue()
    try:
        for future in calls:
            alive[future] = None
            future.when_done(ended.put)  # type: ignore[arg-type]
            del future
            if len(alive) >= window:
                yield _next_of(alive, ended).result()
        while alive:
            yield _next_of(alive, ended).result()
    finally:
        _cancel(alive)
    calls.finish()


def _next_of(alive: dict[AppFuture[R], None], ended: SimpleQueue[AppFuture[R]]) -> AppFuture[R]:
    if inside_task() and ended.empty():
        next(iter(alive)).result()  # a task does not wait for others: this says so
    future = ended.get()
    del alive[future]
    return future


def _cancel(alive: Reversible[AppFuture[R]]) -> None:
    # The last first: one that runs may make room for the next, and that would start for nothing.
    for future in reversed(alive):
        future.cancel()
