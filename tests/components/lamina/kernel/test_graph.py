import random

import pytest

from lamina.kernel.graph import Graph, GraphError
from lamina.kernel.phases import (
    Cancel,
    Consult,
    Expire,
    Joined,
    Launch,
    Phase,
    Prepare,
    Resolve,
    Staged,
)
from lamina.vocabulary import AttemptId, Cause, Failure, TaskId, TaskState

OOPS = ValueError("oops")
FAILURE = Failure(cause=Cause.APPLICATION, error=OOPS)


def t(number: int) -> TaskId:
    return TaskId(number)


def a(number: int) -> AttemptId:
    return AttemptId(number)


def running(graph: Graph, number: int, key: bytes | None = None) -> None:
    graph.submitted(t(number))
    graph.prepared(t(number), a(number), "x", key)
    graph.take()


def test_a_task_that_waits_for_nothing_is_prepared_at_once() -> None:
    graph = Graph()
    graph.submitted(t(0))
    assert graph.take() == [Prepare([t(0)])]
    assert graph.prepared(t(0), a(0), "x")
    assert graph.take() == [Launch("x", [t(0)])]
    graph.succeeded(a(0), 7)
    assert graph.take() == [Resolve([t(0)], TaskState.EXEC_DONE, 7, None)]
    assert len(graph) == 0
    graph.check_invariants()


def test_a_dependent_is_prepared_after_the_last_of_its_dependencies_has_been_resolved() -> None:
    graph = Graph()
    running(graph, 0)
    running(graph, 1)
    graph.submitted(t(2), [t(0), t(1)], foreign=1)
    graph.foreign_done(t(2))
    graph.succeeded(a(0), None)
    assert graph.waiting_for(t(2)) == 1
    graph.take()
    graph.succeeded(a(1), None)
    assert [type(effect) for effect in graph.take()] == [Resolve, Prepare]


def test_launches_to_one_executor_are_one_batch() -> None:
    graph = Graph()
    for number in range(3):
        graph.submitted(t(number))
    graph.take()
    for number in range(3):
        graph.prepared(t(number), a(number), "x" if number < 2 else "y")
    assert graph.take() == [Launch("x", [t(0), t(1)]), Launch("y", [t(2)])]


def test_equal_keys_make_one_attempt_with_one_end() -> None:
    graph = Graph()
    running(graph, 0, b"k")
    graph.submitted(t(1))
    assert not graph.prepared(t(1), a(1), "x", b"k")
    graph.take()
    graph.succeeded(a(0), 5)
    assert graph.take() == [Resolve([t(0), t(1)], TaskState.EXEC_DONE, 5, None)]
    assert graph.ended[TaskState.MEMO_DONE] == 1


def test_when_the_leader_is_cancelled_a_follower_inherits_and_the_last_one_stops_the_work() -> None:
    graph = Graph()
    running(graph, 0, b"k")
    graph.submitted(t(1))
    graph.prepared(t(1), a(1), "x", b"k")
    graph.take()
    assert graph.cancelled(t(0))
    assert [type(effect) for effect in graph.take()] == [Resolve]
    graph.check_invariants()
    assert graph.task_of(a(0)) == t(1)
    graph.cancelled(t(1))
    assert graph.take()[0] == Cancel("x", a(0))


def test_followers_of_a_leader_that_is_cancelled_between_attempts_start_anew() -> None:
    graph = Graph()
    running(graph, 0, b"k")
    graph.submitted(t(1))
    graph.prepared(t(1), a(1), "x", b"k")
    graph.failed(a(0), FAILURE)
    graph.again(t(0), wake=9.0)
    graph.take()
    graph.cancelled(t(0))
    assert graph.take()[-1] == Prepare([t(1)])


