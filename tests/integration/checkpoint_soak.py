"""Kill campaigns for a long time: ``python -m tests.integration.checkpoint_soak [ROUNDS [TASKS]]``.

At each level of durability a program is killed and resumed ROUNDS times; then everything is killed
in the middle of TASKS tasks on htex. It ends with the first promise that is broken.
"""

import random
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


if __name__ == "__main__":
    main()
