"""The benchmark: Lamina and its peers, side by side in one run.

Each system lives in an environment of its own (``make bench-peers``), and each trial is a
process that starts one system, measures figures, and ends. A round measures every system once,
so that a change in the machine's mood meets all of them; only ratios within one run mean
anything. Writes ``results.json``, ``results.md`` and ``scaling.svg`` below ``build/benchmark``.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alone import PARTS
from driver import Order, run_trial
from figures import FIGURES
from peers import ROOT, left_out
from plot import scaling
from report import markdown
from results import Results
from subjects import ALONE, SUBJECTS

PARTS_TASKS = 100 * 1000  # of a machine alone, which takes a few µs for each
GROWTH_SHARE = 10  # how many times more tasks a figure of growth takes than any other may
PATIENCE = 120.0  # seconds for a trial of figures that take a second each
LONG_PATIENCE = 900.0  # seconds for one of a million tasks


def main() -> None:
    """Measure, write and print."""
    options = _options()
    results = Results()
    for subject in options.subjects:
        if subject != ALONE and (why := left_out(SUBJECTS[subject].peer)):
            results.left_out[subject] = why
    load = os.getloadavg()[0]
    rounds = _rounds(results, options)
    facts = {
        "when": datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load": load,
        "load_after": os.getloadavg()[0],
        "rounds": rounds,
        "seconds": options.seconds,
        "tasks": options.tasks,
        "versions": {name: version for name, version in results.versions.items() if version},
    }
    _write(options.out, results, facts)


def _rounds(results: Results, options: argparse.Namespace) -> int:
    """Measure in rounds, as many as were asked for and the time allows. Returns how many."""
    began, took = time.monotonic(), 0.0
    for number in range(options.rounds):
        before = time.monotonic()
        # The first round is the longest, for it has the figures that are measured once.
        if number and before - began + took > 60 * options.minutes:
            print(f"no time is left for round {number + 1}", file=sys.stderr)
            return number
        for subject in options.subjects:
            if subject not in results.left_out:
                _measure(results, options, subject, number)
        took = (time.monotonic() - before) * (1.0 if number else 0.5)
    return int(options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="half an hour, and a million tasks")
    parser.add_argument("--rounds", type=int, help="3, or 5 with --full")
    parser.add_argument(
        "--minutes", type=float, help="no round begins beyond: 6, or 30 with --full"
    )
    parser.add_argument("--seconds", type=float, help="for one figure: 0.5, or 2 with --full")
    parser.add_argument("--tasks", type=int, help="for growth: 100,000, or a million with --full")
    parser.add_argument("--subjects", help="parts of names, with commas between them")
    parser.add_argument("--figures", help=f"some of {', '.join([*FIGURES, *PARTS])}")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark")
    options = parser.parse_args()
    full = options.full
    options.rounds = options.rounds or (5 if full else 3)
    options.minutes = options.minutes or (30.0 if full else 6.0)
    options.seconds = options.seconds or (2.0 if full else 0.5)
    options.tasks = options.tasks or (1_000_000 if full else 100_000)
    wanted = [part.strip() for part in (options.subjects or "").split(",")]
    options.subjects = [
        name for name in [*SUBJECTS, ALONE] if any(part.lower() in name.lower() for part in wanted)
    ]
    names = [*FIGURES, *PARTS]
    options.figures = options.figures.split(",") if options.figures else names
    if unknown := [name for name in options.figures if name not in names]:
        parser.error(f"no such figure: {', '.join(unknown)}")
    return options


def _measure(results: Results, options: argparse.Namespace, subject: str, number: int) -> None:
    """One subject in one round."""
    for order in _orders(options, subject, number):
        shown = ", ".join(order.figures) or "start"
        print(f"round {number + 1}: {subject}: {shown}", file=sys.stderr, flush=True)
        for said in run_trial(order):
            if "found" in said:
                results.add(subject, said["found"])
            else:
                results.failures.append(f"{subject}, {said['figure']}: {said['error']}")


def _orders(options: argparse.Namespace, subject: str, number: int) -> list[Order]:
    """The trials of one subject in one round."""
    chosen = options.figures
    if subject == ALONE:
        parts = [name for name in PARTS if name in chosen]
        return [Order(ALONE, "", parts, 0.0, PARTS_TASKS, PATIENCE)] if parts else []
    about = SUBJECTS[subject]
    due = [
        (name, figure)
        for name, figure in FIGURES.items()
        if name in chosen
        and (number == 0 or not figure.once)
        and (about.dataflow or not figure.dataflow)
        and about.memo == figure.memo
    ]
    few = max(1000, options.tasks // GROWTH_SHARE)
    together = [name for name, figure in due if not figure.fresh]
    orders = [Order(subject, about.peer, together, options.seconds, few, PATIENCE)]
    for name, figure in due:
        if figure.growth and about.growth:
            orders.append(
                Order(subject, about.peer, [name], options.seconds, options.tasks, LONG_PATIENCE)
            )
        elif figure.fresh and not figure.growth:
            orders.append(Order(subject, about.peer, [name], options.seconds, few, PATIENCE))
    return orders


def _write(folder: Path, results: Results, facts: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = markdown(results, facts)
    everything = {**facts, **results.as_json()}
    (folder / "results.json").write_text(
        json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "results.md").write_text(report, encoding="utf-8")
    drawing = folder / "scaling.svg"
    drawing.unlink(missing_ok=True)
    if results.series:
        drawing.write_text(scaling(results), encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
