"""What tells other processes that this one has ended, whatever way."""

import os
import threading

__all__ = ["Lifeline"]


class Lifeline:
    """A pipe that is open for as long as this process lives, and its forks do not hold.

    It is for one per program: it is never closed, nor forgotten.
    """

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self.let_go)

    def read_end(self) -> int:
        """The end at which another process may wait for the other's closing; it alone is given."""
        with self._lock:
            if self._ends is None:
                self._ends = os.pipe()
            return self._ends[0]

    def let_go(self) -> None:
        """Hold it no more, in a process that has just been forked: that one's life is another."""
        self._lock = threading.Lock()  # somebody may have held it
        ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)
