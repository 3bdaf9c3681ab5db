"""The time, as something handed in: no pure module asks for it."""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time in two ways. A test hands in one that it moves by hand."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward, from an arbitrary zero."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, for people and for other machines; it may jump."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds of the monotonic clock, the same for all processes of this host."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()