def test_files_are_moved_by_other_tasks_before_an_attempt_and_after_it() -> None:
    graph = Graph()
    graph.submitted(t(0))
    graph.take()
    assert graph.stages_in(t(0), "x")
    running(graph, 1)
    graph.transfers(t(0), [t(1)])
    assert graph.phase(t(0)) is Phase.STAGING_IN
    assert (graph.waiting_for(t(0)), graph.executor_of(t(0))) == (1, "x")
    graph.check_invariants()
    graph.succeeded(a(1), None)
    assert graph.take()[1] == Staged(t(0))
    graph.staged(t(0), a(0))
    assert graph.take() == [Launch("x", [t(0)])]
    graph.stages_out(a(0))
    assert graph.task_of(a(0)) is None
    graph.transfers(t(0), [])
    assert graph.take() == [Staged(t(0))]
    graph.check_invariants()
    graph.end(t(0), TaskState.EXEC_DONE, 7)
    assert graph.take() == [Resolve([t(0)], TaskState.EXEC_DONE, 7, None)]


def test_files_that_could_not_be_moved_are_for_the_policy() -> None:
    for out in (False, True):
        graph = Graph()
        graph.submitted(t(0))
        if out:
            graph.prepared(t(0), a(0), "x")
            graph.stages_out(a(0))
        else:
            graph.stages_in(t(0), "x")
        graph.take()
        graph.staging_failed(t(0), FAILURE)
        assert graph.take() == [Consult(t(0), FAILURE)]
        graph.again(t(0))
        assert graph.take() == [Prepare([t(0)])]
        assert graph.stages_in(t(0), "y")
        graph.check_invariants()


def test_an_equal_call_follows_one_whose_files_are_moved_and_takes_its_place() -> None:
    graph = Graph()
    for number in range(2):
        graph.submitted(t(number))
    graph.take()
    assert graph.stages_in(t(0), "x", b"k")
    assert not graph.stages_in(t(1), "x", b"k")
    assert graph.phase(t(1)) is Phase.FOLLOWING
    graph.check_invariants()
    graph.cancelled(t(0))
    assert graph.take()[-1] == Prepare([t(1)])
    assert graph.stages_in(t(1), "x", b"k")


def test_whoever_is_gone_waits_for_no_files() -> None:
    graph = Graph()
    graph.stages_out(a(9))
    graph.transfers(t(9), [])
    graph.staged(t(9), a(9))
    graph.staging_failed(t(9), FAILURE)
    assert not graph.stages_in(t(9), "x")
    assert graph.take() == []


def test_a_failure_is_for_the_policy_and_a_delay_is_over_when_its_time_comes() -> None:
    graph = Graph()
    running(graph, 0)
    graph.failed(a(0), FAILURE)
    assert graph.take() == [Consult(t(0), FAILURE)]
    graph.again(t(0), wake=5.0)
    assert graph.deadline() == 5.0
    graph.time_passed(4.9)
    assert graph.take() == []
    graph.time_passed(5.0)
    assert graph.take() == [Prepare([t(0)])]
    assert graph.deadline() is None


def test_a_join_ends_when_the_last_future_is_done() -> None:
    graph = Graph()
    running(graph, 0)
    running(graph, 1)
    graph.joining(a(0), [t(1)], foreign=0)
    assert graph.phase(t(0)) is Phase.JOINING
    graph.succeeded(a(1), None)
    assert graph.take()[-1] == Joined(t(0))


def test_an_empty_join_ends_at_once() -> None:
    graph = Graph()
    running(graph, 0)
    graph.joining(a(0), [], 0)
    assert graph.take() == [Joined(t(0))]


def test_news_of_what_has_ended_is_ignored() -> None:
    graph = Graph()
    assert graph.started(a(0)) is None
    graph.succeeded(a(0), 1)
    graph.failed(a(0), FAILURE)
    graph.joining(a(0), [], 0)
    graph.again(t(0))
    graph.foreign_done(t(0))
    graph.end(t(0), TaskState.FAILED)
    assert not graph.prepared(t(0), a(0), "x")
    assert not graph.cancelled(t(0))
    assert graph.take() == []
    assert graph.phase(t(0)) is None
    assert graph.executor_of(t(0)) == ""


def test_what_cannot_happen_is_an_error() -> None:
    graph = Graph()
    running(graph, 0)
    with pytest.raises(GraphError, match="from launched to launched"):
        graph.prepared(t(0), a(1), "x")


