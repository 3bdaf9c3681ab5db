"""The benchmark: throughput, latency, chain, tree, start-up, import time and memory.

Machines are noisy, so only ratios from one run mean anything; the standard library's
``ProcessPoolExecutor`` is measured in each. Prints a Markdown table, and writes JSON with
``--json FILE``. ``--tasks N`` scales it, ``--rounds N`` repeats each figure for its median.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from noop import add, hold, noop

from lamina.apps import python_app
from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel

Submit: TypeAlias = Callable[..., Future[Any]]
WORKERS = 2
HOLD = 2.0  # seconds; longer than submitting the tasks takes


class Subject:
    """Something that runs functions: how to call one, and how to depend on a future."""

    def __init__(self, submit: Submit, add: Submit, hold: Submit, dataflow: bool) -> None:
        self.submit, self.add, self.hold, self.dataflow = submit, add, hold, dataflow


@contextmanager
def pool() -> Iterator[Subject]:
    """The standard library's process pool, for scale."""
    with ProcessPoolExecutor(WORKERS) as executor:
        yield Subject(
            lambda: executor.submit(noop),
            lambda a, b: executor.submit(add, a, b),
            lambda seconds: executor.submit(hold, seconds),
            dataflow=False,
        )


@contextmanager
def kernel_on(executor: Any) -> Iterator[Subject]:
    """A kernel of ours on one executor."""
    with tempfile.TemporaryDirectory() as directory:
        kernel = DataFlowKernel(Config(executors=[executor], run_dir=directory))
        try:
            yield Subject(
                python_app(noop, data_flow_kernel=kernel),
                python_app(add, data_flow_kernel=kernel),
                python_app(hold, data_flow_kernel=kernel),
                dataflow=True,
            )
        finally:
            kernel.close()


def threads() -> Any:
    """Kernel and threads."""
    return kernel_on(ThreadPoolExecutor(max_threads=WORKERS))


def htex_unix() -> Any:
    """Kernel and htex, manager on a Unix socket."""
    return kernel_on(HighThroughputExecutor(label="htex", max_workers_per_node=WORKERS))


def htex_tcp() -> Any:
    """Kernel and htex, manager on tcp with CURVE."""
    executor = HighThroughputExecutor(
        label="htex", max_workers_per_node=WORKERS, address="127.0.0.1"
    )
    return kernel_on(executor)


SUBJECTS = {
    "ProcessPoolExecutor": pool,
    "threads": threads,
    "htex, Unix socket": htex_unix,
    "htex, tcp + CURVE": htex_tcp,
}


def throughput(subject: Subject, tasks: int) -> float:
    """No-op tasks per second, from the first submission to the last result."""
    began = time.perf_counter()
    for future in [subject.submit() for _ in range(tasks)]:
        future.result()
    return tasks / (time.perf_counter() - began)


def latency(subject: Subject, tasks: int) -> float:
    """The median time of one task alone, in milliseconds."""
    taken = []
    for _ in range(max(50, tasks // 50)):
        began = time.perf_counter()
        subject.submit().result()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def chain(subject: Subject, tasks: int) -> float:
    """Links of a chain per second, each of which needs the one before."""
    links = max(50, tasks // 20)
    began = time.perf_counter()
    last: Any = 0
    for _ in range(links):
        last = subject.add(last, 1)
    assert last.result() == links
    return links / (time.perf_counter() - began)


def tree(subject: Subject, tasks: int) -> float:
    """Tasks per second of a binary tree that sums its leaves."""
    leaves = 1 << max(5, (tasks // 10).bit_length())
    began = time.perf_counter()
    level: list[Any] = [1] * leaves
    count = 0
    while len(level) > 1:
        level = [subject.add(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
        count += len(level)
    assert level[0].result() == leaves
    return count / (time.perf_counter() - began)


def memory_per_pending(subject: Subject, tasks: int) -> float:
    """Bytes of the program's memory for each task that waits, with its future."""
    busy = [subject.hold(HOLD) for _ in range(WORKERS)]
    before = _resident()
    held = [subject.submit() for _ in range(tasks)]
    grown = _resident() - before
    for future in busy + held:
        future.result()
    return grown / tasks


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def startup(make: Callable[[], Any]) -> float:
    """Seconds from nothing to the first result."""
    began = time.perf_counter()
    with make() as subject:
        subject.submit().result()
        return time.perf_counter() - began


def import_time() -> float:
    """Seconds that ``import lamina.flow`` adds to the start of an interpreter."""

    def run(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    least = min(run("import lamina.flow") for _ in range(5))
    return least - min(run("pass") for _ in range(5))


FIGURES: dict[str, tuple[Callable[[Subject, int], float], str, bool]] = {
    # First, while the heap has not been grown by anything else.
    "memory per unresolved task": (memory_per_pending, "B", False),
    "no-op throughput": (throughput, "tasks/s", False),
    "latency, p50": (latency, "ms", False),
    "chain": (chain, "tasks/s", True),
    "tree": (tree, "tasks/s", True),
}


def measure(tasks: int, rounds: int) -> dict[str, dict[str, float]]:
    """All figures of all subjects, each the median of its rounds."""
    results: dict[str, dict[str, float]] = {}
    for name, make in SUBJECTS.items():
        found = results[name] = {}
        found["start-up, s"] = statistics.median(startup(make) for _ in range(rounds))
        with make() as subject:
            subject.submit().result()  # everything has been imported once
            for figure, (function, unit, needs_dataflow) in FIGURES.items():
                if subject.dataflow or not needs_dataflow:
                    times = 1 if function is memory_per_pending else rounds
                    values = [function(subject, tasks) for _ in range(times)]
                    found[f"{figure}, {unit}"] = statistics.median(values)
    return results


def table(results: dict[str, dict[str, float]]) -> str:
    """The results in Markdown, with each throughput beside that of the process pool."""
    rows = list(dict.fromkeys(row for found in results.values() for row in found))
    lines = ["| figure | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for row in rows:
        cells = []
        scale = results["ProcessPoolExecutor"].get(row)
        for found in results.values():
            value = found.get(row)
            if value is None:
                cells.append("-")
            elif scale and found is not results["ProcessPoolExecutor"]:
                cells.append(f"{value:,.4g} (x {value / scale:.2f})")
            else:
                cells.append(f"{value:,.4g}")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = measure(options.tasks, options.rounds)
    print(table(results))
    print(f"\nimport lamina.flow: {import_time():.3f} s")
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
