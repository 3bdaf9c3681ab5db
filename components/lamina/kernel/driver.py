"""One driver at a time: events come from any thread, and one thread at once acts on them."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from lamina.kernel.crew import Crew
from lamina.kernel.interrupts import hold

__all__ = ["Driver"]

_LOG = logging.getLogger(__name__)

CAPTURE_LIMIT = 64  # events; a thread that came with one is let go after so many of others'
TOGETHER = 16  # events at most, whose effects are performed together, which divides the limit


class Driver:
    """An inbox, which is emptied by whoever finds nobody at it.

    What came together is settled together: so results that end together are recorded at once.
    A handler is never called while another runs, and none is re-entered: what is posted from
    within one comes after it. The lock says who drives; nobody waits for it, so nothing that a
    handler calls can deadlock on it.
    """

    def __init__(self, settle: Callable[[], None], crew: Crew) -> None:
        self._settle, self._crew = settle, crew
        self._inbox: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._driving = threading.Lock()

    def post(self, handler: Callable[..., None], *args: Any) -> None:
        """Have ``handler`` called, now or by the thread that drives, and ``settle`` soon after."""
        held = hold()
        try:
            self._inbox.append((handler, args))
            self._drive(CAPTURE_LIMIT)
        finally:
            if held is not None:
                held.release()

    def _drive(self, limit: int) -> None:
        inbox, driving = self._inbox, self._driving
        while inbox:
            if not driving.acquire(blocking=False):
                return  # whoever holds it looks into the inbox again after letting go
            left = limit
            try:
                while inbox and left:
                    left -= 1
                    handler, args = inbox.popleft()
                    self._call(handler, args)
                    del handler, args
                    if not inbox or not left % TOGETHER:
                        self._call(self._settle, ())
            finally:
                driving.release()
            if not left and inbox:
                self._crew.put(self._drive_on)
                return

    def _drive_on(self) -> None:
        self._drive(1 << 62)

    def _call(self, handler: Callable[..., None], args: tuple[Any, ...]) -> None:
        try:
            handler(*args)
        except Exception:  # a fault of ours must not stop every other task
            _LOG.exception("the kernel could not handle an event")