def test_ending_all_idle_ones_leaves_what_executors_have() -> None:
    graph = Graph()
    running(graph, 0)
    graph.submitted(t(1), [t(0)])
    graph.end_all(TaskState.FAILED, OOPS, idle=True)
    assert t(0) in graph
    assert t(1) not in graph
    graph.end_all(TaskState.FAILED, OOPS, idle=False)
    assert len(graph) == 0


def test_a_walltime_names_the_task_once_and_only_while_it_runs_or_joins() -> None:
    graph = Graph()
    running(graph, 0)
    graph.started(a(0))
    graph.limit(t(0), 5.0)
    assert graph.deadline() == 5.0
    graph.time_passed(5.0)
    assert graph.take() == [Expire(t(0))]
    graph.failed(a(0), FAILURE)
    graph.again(t(0))
    graph.take()
    graph.limit(t(0), 7.0)  # it does not run yet
    graph.prepared(t(0), a(1), "x")
    graph.started(a(1))
    graph.limit(t(0), 9.0)
    graph.joining(a(1), [], 1)
    graph.time_passed(8.9)
    graph.take()
    assert graph.phase(t(0)) is Phase.JOINING
    graph.time_passed(9.0)
    assert graph.take() == [Expire(t(0))]


def test_timers_of_what_has_ended_are_swept() -> None:
    graph = Graph()
    for number in range(1000):
        running(graph, number)
        graph.started(a(number))
        graph.limit(t(number), 1e9)
        graph.succeeded(a(number), None)
        graph.take()
        assert len(graph._timers) <= 100


