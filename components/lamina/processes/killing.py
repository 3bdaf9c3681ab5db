"""Ending processes with all that they started, until nothing is left of them."""

import os
import signal
import time
from collections.abc import Callable, Collection, Iterable

from lamina.processes.facts import alive, descendants, stats

__all__ = ["kill_session", "kill_tree"]

_PAUSE = 0.01  # seconds between two looks; killed processes need a moment to be gone


def kill_tree(pids: Iterable[int], *, spare: Collection[int] = (), deadline: float = 5.0) -> bool:
    """SIGKILL these processes and everything below them until none is left.

    Processes in ``spare``, and what is below them, are left alone, and so is the caller.
    ``deadline`` is in seconds. Returns whether all of them have ended; what sleeps in the kernel
    can outlast any signal. A subreaper passes its own pid, and thus all its orphans.
    """
    roots = list(pids)
    # What was once seen below is pursued even when its parent's death has moved it elsewhere.
    seen: dict[int, None] = {}

    def left() -> list[int]:
        kept = {os.getpid(), *spare}
        for one in spare:
            kept.update(descendants(one))
        for root in roots:
            seen.update(dict.fromkeys([root, *descendants(root)]))
        return [pid for pid in seen if pid not in kept and alive(pid)]

    return _kill(left, deadline)


def kill_session(sid: int, *, deadline: float = 5.0) -> bool:
    """SIGKILL all processes of a session until none is left; not the caller.

    Returns whether all have ended when ``deadline``, in seconds, is over.
    """
    mine = os.getpid()
    return _kill(
        lambda: [one.pid for one in stats() if one.session == sid != 0 and one.pid != mine],
        deadline,
    )


def _kill(left: Callable[[], list[int]], deadline: float) -> bool:
    end = time.monotonic() + deadline
    while found := left():
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # gone, or no longer ours to end
                pass
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True
