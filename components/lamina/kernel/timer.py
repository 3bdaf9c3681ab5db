"""One thread that calls back when a moment has come, started when there is one to wait for."""

import threading
from collections.abc import Callable

from lamina.vocabulary import Clock

__all__ = ["Timer"]


class Timer:
    """Calls ``ring`` once the clock has reached the moment set last."""

    def __init__(self, name: str, clock: Clock, ring: Callable[[], None]) -> None:
        self._name, self._clock, self._ring = name, clock, ring
        self._changed = threading.Condition()
        self._moment: float | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def set(self, moment: float | None) -> None:
        """Ring at this moment of the clock, instead of any other; None for never."""
        with self._changed:
            if moment == self._moment:
                return
            self._moment = moment
            self._changed.notify()
            if self._thread is None and moment is not None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Never ring again."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                left = None if self._moment is None else self._moment - self._clock.now()
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                self._moment = None
            self._ring()
