"""Which task is next and which node gets it, on real processes; and that no worker is idle."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.executors import Call, News, Outcome, Site, TaskRequest
from lamina.executors_htex import HighThroughputExecutor
from lamina.htex_core import (
    BlockIdManagerSelector,
    FewestFreeManagerSelector,
    ManagerSelector,
    MostFreeManagerSelector,
    QueuedTask,
    RandomManagerSelector,
    ShortestFirst,
    TurnManagerSelector,
)
from lamina.providers import LocalProvider
from lamina.vocabulary import AttemptId

PATIENCE = 30.0  # seconds


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def running(
    base: Path, nodes: int = 2, workers: int = 2, **settings: Any
) -> Iterator[HighThroughputExecutor]:
    """An executor whose nodes are all there."""
    provider = LocalProvider(init_blocks=nodes, min_blocks=nodes, max_blocks=nodes)
    executor = HighThroughputExecutor(provider=provider, max_workers_per_node=workers, **settings)
    executor.start(Site(run_dir=base))
    try:
        eventually(lambda: len(executor.connected_managers()) == nodes)
        yield executor
    finally:
        executor.close(5.0)


def stay(gate: str) -> int:
    """Say which node this is, once the gate is there."""
    while not Path(gate).exists():
        time.sleep(0.01)
    return os.getppid()


@pytest.mark.parametrize(
    "selector, nodes",
    [
        (None, 2),
        (TurnManagerSelector(), 2),
        (MostFreeManagerSelector(), 2),
        (FewestFreeManagerSelector(), 1),
        (BlockIdManagerSelector(), 1),
    ],
)
def test_the_selector_says_on_how_many_nodes_two_tasks_run(
    tmp_path: Path, selector: ManagerSelector | None, nodes: int
) -> None:
    gate = tmp_path / "gate"
    with running(tmp_path, manager_selector=selector) as executor:
        futures = [executor.submit(stay, str(gate)) for _ in range(2)]
        gate.touch()
        assert len({future.result(PATIENCE) for future in futures}) == nodes


def test_with_a_random_selector_everything_runs(tmp_path: Path) -> None:
    with running(tmp_path, manager_selector=RandomManagerSelector()) as executor:
        assert sum(executor.map(abs, range(100), timeout=PATIENCE)) == 4950


def test_a_selector_of_ones_own_is_made_in_the_interchange(tmp_path: Path) -> None:
    selector = Always(node=1)
    gate = tmp_path / "gate"
    with running(tmp_path, manager_selector=selector) as executor:
        futures = [executor.submit(stay, str(gate)) for _ in range(2)]
        gate.touch()
        assert len({future.result(PATIENCE) for future in futures}) == 1


@attrs.define(eq=False)
class Always(TurnManagerSelector):
    """One manager, as long as it has room."""

    node: int

    def choose(self, hints: Any, chance: float) -> str:
        return sorted(self._turn)[self.node % len(self._turn)]


def outcomes_of(news: Sequence[News]) -> list[Outcome]:
    return [each for each in news if isinstance(each, Outcome)]


def launched(
    executor: HighThroughputExecutor, log: Path, tasks: list[TaskRequest], gate: Path
) -> list[str]:
    """The names of tasks in the order in which one worker ran them, all submitted at once."""
    news: list[News] = []
    first = TaskRequest(AttemptId(0), Call(stay, (str(gate),)), priority=1, hints={"cost": -999})
    for task in [first, *tasks]:
        executor.launch([task], news.extend)
    gate.touch()
    eventually(lambda: len(outcomes_of(news)) == len(tasks) + 1)
    assert [each for each in outcomes_of(news) if each.failure] == []
    return log.read_text().split()


def note(log: str, name: str) -> None:
    with Path(log).open("a") as file:
        file.write(f"{name}\n")


def noting(log: Path, number: int, **options: Any) -> TaskRequest:
    name = f"t{number}"
    call = Call(note, (str(log), name))
    return TaskRequest(AttemptId(number), call, name=name, **options)


def test_the_shortest_is_next_of_those_that_the_program_still_holds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tasks = [noting(log, number, expected=float(100 - number)) for number in range(1, 61)]
    with running(tmp_path, nodes=1, workers=1, queue_order=ShortestFirst()) as executor:
        ran = launched(executor, log, tasks, tmp_path / "gate")
    # The interchange has the first 16 and what fits in the slots; the rest is here.
    held = [int(name[1:]) for name in ran[-25:]]
    assert held == sorted(held, reverse=True)


def test_an_order_is_any_object_and_sees_the_hints(tmp_path: Path) -> None:
    class Cheapest:
        def key(self, task: QueuedTask) -> Any:
            return task.hints["cost"]

    log = tmp_path / "log"
    tasks = [noting(log, number, hints={"cost": -number}) for number in range(1, 61)]
    with running(tmp_path, nodes=1, workers=1, queue_order=Cheapest()) as executor:
        ran = launched(executor, log, tasks, tmp_path / "gate")
    assert ran.index("t60") < ran.index("t40")


def test_a_task_without_a_usable_key_fails_alone(tmp_path: Path) -> None:
    class Choosy:
        def key(self, task: QueuedTask) -> Any:
            return task.hints["cost"]

    log = tmp_path / "log"
    news: list[News] = []
    with running(tmp_path, nodes=1, workers=1, queue_order=Choosy()) as executor:
        executor.launch([noting(log, 1), noting(log, 2, hints={"cost": 1})], news.extend)
        eventually(lambda: len(outcomes_of(news)) == 2)
    assert [each.attempt for each in outcomes_of(news) if each.failure] == [1]
    assert log.read_text().split() == ["t2"]


def test_long_tasks_among_short_ones_take_little_longer_than_they_must(tmp_path: Path) -> None:
    """A bundle of short tasks behind a long one goes to the worker that is idle."""
    seconds = [2.0 if number % 100 == 50 else 0.001 for number in range(400)]
    ideal = sum(seconds) / 2
    tasks = [
        TaskRequest(AttemptId(20_000 + number), Call(time.sleep, (each,)))
        for number, each in enumerate(seconds)
    ]
    with running(tmp_path, nodes=1, workers=2) as executor:
        for _ in range(3):  # so that it believes that tasks are short
            wait([executor.submit(abs, -1) for _ in range(200)], PATIENCE)
        news: list[News] = []
        began = time.monotonic()
        executor.launch(tasks, news.extend)
        eventually(lambda: len(outcomes_of(news)) == len(tasks))
        took = time.monotonic() - began
    assert took < 1.4 * ideal, f"{took:.2f} s; {ideal:.2f} s would have been ideal"


def test_no_task_waits_at_one_node_while_a_worker_of_another_is_idle(tmp_path: Path) -> None:
    seconds = [0.25] * 8 + [0.001] * 8
    ideal = sum(seconds) / 2
    tasks = [
        TaskRequest(AttemptId(10_000 + number), Call(time.sleep, (each,)))
        for number, each in enumerate(seconds)
    ]
    with running(tmp_path, workers=1) as executor:
        # These make both nodes believe that tasks are short, and ask for many ahead.
        for _ in range(3):
            wait([executor.submit(abs, -1) for _ in range(200)], PATIENCE)
        news: list[News] = []
        began = time.monotonic()
        executor.launch(tasks, news.extend)
        eventually(lambda: len(outcomes_of(news)) == len(tasks))
        took = time.monotonic() - began
    assert took < 1.4 * ideal, f"{took:.2f} s; {ideal:.2f} s would have been ideal"
