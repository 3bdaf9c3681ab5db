"""The soak: many tasks under repeated kills, for longer than a test may take.

Each round submits tasks to htex, brings one or two of its processes to harm at a random moment,
and checks what is promised: every future resolves in time, no more fails than ran there, nothing
runs twice, new tasks run afterwards, and once the executor is closed no process of it is left.
The seed is printed; ``--seed`` replays the same order of harm. It ends with status 1, and with
what it found, as soon as a promise is broken.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import wait
from pathlib import Path

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.processes import alive, descendants

TASKS, TAKES, WORKERS = 300, 0.01, 2
ROUNDS = 2  # with one executor; a third death of its interchange within a minute ends it, by design
PROMISED = 2.0  # seconds beyond the work left
NOISE = 8.0  # seconds that are borne beyond that: a shared machine may be busy for hours
PATIENCE = 60.0  # seconds until a future is called pending
TRANSPORTS = {"unix": None, "curve": "127.0.0.1"}
MOST_FAILED = {
    # What a process that dies takes with it: a worker what it ran, a manager also what it had
    # fetched ahead, because nobody can know any more whether that had begun.
    "worker": 1,
    "zygote": WORKERS,
    "manager": 64,
    "interchange": 0,
    "interchange+manager": 64,
}


class Broken(Exception):
    """A promise was not kept."""


def mark(folder: str, number: int, seconds: float) -> int:
    """Leave a line that tells of this run, take a while, and return the number."""
    handle = os.open(f"{folder}/ran", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, f"{number}\n".encode())
    os.close(handle)
    time.sleep(seconds)
    return number


def _children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def _interchanges() -> list[int]:
    return [
        pid
        for pid in descendants(os.getpid())  # a thread has started it, so it is no child of ours
        if b"htex_interchange" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def _victims(executor: HighThroughputExecutor, kind: str) -> list[int]:
    """Whom to kill; nobody, if it is just being replaced."""
    try:
        manager: int = executor.connected_managers()[0]["pid"]
        zygote = _children(manager)[0]
        found = {
            "worker": [random.choice(_children(zygote))],
            "zygote": [zygote],
            "manager": [manager],
            "interchange": _interchanges()[:1],
            "interchange+manager": [*_interchanges()[:1], manager],
        }
    except (OSError, IndexError):
        return []
    return found[kind]


def one_round(executor: HighThroughputExecutor, kind: str) -> float:
    """Submit, kill, check. Returns the seconds beyond the work left until all had resolved."""
    with tempfile.TemporaryDirectory() as folder:
        futures = [executor.submit(mark, folder, number, TAKES) for number in range(TASKS)]
        _, pending = wait(futures[: random.randrange(TASKS // 2)], timeout=PATIENCE)
        if pending:
            msg = f"{len(pending)} futures are pending after {PATIENCE:g} s, before any harm"
            raise Broken(msg)
        until = time.monotonic() + PATIENCE
        while not (victims := _victims(executor, kind)):
            if time.monotonic() > until:
                msg = f"there was no {kind} for {PATIENCE:g} s"
                raise Broken(msg)
            time.sleep(0.01)
        left = sum(not future.done() for future in futures) * TAKES / WORKERS
        began = time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        done, pending = wait(futures, timeout=PATIENCE)
        beyond = time.monotonic() - began - left
        _check(kind, folder, beyond, [future.exception() for future in done], len(pending))
        again = executor.submit(mark, folder, TASKS, 0.0)
        if again.result(PATIENCE) != TASKS:
            msg = f"a task after the death of the {kind} returned something else"
            raise Broken(msg)
        return max(0.0, beyond)


def _check(
    kind: str, folder: str, beyond: float, errors: list[BaseException | None], pending: int
) -> None:
    if pending:
        msg = f"{pending} futures are pending {PATIENCE:g} s after the {kind} died"
        raise Broken(msg)
    ran = Counter(Path(folder, "ran").read_text().split())
    if twice := [number for number, count in ran.items() if count > 1]:
        msg = f"after the {kind} died these ran twice: {', '.join(twice)}"
        raise Broken(msg)
    failed = [error for error in errors if error is not None]
    if len(failed) > MOST_FAILED[kind]:
        msg = f"{len(failed)} tasks failed for one dead {kind}, the first: {failed[0]!r}"
        raise Broken(msg)
    if beyond > PROMISED + NOISE:
        msg = f"after the {kind} died it took {beyond:.1f} s beyond the work left"
        raise Broken(msg)


def one_executor(transport: str, figures: dict[str, list[float]]) -> None:
    """Some rounds with one executor; afterwards nothing may be left of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        executor = HighThroughputExecutor(
            label="soak", max_workers_per_node=WORKERS, address=TRANSPORTS[transport]
        )
        executor.start(Site(run_dir=Path(directory)))
        try:
            for _ in range(ROUNDS):
                kind = random.choice(sorted(MOST_FAILED))
                figures.setdefault(f"{kind}, {transport}", []).append(one_round(executor, kind))
        finally:
            below = descendants(os.getpid())
            executor.close()
        until = time.monotonic() + PROMISED + NOISE
        while left := [pid for pid in below if alive(pid)]:
            if time.monotonic() > until:
                msg = f"processes are left after close: {left}"
                raise Broken(msg)
            time.sleep(0.01)


def report(figures: dict[str, list[float]], began: float, resident: tuple[int, int]) -> None:
    """Print what was measured, as a table for docs/reliability.md."""
    deaths = sum(map(len, figures.values()))
    print(f"\n{deaths} deaths, {deaths * TASKS} tasks, {time.monotonic() - began:.0f} s")
    print("\n| killed | deaths | median beyond the work left | worst |\n|---|---|---|---|")
    for name, some in sorted(figures.items()):
        print(f"| {name} | {len(some)} | {statistics.median(some):.2f} s | {max(some):.2f} s |")
    print(f"\nmemory of the program: {resident[0]} MiB after the first executor, {resident[1]} MiB")
    print(f"open descriptors at the end: {len(os.listdir('/proc/self/fd'))}")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def main() -> int:
    """Run rounds until the time is over, or a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    figures: dict[str, list[float]] = {}
    first = 0
    while time.monotonic() - began < options.seconds:
        try:
            one_executor(random.choice(sorted(TRANSPORTS)), figures)
        except Broken as broken:
            print(f"broken: {broken}\nreplay with --seed {options.seed}", file=sys.stderr)
            return 1
        first = first or _resident()
        print(".", end="", flush=True)
    report(figures, began, (first, _resident()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
