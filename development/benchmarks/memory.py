"""The memory of this process and of everything below it, as the system tells it."""

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pid: int | str = "self") -> int:
    """Bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def family() -> dict[str, int]:
    """Bytes of this process, the program, and of all below it, by what they are."""
    found = {"program": resident()}
    for pid in sorted(_below(os.getpid())):
        try:
            name, size = _role(pid), resident(pid)
        except OSError:
            continue  # it has ended meanwhile
        number = 2
        unique = name
        while unique in found:
            unique = f"{name} {number}"
            number += 1
        found[unique] = size
    return found


def _below(pid: int) -> list[int]:
    found: list[int] = []
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(c) for t in threads for c in (t / "children").read_text().split()]
    except OSError:
        return found
    for child in children:
        found += [child, *_below(child)]
    return found


def _role(pid: int) -> str:
    """The module that its interpreter was told to run, or else the name of the program."""
    words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1].rpartition(".")[2]
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()


class Watch:
    """Looks at the memory of all processes from time to time while tasks are counted."""

    def __init__(self, tasks: int, looks: int = 40) -> None:
        self.every = max(1, tasks // looks)
        self.seen: dict[str, list[list[int]]] = {}

    def look(self, count: int) -> None:
        """Note how much each process has now."""
        for name, size in family().items():
            self.seen.setdefault(name, []).append([count, size])

    def growth(self, name: str, after: int) -> int:
        """Bytes that a process had grown by, at its largest, since so many tasks were counted."""
        late = [size for count, size in self.seen[name] if count >= after]
        return max(late) - late[0] if late else 0
