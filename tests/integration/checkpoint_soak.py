"""Kill campaigns for a long time: ``python -m tests.integration.checkpoint_soak [ROUNDS [TASKS]]``.

At each level of durability a program is killed and resumed ROUNDS times; then everything is killed
in the middle of TASKS tasks on htex. It ends with the first promise that is broken.
"""

import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.integration.campaigns import LEVELS, Round, killed_and_resumed


def one_round(count: int, level: str, engine: str, seed: int) -> Round:
    """One campaign, killed and resumed; nothing is left of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = killed_and_resumed(Path(folder), count, level, engine, random.Random(seed))
    lost = found.resolved - found.recorded
    assert level == "close" or not lost, f"{len(lost)} results were lost at level {level!r}"
    return found


FILL = """
import os, signal, sys
from hashlib import blake2b
from pathlib import Path
from lamina.memo import StoredResult
from lamina.memo_log import LogResultStore
from lamina.vocabulary import SystemClock
run, count = Path(sys.argv[1]), int(sys.argv[2])
run.mkdir(parents=True)
store = LogResultStore()
store.open(run, SystemClock())
for first in range(0, count, 1000):
    store.put([
        StoredResult(blake2b(b"%d" % n, digest_size=20).digest(), "t", 1.0, "value", [b"x" * 50])
        for n in range(first, first + 1000)
    ])
if sys.argv[3] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
store.close()
"""
OPEN = """
import resource, sys, time
from hashlib import blake2b
from pathlib import Path
from lamina.memo_log import LogResultStore
from lamina.vocabulary import SystemClock
run, count = Path(sys.argv[1]), int(sys.argv[2])
run.mkdir(parents=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, worked = time.monotonic(), time.process_time()
store = LogResultStore()
store.open(run, SystemClock())
took, worked = time.monotonic() - began, time.process_time() - worked
new = store._index.unpublished
assert store.get(blake2b(b"%d" % (count - 1), digest_size=20).digest())
print(took, worked, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, new)
store.close()
"""


def many(count: int, end: str) -> None:
    """Fill a store, open it from another process, and say how long that takes."""
    with tempfile.TemporaryDirectory() as folder:
        for number, program in enumerate((FILL, OPEN)):
            words = [sys.executable, "-c", program, f"{folder}/{number:03d}", str(count), end]
            done = subprocess.run(words, check=False, capture_output=True, text=True)
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
    took, worked, grown, new = map(float, done.stdout.split())
    print(
        f"a store of {count:,} records whose program was {end} opens in {took:.2f} s, "
        f"{worked:.2f} s of a processor, and {grown:.0f} MiB; {new:,.0f} were in no index",
        flush=True,
    )
    assert worked < 2  # of a processor: how many others want one is not our affair
    assert grown < 50


def main() -> None:
    """Run all rounds, and say what was lost."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    for level in LEVELS:
        lost = []
        for seed in range(rounds):
            found = one_round(500, level, "threads", seed)
            lost.append(len(found.resolved - found.recorded))
        print(f"{level}: {rounds} rounds, results lost in each: {sorted(lost)}", flush=True)
    found = one_round(tasks, "interval", "htex", 0)
    print(
        f"everything killed with {len(found.resolved)} of {tasks} tasks done: "
        f"{len(found.recorded)} were recorded, {len(found.again)} executed again",
        flush=True,
    )
    for end in ("closed", "killed"):
        many(1_000_000, end)


if __name__ == "__main__":
    main()
