"""Ctrl-C, put off while the main thread does the kernel's work.

``KeyboardInterrupt`` is raised between any two steps of the main thread: also between taking from
a queue what is to be done for other tasks, and doing it. Those would never end. So while that
thread drives, which takes microseconds, the signal is only noted; its handler is called afterwards.
"""

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["Held", "hold"]

# What ``signal`` wraps, without making enumerations: that takes longer than all the rest here, and
# it is asked with each submission.
_signal: Any = import_module("_signal")
_MAIN = threading.main_thread().ident
_SIGINT = int(_signal.SIGINT)


class Held:
    """The handler of SIGINT meanwhile. The second signal is not put off: something takes long."""

    __slots__ = ("_came", "_handler")

    def __init__(self, handler: Callable[[int, Any], Any]) -> None:
        self._handler, self._came = handler, False

    def __call__(self, number: int, frame: Any) -> None:
        """Note the signal; pass on a second one."""
        if self._came:
            self._handler(number, frame)
        self._came = True

    def release(self) -> None:
        """Let the signal through again, and the one that came."""
        _signal.signal(_SIGINT, self._handler)
        if self._came:
            self._handler(_SIGINT, None)


def hold() -> Held | None:
    """Put Ctrl-C off until ``release``; None where it does not interrupt, or is put off already."""
    if threading.get_ident() != _MAIN:
        return None
    handler = _signal.getsignal(_SIGINT)
    if not callable(handler) or type(handler) is Held:
        return None
    held = Held(handler)
    try:
        _signal.signal(_SIGINT, held)
    except ValueError:  # an interpreter within a program, where no signal interrupts this thread
        return None
    return held
