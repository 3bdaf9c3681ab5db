"""What came of a run: the figures that the table and the page show."""

import threading
from typing import NamedTuple

__all__ = ["Ledger", "Retried", "RunFacts"]


class Retried(NamedTuple):
    """A task that the retry policy ran again. ``attempt`` is the one that failed, from 1."""

    task: str
    attempt: int
    because: str


class RunFacts(NamedTuple):
    """How a run went."""

    looked_at: str
    """Which directories, and what of them was left out."""
    tasks: int
    failed: int
    reused: int
    """Tasks whose result the memo knew."""
    seconds: float
    workers: int
    executor: str
    retried: tuple[Retried, ...]
    identical: int
    """Files of which an identical one, by sha256sum, comes before them."""
    disagreements: tuple[str, ...]
    """Files of which ``wc`` counts other lines or bytes than the parser."""

    @property
    def rate(self) -> float:
        """Tasks per second."""
        return self.tasks / self.seconds if self.seconds > 0 else 0.0

    def figures(self) -> list[tuple[str, str]]:
        """Names and values, for people."""
        return [
            ("tasks", f"{self.tasks:,}"),
            ("failures", f"{self.failed:,}"),
            ("reused from an earlier run", f"{self.reused:,}"),
            ("tasks run again", f"{len(self.retried):,}"),
            ("seconds", f"{self.seconds:.1f}"),
            ("tasks per second", f"{self.rate:,.0f}"),
            ("workers", f"{self.workers} ({self.executor})"),
            ("files identical to another", f"{self.identical:,}"),
            ("files where wc disagrees", f"{len(self.disagreements):,}"),
        ]


class Ledger:
    """Counts tasks as they come and go, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._retried: list[Retried] = []
        self.submitted = self.done = self.failed = 0

    def expect(self) -> None:
        """A task was submitted."""
        with self._lock:
            self.submitted += 1

    def settle(self, ok: bool) -> None:
        """A task is over."""
        with self._lock:
            self.done += 1
            self.failed += not ok

    def again(self, retried: Retried) -> None:
        """A task will be run again."""
        with self._lock:
            self._retried.append(retried)

    @property
    def retried(self) -> tuple[Retried, ...]:
        """The tasks that were run again, in that order."""
        with self._lock:
            return tuple(self._retried)
