"""The soak: many tasks under repeated kills, for longer than a test may take.

Each round submits tasks to htex, kills a worker, the manager or the interchange at a random
moment, and checks that every future resolves in time, that nothing ran twice, and that new
tasks run afterwards. The seed is printed; ``--seed`` replays the same order of kills.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from concurrent.futures import wait
from pathlib import Path

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor

TASKS = 400
BOUND = 30.0  # seconds for what is left of a round on a noisy machine


def mark(folder: str, number: int, seconds: float) -> int:
    """Leave a line that tells of this run, take a while, and return the number."""
    handle = os.open(f"{folder}/ran", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, f"{number}\n".encode())
    os.close(handle)
    time.sleep(seconds)
    return number


def _below(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listing.split()]


def _victim(executor: HighThroughputExecutor, kind: str) -> int | None:
    managers = executor.connected_managers()
    if not managers:
        return None
    manager: int = managers[0]["pid"]
    try:
        if kind == "manager":
            return manager
        if kind == "worker":
            return random.choice(_below(_below(manager)[0]))
        for stat in Path("/proc").glob("[0-9]*/cmdline"):
            said = stat.read_bytes()
            if b"htex_interchange" in said and int(stat.parent.name) in _below(os.getpid()):
                return int(stat.parent.name)
    except (OSError, IndexError):
        pass  # it has just been killed; the next moment will do
    return None


def one_round(executor: HighThroughputExecutor, kind: str) -> float:
    """Submit, kill, check. Returns seconds from the kill to the last future."""
    with tempfile.TemporaryDirectory() as folder:
        pause = 0.01
        futures = [executor.submit(mark, folder, number, pause) for number in range(TASKS)]
        time.sleep(random.uniform(0.0, TASKS * pause / 4))
        victim = _victim(executor, kind)
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        done, left = wait(futures, timeout=BOUND)
        assert not left, f"{len(left)} futures are pending {BOUND:g} s after the {kind} died"
        ran = Path(folder, "ran").read_text().split()
        assert len(ran) == len(set(ran)), f"something ran twice after the {kind} died"
        failed = [future for future in done if future.exception() is not None]
        assert len(failed) <= 2 * 8, f"{len(failed)} tasks failed for one dead {kind}"
        return time.monotonic() - began


def main() -> None:
    """Run rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    until = time.monotonic() + options.seconds
    rounds: dict[str, int] = {}
    slowest: dict[str, float] = {}
    while time.monotonic() < until:
        # A new executor every few rounds: more than three deaths a minute end one, by design.
        with tempfile.TemporaryDirectory() as directory:
            executor = HighThroughputExecutor(label="soak", max_workers_per_node=2)
            executor.start(Site(run_dir=Path(directory)))
            try:
                for _ in range(3):
                    kind = random.choice(["worker", "manager", "interchange"])
                    slowest[kind] = max(slowest.get(kind, 0.0), one_round(executor, kind))
                    rounds[kind] = rounds.get(kind, 0) + 1
            finally:
                executor.close()
    for kind, count in sorted(rounds.items()):
        print(f"{kind}: {count} deaths, the slowest round {slowest[kind]:.1f} s")


if __name__ == "__main__":
    main()