class Walk:
    """Draws events, plays the shell, and checks what must hold after each."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.graph = Graph()
        self.now = 0.0
        self.tasks = self.attempts = self.events = 0
        self.live: list[TaskId] = []
        self.flying: list[AttemptId] = []
        self.foreign: list[TaskId] = []
        self.deciding: list[TaskId] = []
        self.expired = 0
        self.keys: dict[TaskId, bytes] = {}
        self.resolved: set[TaskId] = set()
        self.touched: set[TaskId] = set()

    def pick(self, items: list):  # type: ignore[type-arg, no-untyped-def]
        index = self.chance.randrange(len(items))
        items[index], items[-1] = items[-1], items[index]
        return items.pop()

    def step(self) -> None:
        """One event, whatever else is drawn before there is one to be had."""
        while not self.event():
            pass
        self.events += 1
        self.settle()

    def event(self) -> bool:
        graph, draw = self.graph, self.chance.random()
        if draw < 0.3 and len(graph) < 200:
            self.submit()
        elif draw < 0.4 and self.foreign:
            graph.foreign_done(self.touch(self.pick(self.foreign)))
        elif draw < 0.45 and self.live:
            graph.cancelled(self.touch(self.pick(self.live)))
        elif draw < 0.5:
            self.now += 1
            graph.time_passed(self.now)
        elif draw < 0.5001:
            graph.end_all(TaskState.FAILED, OOPS, idle=self.chance.random() < 0.9)
        elif draw < 0.6 and self.deciding:
            self.decide(self.touch(self.pick(self.deciding)))
        elif self.flying:
            self.news(self.pick(self.flying))
        else:
            return False
        return True

    def touch(self, task: TaskId) -> TaskId:
        self.touched.add(task)
        return task

    def submit(self) -> None:
        task = self.touch(t(self.tasks))
        self.tasks += 1
        waits = {
            t(self.chance.randrange(max(1, self.tasks - 50), self.tasks + 1) - 1)
            for _ in range(self.chance.randrange(3))
        }
        foreign = self.chance.random() < 0.1
        self.graph.submitted(task, waits, int(foreign))
        self.live.append(task)
        if foreign:
            self.foreign.append(task)

    def decide(self, task: TaskId) -> None:
        if self.graph.phase(task) is Phase.DECIDING:
            if self.chance.random() < 0.5:
                self.graph.again(task, self.now + 2 if self.chance.random() < 0.5 else None)
            else:
                self.graph.end(task, TaskState.FAILED, error=OOPS)

    def news(self, attempt: AttemptId) -> None:
        graph, draw = self.graph, self.chance.random()
        task = graph.task_of(attempt)
        if task is not None:
            self.touch(task)
        if draw < 0.3:
            graph.started(attempt)
            if task is not None and self.chance.random() < 0.2:
                graph.limit(task, self.now + self.chance.randrange(20))
            self.flying.append(attempt)
        elif draw < 0.5:
            graph.failed(attempt, FAILURE)
        elif draw < 0.6:
            foreign = self.chance.random() < 0.3
            other = t(max(0, self.tasks - 1 - self.chance.randrange(20)))
            graph.joining(attempt, [other], int(foreign))
            if foreign and task is not None:
                self.foreign.append(task)
        elif draw < 0.7:
            graph.stages_out(attempt)
            if task is not None:
                graph.transfers(task, self.movers())
        else:
            graph.succeeded(attempt, None)

    def settle(self) -> None:
        while effects := self.graph.take():
            for effect in effects:
                if isinstance(effect, Resolve):
                    assert self.resolved.isdisjoint(effect.tasks), "resolved twice"
                    self.resolved.update(effect.tasks)
                elif isinstance(effect, Prepare):
                    for task in effect.tasks:
                        self.prepare(self.touch(task))
                elif isinstance(effect, Launch):
                    self.touched.update(effect.tasks)
                elif isinstance(effect, Consult):
                    self.deciding.append(self.touch(effect.task))
                elif isinstance(effect, Joined):
                    self.graph.end(effect.task, TaskState.EXEC_DONE)
                elif isinstance(effect, Expire):
                    assert self.graph.phase(effect.task) in (Phase.RUNNING, Phase.JOINING, None)
                    self.expired += 1
                    self.graph.end(effect.task, TaskState.FAILED, error=OOPS)
                elif isinstance(effect, Staged):
                    self.staged(self.touch(effect.task))
        self.graph.check_invariants(self.touched)
        self.touched.clear()
        assert len(self.resolved) + len(self.graph) == self.tasks

    def prepare(self, task: TaskId) -> None:
        if self.chance.random() < 0.1:
            self.graph.end(task, TaskState.DEP_FAIL, error=OOPS)
            return
        key = bytes([self.chance.randrange(30)]) if task % 3 == 0 else None
        if key is not None:
            key = self.keys.setdefault(task, key)
        if self.chance.random() < 0.2:
            if self.graph.stages_in(task, "xy"[task % 2], key):
                self.graph.transfers(task, self.movers())
            return
        attempt = a(self.attempts)
        self.attempts += 1
        if self.graph.prepared(task, attempt, "xy"[task % 2], key):
            self.flying.append(attempt)

    def movers(self) -> list[TaskId]:
        """New tasks that move files, and old ones that may have ended."""
        movers = [t(self.tasks + number) for number in range(self.chance.randrange(3))]
        self.tasks += len(movers)
        for mover in movers:
            self.graph.submitted(mover)
            self.live.append(self.touch(mover))
        return [*movers, t(self.chance.randrange(max(1, self.tasks - 20), self.tasks + 1) - 1)]

    def staged(self, task: TaskId) -> None:
        phase = self.graph.phase(task)
        if phase is None:
            return
        if self.chance.random() < 0.2:
            self.graph.staging_failed(task, FAILURE)
        elif phase is Phase.STAGING_IN:
            attempt = a(self.attempts)
            self.attempts += 1
            self.graph.staged(task, attempt)
            self.flying.append(attempt)
        else:
            self.graph.end(task, TaskState.EXEC_DONE)


def test_a_random_walk_of_100_000_events_breaks_no_invariant() -> None:
    walk = Walk(seed=20)
    for number in range(100_000):
        walk.step()
        if number % 500 == 0:
            walk.graph.check_invariants()
    walk.graph.end_all(TaskState.FAILED, OOPS, idle=False)
    walk.settle()
    walk.graph.check_invariants()
    assert walk.events == 100_000
    assert len(walk.resolved) == walk.tasks > 10_000
    assert walk.expired > 100
    assert sum(walk.graph.ended.values()) == walk.tasks
