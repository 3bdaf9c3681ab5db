"""How much memory the processes of one task use, from /proc."""

import os
from pathlib import Path

from lamina.processes import descendants

__all__ = ["Gauge"]

_PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


class Gauge:
    """What a worker and everything below it use beyond what they did when it was reset.

    That is when the worker was ready for its first task, or, if the present one has a limit of
    its own, when that began: then what earlier tasks have left behind is not held against it. The
    most that can be meant is taken for it, so a task may be seen to use less than it does, by what
    the worker shares with its siblings, and never more.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ready = self._before = sum(map(_resident, _family(pid)))

    def reset(self, *, limited: bool = True) -> None:
        """A task is about to begin, with a limit of its own or without."""
        if limited:
            self._before = sum(map(_resident, _family(self.pid)))
        else:
            self._before = self._ready

    def used(self, limit: int) -> int:
        """How many bytes it uses. Only more than ``limit`` is measured with care, which is slow.

        Pages that several processes share are counted once.
        """
        family = _family(self.pid)
        roughly = sum(map(_resident, family)) - self._before
        if roughly <= limit:
            return max(0, roughly)
        return max(0, sum(map(_proportional, family)) - self._before)


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    try:
        for one in found:  # it grows meanwhile
            found += _children(one)
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid, *descendants(pid)]
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    children: list[int] = []
    try:
        threads = os.listdir(tasks)
    except OSError:  # it has ended
        return []
    for thread in threads:
        try:
            children += map(int, (tasks / thread / "children").read_text("ascii").split())
        except FileNotFoundError:
            if (tasks / thread).exists():
                raise
        except ProcessLookupError:
            continue
    return children


def _resident(pid: int) -> int:
    """Bytes in memory, shared ones among them; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    """Bytes in memory, of shared ones this process's part; 0 when it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, PermissionError):  # an old kernel, or another user's
        return _resident(pid)
    except OSError:
        pass
    return 0
