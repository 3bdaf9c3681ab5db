"""The processes of an executor, found from outside as an operator would find them."""

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lamina.executors_htex import HighThroughputExecutor
from lamina.processes import alive, descendants

PATIENCE = 20.0  # seconds until a condition is given up that nothing measures


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)
    return found


def managers(executor: HighThroughputExecutor, count: int = 1) -> list[int]:
    """The pids of the managers, once there are so many."""

    def look() -> list[int]:
        found = [one["pid"] for one in executor.connected_managers()]
        return found if len(found) == count else []

    pids: list[int] = until(look)
    return pids


def manager(executor: HighThroughputExecutor) -> int:
    return managers(executor)[0]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zygote(executor: HighThroughputExecutor) -> int:
    return children(manager(executor))[0]


def workers(executor: HighThroughputExecutor) -> list[int]:
    return children(zygote(executor))


def worker(executor: HighThroughputExecutor) -> int:
    return workers(executor)[0]


def interchange(_: HighThroughputExecutor | None = None) -> int:
    return below("htex_interchange")[0]


def below(word: str) -> list[int]:
    """The processes below this one with this word on their command line."""

    def look() -> list[int]:
        return [pid for pid in descendants(os.getpid()) if word.encode() in command_of(pid)]

    found: list[int] = until(look)
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def having(marker: Path) -> list[int]:
    """All processes of this machine on whose command line this is."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and int(entry.name) != os.getpid()
        and str(marker).encode() in command_of(int(entry.name))
        and alive(int(entry.name))
    ]


def sleeper(marker: Path) -> tuple[int, int]:
    """The shell of ``far_below``, and the sleep in a session of its own below it."""

    def look() -> tuple[int, int] | None:
        for bash in having(marker):
            for one in descendants(bash):
                if b"sleep" in command_of(one).split(b"\0")[0]:
                    return bash, one
        return None

    found: tuple[int, int] = until(look)
    return found


def all_gone(pids: Collection[int]) -> bool:
    return not any(map(alive, pids))


def ran(log: Path) -> list[int]:
    """The numbers that ``note`` has written."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def unresolved(futures: Collection[Future[Any]]) -> int:
    return sum(not future.done() for future in futures)
