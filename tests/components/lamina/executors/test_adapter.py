import copy
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as StandardPool
from functools import partial
from multiprocessing import get_context

import pytest

from lamina.executors import (
    AlreadyStartedError,
    Call,
    Executor,
    ForeignExecutor,
    Load,
    NotStartedError,
    Outcome,
    Site,
    TaskRequest,
)
from lamina.vocabulary import AttemptId, Cause, ExecutorLost, HasStarted

DEADLINE = 20.0


class Heard:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.by_attempt: dict[int, Outcome] = {}

    def __call__(self, news) -> None:
        with self._changed:
            for item in news:
                assert item.attempt not in self.by_attempt
                self.by_attempt[item.attempt] = item
            self._changed.notify_all()

    def wait_for(self, count: int) -> dict[int, Outcome]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.by_attempt) >= count, DEADLINE)
            return self.by_attempt


def task(attempt: int, function, *args, **options) -> TaskRequest:
    return TaskRequest(AttemptId(attempt), Call(function, args), **options)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def one_thread(tmp_path):
    executor = ForeignExecutor(partial(StandardPool, 1))
    executor.start(Site(run_dir=tmp_path))
    yield executor
    executor.close()


def occupy(executor, heard, gate, **options) -> None:
    running = threading.Event()

    def hold() -> None:
        running.set()
        gate.wait(DEADLINE)

    executor.launch([task(0, hold, **options)], heard)
    assert running.wait(DEADLINE)


def fail() -> None:
    raise SystemExit(3)


def test_a_foreign_pool_runs_attempts(one_thread, heard):
    executor: Executor = one_thread
    refused = task(3, abs, env={"A": "1"})
    executor.launch([task(1, pow, 2, 3), task(2, fail), refused], heard)
    outcomes = heard.wait_for(3)
    assert outcomes[1].value == 8
    assert outcomes[1].began <= outcomes[1].ended
    assert outcomes[2].failure.cause is Cause.APPLICATION
    assert isinstance(outcomes[2].failure.error, SystemExit)
    assert outcomes[3].failure.started is HasStarted.NO


def test_cancel_takes_queued_attempts_out_and_drops_running_ones(one_thread, heard, gate):
    occupy(one_thread, heard, gate)
    ran = []
    one_thread.launch([task(1, ran.append, 1), task(2, ran.append, 2)], heard)
    one_thread.cancel([AttemptId(0), AttemptId(1), AttemptId(7)])
    assert not heard.by_attempt[0].failure.stopped
    assert heard.by_attempt[1].failure.started is HasStarted.NO
    gate.set()
    heard.wait_for(3)
    assert ran == [2]


def test_walltime_ends_the_attempt_if_not_the_work(one_thread, heard, gate):
    occupy(one_thread, heard, gate, walltime=0.02)
    failure = heard.wait_for(1)[0].failure
    assert failure.cause is Cause.TASK_WALLTIME
    assert not failure.stopped


def test_close_answers_everything(one_thread, heard, gate, tmp_path):
    occupy(one_thread, heard, gate)
    one_thread.launch([task(1, abs, -1)], heard)
    assert one_thread.load() == Load(2, 1)
    with pytest.raises(AlreadyStartedError):
        one_thread.start(Site(run_dir=tmp_path))
    one_thread.close()
    assert {o.failure.cause for o in heard.by_attempt.values()} == {Cause.CLOSED}
    assert len(heard.by_attempt) == 2
    with pytest.raises(NotStartedError):
        one_thread.launch([], heard)
    assert copy.copy(one_thread).label == "foreign"


def test_a_pool_of_processes_that_breaks_loses_its_attempts_and_starts_again(tmp_path, heard):
    make = partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"))
    executor = ForeignExecutor(make, "processes", own_processes=True)
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(1, abs, -1), task(2, lambda: None)], heard)
    assert heard.wait_for(2)[1].value == 1
    assert heard.by_attempt[2].failure.cause is Cause.SERIALIZATION
    executor.launch([task(3, os._exit, 1)], heard)
    failure = heard.wait_for(3)[3].failure
    assert isinstance(failure.error, ExecutorLost)
    assert failure.cause is Cause.EXECUTOR_LOST
    executor.launch([task(4, abs, -1)], heard)
    assert heard.wait_for(4)[4].failure.started is HasStarted.NO
    executor.close()
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(5, abs, -5)], heard)
    assert heard.wait_for(5)[5].value == 5
    executor.close()
