"""Threads that are started when there is something for them to do, and hold up no exit."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["Crew"]

_LOG = logging.getLogger(__name__)


class Crew:
    """Up to ``most`` daemon threads which run jobs in the order they come.

    A job that raises is logged and harms nobody. After ``stop``, and where the interpreter is
    ending and allows no new thread, a job runs on the thread that brings it.
    """

    def __init__(self, name: str, most: int = 1) -> None:
        self._name, self._most = name, most
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._stopped = False

    @property
    def here(self) -> bool:
        """Whether the caller is one of its jobs."""
        return threading.current_thread() in self._threads

    def put(self, job: Callable[[], None]) -> None:
        """Run a job soon."""
        with self._lock:
            inline = self._stopped
            if not inline and not self._idle.acquire(blocking=False):
                inline = not self._grow() and not self._threads
            if not inline:
                self._jobs.put(job)
        if inline:
            self._run(job)

    def stop(self) -> None:
        """End the threads once they have run what is there; does not wait for them."""
        with self._lock:
            if not self._stopped:
                self._stopped = True
                for _ in self._threads:
                    self._jobs.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait until the jobs put so far have run (for a crew of one thread)."""
        if not self._threads or self.here:
            return True
        done = threading.Event()
        self.put(done.set)
        return done.wait(timeout)

    def _grow(self) -> bool:
        if len(self._threads) >= self._most:
            return False
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._run(job)
            del job
            if self._jobs.empty():
                self._idle.release()

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # a callback's fault is not the thread's
            _LOG.exception("something that %s ran has raised", self._name)
