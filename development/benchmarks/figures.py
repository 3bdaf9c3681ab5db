"""The figures, one function each: what is done with a system that runs, and what is looked at.

This module knows no system and needs the standard library alone, for it runs in the
environment of each peer. How many tasks a figure takes follows from how fast the system is.
"""

import gc
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from memory import Watch, resident
from noop import add, echo, gate, hold, noop, same
from rows import (
    AT_ONCE,
    AT_ONCE_ELSEWHERE,
    AT_ONCE_MEMORY,
    CHAIN,
    CLIENT_CPU,
    COST_QUEUE,
    COST_TASKS,
    FINISHED,
    IMPORT,
    LATENCY,
    LATENCY_95,
    LONG_QUEUE,
    MEMO,
    MEMO_ADDED,
    MIXED,
    PAYLOAD,
    PENDING,
    PER_TASK,
    STREAM,
    STREAM_MEMORY,
    THROUGHPUT,
    TREE,
    Found,
)
from subjects import WORKERS, Runner, Submit

MEGABYTE = 10**6
LONG, SHORT = 2.0, 0.001  # seconds; the tasks of the mixed workload
LONG_TASKS, SHORT_TASKS = 2, 2000
MEMO_TURNS = 5


class Trial(NamedTuple):
    """A system that runs, and how much may be asked of it."""

    runner: Runner
    module: str
    seconds: float
    """For which each figure should run, about."""
    tasks: int
    """The most tasks of a figure."""
    rate: float
    """No-op tasks per second, as a first look has found."""
    looked: int
    """The most tasks at once of that first look, which the heap has room for."""

    def count(self, seconds: float, least: int = 50, most: int | None = None) -> int:
        """How many no-op tasks take so long."""
        most = self.tasks if most is None else most
        return max(least, min(most, int(self.rate * seconds)))


def first_look(runner: Runner, enough: float = 0.1, most: int = 1600) -> tuple[float, int]:
    """No-op tasks per second, and how many that took; everything is warm afterwards."""
    submit = runner.bind(noop)
    tasks = 100
    while True:
        began = time.perf_counter()
        runner.results([submit() for _ in range(tasks)])
        took = time.perf_counter() - began
        if took > enough or tasks >= most:
            return tasks / took, tasks
        tasks *= 4


