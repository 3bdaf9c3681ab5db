"""Being started and closed: at most one run of an executor at a time."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from lamina.executors.protocol import AlreadyStartedError, NotStartedError

__all__ = ["OneRun"]

_R = TypeVar("_R")


class OneRun(Generic[_R]):
    """The run of an executor, if there is one. A run is whatever its executor makes of it."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._changing = threading.Lock()
        self._current: _R | None = None

    @property
    def current(self) -> _R | None:
        """The run, or None."""
        return self._current

    def begin(self, make: Callable[[], _R]) -> None:
        """Make the run.

        Raises:
            AlreadyStartedError: There is one.
        """
        with self._changing:
            if self._current is not None:
                raise AlreadyStartedError(self._label)
            self._current = make()

    def get(self) -> _R:
        """Give the run.

        Raises:
            NotStartedError: There is none.
        """
        if (run := self._current) is None:
            raise NotStartedError(self._label)
        return run

    def end(self) -> _R | None:
        """Give the run to whoever is to close it; there is none any more."""
        with self._changing:
            run, self._current = self._current, None
        return run
