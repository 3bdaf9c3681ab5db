"""Ending pools before the interpreter ends, as those of the standard library do.

At the end of the main thread, and before any ``atexit`` handler, calls that pools have taken
are waited for, and no more are taken. A process that was forked owns none of its parent's pools.
"""

import atexit
import os
import threading
from typing import Protocol
from weakref import WeakSet

__all__ = ["interpreter_ends", "watch"]


class Pool(Protocol):
    """What must end before the interpreter does."""

    def refuse(self) -> None:
        """Take no more calls."""
        ...

    def finish(self) -> None:
        """Wait for the calls that were taken, and end."""
        ...


class _Watched:
    """The pools of this process."""

    def __init__(self) -> None:
        self.pools: WeakSet[Pool] = WeakSet()
        self.lock = threading.Lock()
        self.over = False

    def end(self) -> None:
        with self.lock:
            self.over = True
            pools = list(self.pools)
        for pool in pools:
            pool.refuse()  # all of them first: a call of one may submit to another
        for pool in pools:
            pool.finish()


_watched = _Watched()


def watch(pool: Pool) -> None:
    """End this pool before the interpreter does, unless it is collected first."""
    with _watched.lock:
        _watched.pools.add(pool)


def interpreter_ends() -> bool:
    """Whether it is too late to take calls."""
    return _watched.over


def _end() -> None:
    _watched.end()


def _after_fork() -> None:
    global _watched
    _watched = _Watched()


os.register_at_fork(after_in_child=_after_fork)
try:
    # Not public, but the only hook that comes before atexit handlers, some of which submit; what
    # concurrent.futures uses itself. Without it, atexit is nearly as good.
    getattr(threading, "_register_atexit", atexit.register)(_end)
except RuntimeError:  # the main thread has ended: whoever imports us now gets no pool
    _watched.over = True
