"""Many seeds, long: ``python -m tests.simulation.soak --seeds 2000 --events 10000``.

A seed that fails is printed with the line that replays it; the exit status says whether any did.
"""

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter, deque

from tests.simulation.clockwork import Step
from tests.simulation.world import Machines, Summary, World

__all__ = ["main", "run_seed"]

STEPS_SHOWN = 10_000
BYTES_SHOWN = 40


def run_seed(
    seed: int,
    events: int,
    machines: Machines | None = None,
    trail: deque[Step] | None = None,
) -> Summary:
    """Run one seed; whatever fails says how to see it again. The trail gets every step."""
    world = World(seed, machines)
    world.clockwork.trail = trail
    try:
        return world.run(events)
    except Exception as error:
        error.add_note(f"seed {seed}, after {world.clockwork.events} of {events} events; replay:")
        error.add_note(f"  python -m tests.simulation.soak --first {seed} --seeds 1 "
                       f"--events {events} --trail")  # fmt: skip
        raise


def _try(seed_events: tuple[int, int]) -> tuple[int, Summary | None, str]:
    seed, events = seed_events
    try:
        return seed, run_seed(seed, events), ""
    except Exception:
        return seed, None, traceback.format_exc()


def _brief(fact: object) -> str:
    """As ``repr`` has it, but bytes stay short: a form may have megabytes, at every step."""
    if isinstance(fact, bytes):
        return repr(fact) if len(fact) <= BYTES_SHOWN else f"<{len(fact)} bytes>"
    if isinstance(fact, list | tuple):
        name = "" if type(fact) in (list, tuple) else type(fact).__name__
        return f"{name}[{', '.join(map(_brief, fact))}]"
    if isinstance(fact, dict):
        return "{" + ", ".join(f"{key}: {_brief(fact[key])}" for key in fact) + "}"
    return repr(fact)


def _show(seed: int, events: int) -> int:
    trail: deque[Step] = deque(maxlen=STEPS_SHOWN)
    try:
        print(run_seed(seed, events, trail=trail))
    except Exception:
        for at, who, what, facts in trail:
            print(f"{at:12.5f} {who:10} {what}", *map(_brief, facts))
        traceback.print_exc()
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Run the seeds that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=int(time.time()), help="the first seed")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--trail", action="store_true", help="show what led to the failure")
    chosen = parser.parse_args(arguments)
    if chosen.trail:
        return _show(chosen.first, chosen.events)
    began = time.monotonic()
    seeds = [(seed, chosen.events) for seed in range(chosen.first, chosen.first + chosen.seeds)]
    failed, events, seconds = [], 0, 0.0
    bounds, early, drains, alive, living = 0, 0, 0, 0.0, 0.0
    faults: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    with multiprocessing.get_context("spawn").Pool(chosen.processes) as pool:
        for seed, summary, why in pool.imap_unordered(_try, seeds, chunksize=4):
            if summary is None:
                failed.append(seed)
                print(why, flush=True)
                continue
            events += summary.events
            seconds += summary.seconds
            bounds += summary.bounds
            early += summary.said_too_early
            drains += summary.drains
            alive += summary.tasks_alive
            living += summary.managers_alive
            faults.update(summary.faults)
            outcomes.update(summary.outcomes)
            endings[summary.ending] += 1
    took = time.monotonic() - began
    print(
        f"{len(seeds)} seeds from {chosen.first}, {events} events, {seconds / 3600:.1f} virtual "
        f"hours in {took:.0f} s; {bounds} bounds measured, {early} tasks said too early to run, "
        f"{drains} managers drained; on average "
        f"{alive / len(seeds):.0f} tasks and {living / len(seeds):.1f} managers alive"
    )
    print(f"{len(failed)} seeds failed: {sorted(failed)}")
    for name, counts in (("faults", faults), ("outcomes", outcomes), ("endings", endings)):
        print(f"{name}:", ", ".join(f"{key} {count}" for key, count in counts.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
