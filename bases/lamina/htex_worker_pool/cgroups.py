"""Memory limits that the kernel keeps: a control group (cgroup v1) for each worker.

They are made below the manager's own group, where that is permitted. Elsewhere, and where there
is only cgroup v2, there are none, and whoever wants a limit kept has to watch.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from lamina.processes import alive

__all__ = ["Group", "Groups", "own_place"]

_LIMIT = "memory.limit_in_bytes"
_SWAP_TOO = "memory.memsw.limit_in_bytes"
_PEAK = "memory.max_usage_in_bytes"
_KILLS = "memory.oom_control"
_NAME = "lamina-"
STRAGGLERS = 0.5  # seconds for which processes that were killed may still be there


def own_place(mounts: Iterable[str], groups: Iterable[str]) -> Path | None:
    """Where this process's memory group is, from /proc/self/mounts and /proc/self/cgroup."""
    place = None
    for line in groups:
        _, controllers, path = line.rstrip("\n").split(":", 2)
        if "memory" in controllers.split(","):
            place = path.lstrip("/")
    if place is None:
        return None
    for line in mounts:
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(point) / place
    return None


class Group:
    """The group of one worker."""

    def __init__(self, path: Path, limit: int) -> None:
        """Make it.

        Raises:
            OSError: That is not permitted, or not possible.
        """
        self._path, self.limit = path, limit
        self._known = 0
        path.mkdir()
        try:
            (path / _LIMIT).write_text(str(limit))
            try:
                (path / _SWAP_TOO).write_text(str(limit))
            except OSError:
                pass  # the kernel does not account for swap, so there is nothing to hide in
            self._read_kills()
        except OSError:
            self.remove()
            raise

    def take(self, pid: int) -> None:
        """Put a process into it, with what it starts from now on and the memory it gets.

        Raises:
            OSError: That is not permitted, or the process is gone.
        """
        (self._path / "cgroup.procs").write_text(str(pid))

    @property
    def peak(self) -> int:
        """The most that its processes used together, in bytes."""
        try:
            return int((self._path / _PEAK).read_text())
        except OSError:
            return self.limit

    def has_killed(self) -> bool:
        """Whether the kernel has killed one of its processes for their memory, since last asked."""
        before, self._known = self._known, self._read_kills()
        return self._known > before

    def _read_kills(self) -> int:
        words = (self._path / _KILLS).read_text().split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def remove(self) -> None:
        """Remove it; its processes are gone by now, or it stays."""
        try:
            self._path.rmdir()
        except OSError:
            pass


class Groups:
    """Those of a manager's workers, below a group of its own."""

    def __init__(self, place: Path) -> None:
        """Make the group above them, and remove those of managers that were killed.

        Raises:
            OSError: That is not permitted, or not possible.
        """
        for left in place.glob(f"{_NAME}*"):
            pid = left.name.removeprefix(_NAME)
            if pid.isdecimal() and not alive(int(pid)):
                _remove(left)
        self.path = place / f"{_NAME}{os.getpid()}"
        self.path.mkdir()

    @staticmethod
    def find() -> "Groups | None":
        """Make some here, or say by None that this cannot be done."""
        try:
            mounts = Path("/proc/self/mounts").read_text().splitlines()
            place = own_place(mounts, Path("/proc/self/cgroup").read_text().splitlines())
            if place is None:
                return None
            groups = Groups(place)
        except OSError:
            return None
        try:
            groups.make(-1, 2**30).remove()
        except OSError:
            groups.close()
            return None
        return groups

    def make(self, worker: int, limit: int) -> Group:
        """Make the group of a worker.

        Raises:
            OSError: That is not possible any more.
        """
        return Group(self.path / f"worker-{worker}", limit)

    def close(self) -> None:
        """Remove what is left of them, as soon as processes that were killed have ended."""
        until = time.monotonic() + STRAGGLERS
        while not _remove(self.path) and time.monotonic() < until:
            time.sleep(STRAGGLERS / 50)


def _remove(path: Path) -> bool:
    """Whether the group is gone, and those below it, now that this has been tried."""
    for one in (*path.glob("worker-*"), path):
        try:
            one.rmdir()
        except FileNotFoundError:
            pass  # the zygote was quicker
        except OSError:
            return False
    return True
