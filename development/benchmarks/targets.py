"""The targets of ``docs/design.md``, each with what decides whether a run meets it."""

from collections.abc import Callable
from typing import NamedTuple

import rows
from results import Results
from subjects import ALONE, CHECKPOINTS, HTEX, PARSL_HTEX, PARSL_THREADS, POOL, THREAD_POOL, THREADS

MILLION = 1_000_000
LONG_QUEUE = 100_000
POOL_OF_TARGET = 7000  # tasks/s of the process pool on the machine that a target speaks of


class Target(NamedTuple):
    """A bound for one number of a run."""

    name: str
    bound: float
    unit: str
    value: Callable[[Results], float | None]
    at_least: bool = False
    needs: Callable[[Results], str] = lambda results: ""
    """What this run lacks for the verdict to be the real one, if anything."""

    def met(self, results: Results) -> bool | None:
        """Whether it is met; None if it was not measured."""
        value = self.value(results)
        if value is None:
            return None
        return value >= self.bound if self.at_least else value <= self.bound


def _median(subject: str, row: str) -> Callable[[Results], float | None]:
    return lambda results: results.median(subject, row)


def _over(subject: str, row: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: results.over(subject, row, other)


def kernel_share(results: Results) -> float | None:
    """The kernel's µs per task, as they would be where the process pool does 7,000 tasks/s."""
    share = results.median(ALONE, rows.KERNEL)
    pool = results.median(POOL, rows.THROUGHPUT)
    return None if share is None or pool is None else share * pool / POOL_OF_TARGET


def memo_share(results: Results) -> float | None:
    """What memo and checkpoint add per task, in µs, where the pool does 7,000 tasks/s."""
    added = results.median(CHECKPOINTS, rows.MEMO_ADDED)
    pool = results.median(POOL, rows.THROUGHPUT)
    return None if added is None or pool is None else added * pool / POOL_OF_TARGET


def _a_million(series: str) -> Callable[[Results], str]:
    """Say with how few tasks a run has made do that should have taken a million."""

    def needs(results: Results) -> str:
        found = results.series.get(HTEX, {}).get(series)
        points = found["program"] if isinstance(found, dict) else found
        most = max((count for count, _ in points), default=0) if points else 0
        return "" if most >= MILLION else f"with {most:,} tasks only"

    return needs


def _queued(results: Results) -> str:
    longest = results.series.get(HTEX, {}).get(rows.LONG_QUEUE, 0)
    return "" if longest >= LONG_QUEUE else f"with {longest:,} queued only"


TARGETS = [
    Target(
        "no-op tasks/s, kernel + htex, over ProcessPoolExecutor",
        2.5, "x", _over(HTEX, rows.THROUGHPUT, POOL), at_least=True,
    ),
    Target(
        "no-op tasks/s, kernel + htex, over Parsl htex",
        20, "x", _over(HTEX, rows.THROUGHPUT, PARSL_HTEX), at_least=True,
    ),
    Target("kernel's share per no-op task, at a pool of 7,000/s", 25, "µs", kernel_share),
    Target("client machine alone", 8, "µs", _median(ALONE, rows.CLIENT)),
    Target("interchange machine alone", 4, "µs", _median(ALONE, rows.INTERCHANGE)),
    Target("manager machine alone", 6, "µs", _median(ALONE, rows.MANAGER)),
    Target(
        "no-op tasks/s, kernel + threads, over Parsl threads",
        4, "x", _over(THREADS, rows.THROUGHPUT, PARSL_THREADS), at_least=True,
    ),
    Target(
        "no-op tasks/s, kernel + threads, over ThreadPoolExecutor",
        0.5, "x", _over(THREADS, rows.THROUGHPUT, THREAD_POOL), at_least=True,
    ),
    Target(
        "p50 latency, kernel + htex, over ProcessPoolExecutor",
        2, "x", _over(HTEX, rows.LATENCY, POOL),
    ),
    Target(
        "p50 latency, kernel + htex, over Parsl htex",
        0.2, "x", _over(HTEX, rows.LATENCY, PARSL_HTEX),
    ),
    Target("program start to first htex result", 0.8, "s", _median(HTEX, rows.START_UP)),
    Target("import lamina.flow", 0.25, "s", _median(HTEX, rows.IMPORT)),
    Target("client memory per pending no-op task", 2000, "B", _median(HTEX, rows.PENDING)),
    Target("client memory per finished no-op task", 200, "B", _median(HTEX, rows.FINISHED)),
    Target(
        "time per task at 10⁶ tasks over 10³",
        1.5, "x", _median(HTEX, rows.COST_TASKS), needs=_a_million(rows.PER_TASK),
    ),
    Target(
        "time per task with 10⁵ queued over 10³",
        1.5, "x", _median(HTEX, rows.COST_QUEUE), needs=_queued,
    ),
    Target(
        "interchange machine with 10,000 managers over 10",
        1.5, "x", _median(ALONE, rows.COST_MANAGERS),
    ),
    Target(
        "mixed 1 ms and 2 s tasks, makespan over the ideal",
        1.1, "x", _median(HTEX, rows.MIXED),
    ),
    Target("memo and checkpoint, added per task, at a pool of 7,000/s", 60, "µs", memo_share),
    Target(
        "10⁶ tasks, at most 10⁴ outstanding: growth of any process",
        8, "MB", _median(HTEX, rows.STREAM), needs=_a_million(rows.STREAM_MEMORY),
    ),
    Target(
        "10⁶ tasks at once: client memory per task",
        2000, "B", _median(HTEX, rows.AT_ONCE), needs=_a_million(rows.AT_ONCE_MEMORY),
    ),
    Target(
        "10⁶ tasks at once: growth of any other process",
        8, "MB", _median(HTEX, rows.AT_ONCE_ELSEWHERE), needs=_a_million(rows.AT_ONCE_MEMORY),
    ),
]  # fmt: skip
