"""Group commit: one fsync for everything that came within an interval."""

import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Committer"]

_LOG = logging.getLogger(__name__)


class Committer:
    """Calls ``commit`` on a thread of its own, ``interval`` seconds after the first ``touch``.

    The thread starts with the first touch. What ``commit`` raises as OSError is logged, and it is
    called again after the next interval.
    """

    def __init__(self, commit: Callable[[], None], interval: float) -> None:
        self._commit, self._interval = commit, interval
        self._changed = threading.Condition()
        self._due: float | None = None
        self._waits = False  # whether _due is set, for those who ask without the lock
        self._stopped = False
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """There is something to commit."""
        if self._waits:
            return
        with self._changed:
            if not self._stopped:
                self._waits = True
                self._due = time.monotonic() + self._interval
                self._changed.notify()
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="lamina-checkpoint", daemon=True
                    )
                    self._thread.start()

    def stop(self) -> None:
        """Call it no more; waits for a call that is being made."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while self._wait():
            try:
                self._commit()
            except OSError as error:
                _LOG.error("results could not be made safe, which is tried again: %s", error)
                self.touch()

    def _wait(self) -> bool:
        """Wait until a commit is due; False at the end."""
        with self._changed:
            while not self._stopped:
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    self._due = None
                    self._waits = False  # before the commit: what comes meanwhile needs another
                    return True
                self._changed.wait(left)
            return False
