"""What /proc says about processes, and the end of a log file."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Stat", "alive", "boot_id", "descendants", "read_stat", "start_time", "stats", "tail"]

_BLOCK = 64 * 1024  # bytes read at a time from the end of a file
_MOST = 1024 * 1024  # bytes of a file's end that are looked at, however long its lines


class Stat(NamedTuple):
    """One process, as its line in /proc has it."""

    pid: int
    state: str
    """One letter; Z and X have ended."""
    parent: int
    session: int
    started: int
    """Clock ticks since the machine booted."""

    @property
    def ended(self) -> bool:
        """Whether it runs no more, and is only remembered."""
        return self.state in "ZX"


def read_stat(pid: int) -> Stat | None:
    """One process; ``None`` when there is none of this number."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name stands in parentheses and may hold any byte, these too.
    fields = data[data.rfind(b")") + 2 :].split()
    return Stat(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def stats() -> Iterator[Stat]:
    """All processes of this machine that can be seen, those that have ended left out."""
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := read_stat(int(name))) is not None and not stat.ended:
            yield stat


def descendants(pid: int) -> list[int]:
    """All processes below this one that still run, children before grandchildren.

    What has ended but was not waited for is left out. A process whose parent has ended belongs
    to the nearest subreaper above, or to nobody here.
    """
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        # Ended ones count as parents: their threads' children may not have moved up yet.
        if name.isdigit() and (stat := read_stat(int(name))) is not None:
            below.setdefault(stat.parent, []).append(stat.pid if not stat.ended else -stat.pid)
    found, queue = [], [pid]
    for one in queue:
        for child in below.get(one, ()):
            queue.append(abs(child))
            if child > 0:
                found.append(child)
    return found


def alive(pid: int, started: int | None = None) -> bool:
    """Whether the process runs; with ``started``, whether it is still the same one."""
    stat = read_stat(pid)
    return stat is not None and not stat.ended and started in (None, stat.started)


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; with the number it names it for good."""
    stat = read_stat(pid)
    return None if stat is None else stat.started


def boot_id() -> str:
    """A name of this run of this machine; empty where the system gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def tail(path: str | os.PathLike[str], lines: int = 20) -> str:
    """The last lines of a text file, without the last newline; empty if it cannot be read.

    At most the last MiB is looked at. Bytes that are not UTF-8 are replaced.
    """
    data = b""
    try:
        with open(path, "rb") as file:
            place = file.seek(0, os.SEEK_END)
            while place > 0 and data.count(b"\n") <= lines and len(data) < _MOST:
                step = min(_BLOCK, place)
                place -= step
                file.seek(place)
                data = file.read(step) + data
    except OSError:
        return ""
    return "\n".join(data.decode("utf-8", "replace").splitlines()[-lines:]) if lines > 0 else ""
