"""Telling when an attempt's walltime is over, with one thread for all and none before the first."""

import heapq
import logging
import threading
from collections.abc import Callable, Collection

from lamina.vocabulary import AttemptId, Clock

__all__ = ["Deadlines"]

_log = logging.getLogger(__name__)


class Deadlines:
    """Calls ``expire`` with the attempts whose time is over, on a thread of its own.

    That thread blocks until the next deadline; there is none while no deadline was ever set.
    """

    def __init__(
        self, clock: Clock, expire: Callable[[Collection[AttemptId]], None], name: str
    ) -> None:
        self._clock, self._expire, self._name = clock, expire, name
        self._changed = threading.Condition()
        self._live: dict[AttemptId, float] = {}
        self._heap: list[tuple[float, AttemptId]] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def set(self, attempt: AttemptId, seconds: float) -> None:
        """Give an attempt so many seconds from now."""
        at = self._clock.now() + seconds
        with self._changed:
            if self._closed:
                return
            self._live[attempt] = at
            heapq.heappush(self._heap, (at, attempt))
            if self._thread is None:
                self._thread = self._started()
            elif self._heap[0][1] == attempt:
                self._changed.notify()

    def _started(self) -> threading.Thread | None:
        """The thread; None where the system allows no more, and the next deadline tries again."""
        thread = threading.Thread(target=self._watch, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the attempt itself can run all the same
            _log.warning("nobody watches over walltimes for now: %s", error)
            return None
        return thread

    def drop(self, attempt: AttemptId) -> None:
        """Forget an attempt, which has ended."""
        with self._changed:
            self._live.pop(attempt, None)
            if len(self._heap) > 64 + 2 * len(self._live):
                self._heap = [(at, attempt) for attempt, at in self._live.items()]
                heapq.heapify(self._heap)

    def close(self) -> None:
        """Forget them all and end the thread."""
        with self._changed:
            self._closed = True
            self._live.clear()
            self._heap.clear()
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                over: list[AttemptId] = []
                while not over:
                    if self._closed:
                        return
                    now = self._clock.now()
                    while self._heap and self._heap[0][0] <= now:
                        at, attempt = heapq.heappop(self._heap)
                        if self._live.get(attempt) == at:
                            del self._live[attempt]
                            over.append(attempt)
                    if not over:
                        left = self._heap[0][0] - now if self._heap else None
                        self._changed.wait(left if left is None else min(left, 1e6))
            self._expire(over)