def import_time(trial: Trial) -> Found:
    """What importing the system adds to the start of an interpreter."""

    def run(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    return {IMPORT: max(0.0, run(f"import {trial.module}") - run("pass"))}


def throughput(trial: Trial) -> Found:
    """All submitted at once, then all waited for; and the processor time of the program."""
    tasks = trial.count(trial.seconds)
    submit = trial.runner.bind(noop)
    cpu, began = time.process_time(), time.perf_counter()
    trial.runner.results([submit() for _ in range(tasks)])
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {THROUGHPUT: tasks / took, CLIENT_CPU: 1e6 * cpu / tasks}


def latency(trial: Trial) -> Found:
    """One task at a time, from submission to result."""
    submit = trial.runner.bind(noop)
    taken: list[float] = []
    until = time.perf_counter() + trial.seconds
    while len(taken) < 30 or time.perf_counter() < until:
        began = time.perf_counter()
        trial.runner.results([submit()])
        taken.append(time.perf_counter() - began)
    taken.sort()
    return {
        LATENCY: 1e3 * taken[len(taken) // 2],
        LATENCY_95: 1e3 * taken[len(taken) * 95 // 100],
    }


def chain(trial: Trial) -> Found:
    """Tasks each of which needs the one before."""
    submit = trial.runner.bind(add)

    def links(count: int) -> float:
        began = time.perf_counter()
        last: Any = 0
        for _ in range(count):
            last = submit(last, 1)
        assert list(trial.runner.results([last])) == [count]
        return time.perf_counter() - began

    few = 20
    count = max(few, min(trial.tasks, int(few * trial.seconds / links(few))))
    return {CHAIN: count / links(count)}


def tree(trial: Trial) -> Found:
    """A binary tree of additions."""
    submit = trial.runner.bind(add)
    leaves = 1 << max(5, trial.count(trial.seconds / 2).bit_length() - 1)
    began = time.perf_counter()
    level: list[Any] = [1] * leaves
    while len(level) > 1:
        level = [submit(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
    assert list(trial.runner.results(level)) == [leaves]
    return {TREE: (leaves - 1) / (time.perf_counter() - began)}


def payload(trial: Trial) -> Found:
    """A megabyte to a task and back, two for each worker under way at a time."""
    submit = trial.runner.bind(echo)
    data = random.Random(1).randbytes(MEGABYTE)
    window: deque[Any] = deque()
    done = 0
    began = time.perf_counter()
    until = began + trial.seconds
    while done < 10 or time.perf_counter() < until:
        while len(window) < 2 * WORKERS:
            window.append(submit(data))
        (back,) = trial.runner.results([window.popleft()])
        assert len(back) == MEGABYTE
        done += 1
    took = time.perf_counter() - began
    trial.runner.results(list(window))
    return {PAYLOAD: 2 * done / took}


def mixed(trial: Trial) -> Found:
    """Long tasks among many short ones: nothing may wait behind a long one for a free worker."""
    durations = [SHORT] * SHORT_TASKS
    for number in range(LONG_TASKS):
        durations.insert((1 + 2 * number) * SHORT_TASKS // 8, LONG)
    real = _real_duration(SHORT)
    ideal = ideal_makespan([real if each == SHORT else each for each in durations], WORKERS)
    submit = trial.runner.bind(hold)
    began = time.perf_counter()
    trial.runner.results([submit(seconds) for seconds in durations])
    return {MIXED: (time.perf_counter() - began) / ideal}


def _real_duration(seconds: float, times: int = 200) -> float:
    """What a short sleep takes on this machine, which is not what was asked for."""
    began = time.perf_counter()
    for _ in range(times):
        hold(seconds)
    return (time.perf_counter() - began) / times


def ideal_makespan(durations: list[float], workers: int) -> float:
    """When the last ends if each task in turn goes to whoever is free first, at no cost."""
    free = [0.0] * workers
    for seconds in durations:
        free.sort()
        free[0] += seconds
    return max(free)


@contextmanager
def _busy(trial: Trial) -> Iterator[Callable[[], None]]:
    """All workers occupied until what this gives is called, or the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        submit = trial.runner.bind(gate)
        gates = [submit(folder, number) for number in range(WORKERS)]
        until = time.monotonic() + 20
        while len(list(Path(folder).glob("began-*"))) < WORKERS:
            if time.monotonic() > until:
                msg = "the workers were not all busy within 20 s"
                raise TimeoutError(msg)
            time.sleep(0.01)
        opened = Path(folder, "open")
        try:
            yield opened.touch
        finally:
            opened.touch()
            trial.runner.results(gates)


def memory_pending(trial: Trial) -> Found:
    """What the program grows by for each task that waits, with its future."""
    submit = trial.runner.bind(noop)
    tasks = trial.count(2 * trial.seconds, least=1000)
    with _busy(trial) as let_go:
        gc.collect()
        first = [submit() for _ in range(trial.looked)]  # they fill what the heap had free
        before = resident()
        held = [submit() for _ in range(tasks)]
        grown = resident() - before
        let_go()
        trial.runner.results(first + held)
    return {PENDING: grown / tasks}


def memory_finished(trial: Trial) -> Found:
    """What the program grows by for each task that is over, its future dropped."""
    tasks = trial.count(2 * trial.seconds, least=2000)
    _stream(trial.runner, tasks // 2, outstanding=1000)  # the heap has its size afterwards
    gc.collect()
    before = resident()
    _stream(trial.runner, tasks, outstanding=1000)
    gc.collect()
    return {FINISHED: (resident() - before) / tasks}


def _stream(runner: Runner, tasks: int, outstanding: int, watch: Watch | None = None) -> None:
    submit: Submit = runner.bind(noop)
    window: deque[Any] = deque()
    for count in range(tasks):
        if len(window) >= outstanding:
            runner.results([window.popleft()])
        window.append(submit())
        if watch is not None and count % watch.every == 0:
            watch.look(count)
    runner.results(list(window))
    if watch is not None:
        watch.look(tasks)


def bounded_queue(trial: Trial) -> Found:
    """Very many tasks, few outstanding: the memory of no process may grow."""
    tasks = max(1000, trial.tasks)
    watch = Watch(tasks)
    _stream(trial.runner, tasks, min(10_000, tasks // 10), watch)
    growth = max(watch.growth(name, after=tasks // 5) for name in watch.seen)
    return {STREAM: growth / MEGABYTE, STREAM_MEMORY: watch.seen}


def all_at_once(trial: Trial) -> Found:
    """Time per task from a thousand tasks to very many, and the memory that the last take."""
    submit = trial.runner.bind(noop)
    counts = [10**power for power in range(3, 7) if 10**power <= max(1000, trial.tasks)]
    most = counts.pop()
    watch = Watch(most)
    before = resident()
    took = _at_once(trial.runner, submit, most, watch)  # first, while the heap is small
    points = [[most, 1e6 * took / most]]
    for tasks in counts:
        # A short run is all noise, so it is made several times.
        times = sorted(_at_once(trial.runner, submit, tasks) for _ in range(1 + 5000 // tasks))
        points.append([tasks, 1e6 * times[len(times) // 2] / tasks])
    points.sort()
    others = [watch.growth(name, after=0) for name in watch.seen if name != "program"]
    peak = max(size for _, size in watch.seen["program"])
    return {
        PER_TASK: points,
        AT_ONCE_MEMORY: watch.seen,
        AT_ONCE: (peak - before) / most,
        AT_ONCE_ELSEWHERE: max(others, default=0) / MEGABYTE,
        COST_TASKS: points[-1][1] / points[0][1],
    }


def _at_once(runner: Runner, submit: Submit, tasks: int, watch: Watch | None = None) -> float:
    began = time.perf_counter()
    held = []
    for count in range(tasks):
        held.append(submit())
        if watch is not None and count % watch.every == 0:
            watch.look(count)
    if watch is None:
        runner.results(held)
    else:  # what grows while the results come must be seen as well
        for first in range(0, tasks, watch.every):
            runner.results(held[first : first + watch.every])
            watch.look(tasks)
    return time.perf_counter() - began


def queue_length(trial: Trial) -> Found:
    """Time per task while a hundred times more, or fewer, are always waiting."""
    tasks = trial.count(2 * trial.seconds, least=1000)
    longest = max(1000, min(100_000, trial.tasks))
    times: list[float] = []
    for queued in (1000, longest):
        submit = trial.runner.bind(noop)
        with _busy(trial) as let_go:
            window = deque(submit() for _ in range(queued))
            let_go()
            began = time.perf_counter()
            for _ in range(tasks):
                trial.runner.results([window.popleft()])
                window.append(submit())
            times.append(time.perf_counter() - began)
            trial.runner.results(list(window))
    return {COST_QUEUE: times[-1] / times[0], LONG_QUEUE: longest}


def memo(trial: Trial) -> Found:
    """Tasks whose results are remembered and written down, beside tasks whose results are not.

    Both take turns, so that a change in the machine's mood meets both. No call was made before.
    """
    assert trial.runner.remember is not None
    tasks = trial.count(trial.seconds / 4, least=200)
    submits = (trial.runner.bind(same), trial.runner.remember(same))
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * MEMO_TURNS):
        submit = submits[turn % 2]
        first = turn * tasks
        began = time.perf_counter()
        trial.runner.results([submit(first + number) for number in range(tasks)])
        took[turn % 2].append(time.perf_counter() - began)
    plain, kept = (sorted(times)[MEMO_TURNS // 2] / tasks for times in took)
    return {MEMO: kept / plain, MEMO_ADDED: 1e6 * (kept - plain)}


class Figure(NamedTuple):
    """A figure, and for whom and how often it is measured."""

    function: Callable[[Trial], Found]
    dataflow: bool = False
    """Only where a handle may be the argument of another task."""
    growth: bool = False
    """Only of those few systems whose growth is looked at."""
    once: bool = False
    """In one round, since it takes long or hardly varies."""
    memo: bool = False
    """Only of those systems that are there for it."""
    fresh: bool = False
    """In a process of its own, whose heap nothing else has grown or shaken out."""


FIGURES = {
    "finished": Figure(memory_finished, once=True, fresh=True),
    "pending": Figure(memory_pending, once=True, fresh=True),
    "throughput": Figure(throughput),
    "latency": Figure(latency),
    "chain": Figure(chain, dataflow=True),
    "tree": Figure(tree, dataflow=True),
    "payload": Figure(payload),
    "import": Figure(import_time),
    "memo": Figure(memo, memo=True),
    "mixed": Figure(mixed, once=True),
    "queue": Figure(queue_length, growth=True, once=True, fresh=True),
    "stream": Figure(bounded_queue, growth=True, once=True, fresh=True),
    "at-once": Figure(all_at_once, growth=True, once=True, fresh=True),
}
