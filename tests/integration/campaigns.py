"""A campaign of many tasks that is killed in the middle, and the books that are kept of it.

``python -m tests.integration.campaigns RUN_DIR BOOKS TASKS LEVEL ENGINE`` runs it; the functions
run and kill it, and say what became of it.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lamina.flow import (
    Config,
    DataFlowKernel,
    HighThroughputExecutor,
    ThreadPoolExecutor,
    get_all_checkpoints,
    get_last_checkpoint,
    python_app,
)
from lamina.memo import StoredMemo, Subject
from lamina.memo_log import Damage, Log, LogResultStore
from lamina.processes import descendants

PATIENCE = 120.0  # seconds
LEVELS = ("result", "interval", "close")


def work(number: int, book: str) -> int:
    """One task: it writes down that it was executed. Those from ``hold`` on never end."""
    note(book, number)
    hold = Path(book).with_name("hold")
    while hold.exists() and number >= int(hold.read_text()):
        time.sleep(0.1)
    return number * number


def note(book: str | Path, number: int) -> None:
    """Append a number to a book; a single write, which no kill can tear."""
    handle = os.open(book, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, b"%d\n" % number)
    os.close(handle)


def read(book: Path) -> list[int]:
    """All numbers in a book."""
    return [int(line) for line in book.read_text().split()] if book.exists() else []


def campaign(run_dir: Path, books: Path, first: int, count: int, level: str, engine: str) -> None:
    """Run all tasks; the books are ``executed`` and ``resolved``."""
    executor = (
        ThreadPoolExecutor(max_threads=2)
        if engine == "threads"
        else HighThroughputExecutor(label="htex", max_workers_per_node=2)
    )
    memo = StoredMemo(LogResultStore(durability=level))  # type: ignore[arg-type]
    executed, resolved = str(books / "executed"), books / "resolved"
    with DataFlowKernel(Config(executors=[executor], memoizer=memo, run_dir=run_dir)) as kernel:
        app = python_app(data_flow_kernel=kernel, cache=True, ignore_for_cache=["book"])(work)
        futures = {}
        for number in range(first, first + count):
            futures[number] = app(number, executed)
            futures[number].add_done_callback(lambda _, n=number: note(resolved, n))
        for number, future in futures.items():
            assert future.result() == number * number
    note(books / "ended", 1)


class Campaign:
    """A campaign as a program of its own."""

    def __init__(
        self, run_dir: Path, books: Path, count: int, level: str, engine: str, first: int = 0
    ) -> None:
        books.mkdir(parents=True, exist_ok=True)
        self.run_dir, self.books, self.count = run_dir, books, count
        arguments = [str(run_dir), str(books), str(first), str(count), level, engine]
        with open(books / "said", "wb") as said:
            self.program = subprocess.Popen(
                [sys.executable, "-m", __name__, *arguments],
                stdout=said,
                stderr=said,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    @property
    def executed(self) -> list[int]:
        """Which tasks were begun, as often as they were."""
        return read(self.books / "executed")

    @property
    def resolved(self) -> set[int]:
        """Whose futures were done."""
        return set(read(self.books / "resolved"))

    def kill_when(self, resolved: int) -> None:
        """Once so many futures are done, kill -9 the program and everything below it, at once."""
        self._wait(lambda: len(self.resolved) >= resolved)
        everything = [self.program.pid, *descendants(self.program.pid)]
        for pid in everything:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.program.wait(PATIENCE)

    def finish(self) -> None:
        """Wait for its end, which must be a good one."""
        self.program.wait(PATIENCE)
        assert read(self.books / "ended") == [1], (self.books / "said").read_text()

    def _wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < deadline, (self.books / "said").read_text()
            assert self.program.poll() is None, (self.books / "said").read_text()
            time.sleep(0.005)


def recorded(run_dir: Path) -> set[int]:
    """Which tasks' results the logs of all runs hold."""
    found: set[int] = set()
    memo = StoredMemo()
    known = {bytes(memo.key(_subject(number))): number for number in range(20_000)}
    for folder in get_all_checkpoints(run_dir):
        log = Log(folder)
        for item in log.results():
            if not isinstance(item, Damage):
                found.add(known[item[1].key])
        log.close()
    return found


class Round(NamedTuple):
    """What came of a campaign that was killed and run again."""

    resolved: set[int]
    recorded: set[int]
    again: list[int]
    """What the second run executed."""


def killed_and_resumed(
    base: Path, count: int, level: str, engine: str, chance: random.Random
) -> Round:
    """Kill a campaign somewhere, run it again to its end, and check what must hold."""
    run_dir = base / "runs"
    (base / "first").mkdir(parents=True)
    (base / "first" / "hold").write_text(str(count * 9 // 10))  # so that it cannot end before
    first = Campaign(run_dir, base / "first", count, level, engine)
    first.kill_when(chance.randrange(count // 10, count * 8 // 10))
    assert get_last_checkpoint(run_dir)
    kept = recorded(run_dir)
    second = Campaign(run_dir, base / "second", count, level, engine)
    second.finish()
    assert len(second.executed) == len(set(second.executed))
    assert set(second.executed) == set(range(count)) - kept
    assert second.resolved == set(range(count))
    return Round(first.resolved, kept, second.executed)


def _subject(number: int) -> Subject:
    return Subject(work, (number, ""), {}, ignored=frozenset({"book"}))


if __name__ == "__main__":
    # Under its importable name, so that its functions have the same identity everywhere.
    from tests.integration import campaigns

    runs, books, first, count, level, engine = sys.argv[1:]
    campaigns.campaign(Path(runs), Path(books), int(first), int(count), level, engine)
