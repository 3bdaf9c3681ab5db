import copy
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from concurrent.futures import Executor as FuturesPool
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
from lamina.vocabulary import (
    AttemptId,
    Cause,
    ExecutorLost,
    HasStarted,
    TaskWalltime,
    WorkerLost,
)

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


def test_code_that_ends_itself_has_the_grace_to_do_so(one_thread, heard):
    def end_myself() -> None:
        raise TaskWalltime("ended by itself")

    one_thread.launch([task(1, end_myself, walltime=0, grace=DEADLINE)], heard)
    assert heard.wait_for(1)[1].failure.error.reason == "ended by itself"


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


def spawning(**options):
    return partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"), **options)


def test_a_pool_of_processes_that_breaks_loses_its_attempts_and_is_replaced(tmp_path, heard):
    executor = ForeignExecutor(spawning(), "processes", own_processes=True)
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(1, abs, -1), task(2, len, threading.Lock())], heard)
    assert heard.wait_for(2)[1].value == 1
    assert heard.by_attempt[2].failure.cause is Cause.SERIALIZATION
    executor.launch([task(3, signal.raise_signal, signal.SIGKILL)], heard)
    failure = heard.wait_for(3)[3].failure
    assert isinstance(failure.error, WorkerLost)
    assert isinstance(failure.error.__cause__, BrokenExecutor)
    assert failure.cause is Cause.WORKER_LOST
    assert failure.started is HasStarted.UNKNOWN
    executor.launch([task(4, abs, -4)], heard)
    assert heard.wait_for(4)[4].value == 4
    executor.launch([task(5, abs, -5, env={"A": "1"})], heard)
    assert "does not control the pool's processes" in str(heard.wait_for(5)[5].failure.error)
    executor.close()
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(6, abs, -6)], heard)
    assert heard.wait_for(6)[6].value == 6
    executor.close()


def test_what_is_cancelled_while_the_pool_takes_it_does_not_run(tmp_path, heard):
    given = []

    class Slow(StandardPool):
        def submit(self, *_):
            executor.cancel([AttemptId(1)])
            given.append(Future())
            return given[0]

    executor = ForeignExecutor(Slow)
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(1, abs, -1)], heard)
    assert heard.wait_for(1)[1].failure.cause is Cause.CANCELLED
    assert given[0].cancelled()
    executor.close()


def test_functions_of_a_program_and_local_ones_reach_a_pool_of_processes(tmp_path, heard):
    executor = ForeignExecutor(spawning(), "processes")
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(1, lambda x: x + 1, 1), task(2, threading.Lock)], heard)
    assert heard.wait_for(2)[1].value == 2
    assert heard.by_attempt[2].failure.cause is Cause.SERIALIZATION
    executor.close()


class Hopeless:
    """Can be pickled and not unpickled."""

    def __reduce__(self):
        return int, ("not a number",)


class TwoArgumentsError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def raise_what_cannot_travel() -> None:
    raise TwoArgumentsError(1, 2)


def test_what_cannot_be_unpickled_costs_its_own_task_and_not_the_pool(tmp_path, heard):
    executor = ForeignExecutor(spawning(), "processes")
    executor.start(Site(run_dir=tmp_path))
    executor.launch([task(1, Hopeless), task(2, raise_what_cannot_travel), task(3, abs, -3)], heard)
    outcomes = heard.wait_for(3)
    executor.close()
    assert outcomes[1].failure.cause is Cause.SERIALIZATION
    assert "cannot be unpickled here: ValueError" in str(outcomes[1].failure.error)
    assert outcomes[2].failure.cause is Cause.APPLICATION
    assert "TwoArgumentsError: 1" in str(outcomes[2].failure.error)
    assert outcomes[3].value == 3


def test_a_walltime_does_not_count_the_time_in_the_queue(one_thread, heard, gate):
    began = []

    def hold() -> None:
        began.append(time.time())
        gate.wait(DEADLINE)

    release = threading.Event()
    occupy(one_thread, heard, release, walltime=0.2)
    one_thread.launch([task(1, hold, walltime=0.3)], heard)
    heard.wait_for(1)  # most of that walltime is over
    release.set()
    failure = heard.wait_for(2)[1].failure
    assert failure.cause is Cause.TASK_WALLTIME
    assert failure.ended - began[0] >= 0.25


def test_pools_that_break_before_any_task_has_ended_are_given_up(tmp_path, heard):
    made = []

    def make():
        made.append(StandardPool(1, initializer=int, initargs=("not a number",)))
        return made[-1]

    executor = ForeignExecutor(make)
    executor.start(Site(run_dir=tmp_path))
    with_reason: list[Outcome] = []
    for attempt in range(100):
        executor.launch([task(attempt, abs, -1)], heard)
        outcome = heard.wait_for(attempt + 1)[attempt]
        if outcome.failure.cause is Cause.EXECUTOR_LOST:
            with_reason.append(outcome)
            break
        assert outcome.failure.cause is Cause.WORKER_LOST
    executor.close()
    assert len(made) == 10
    failure = with_reason[0].failure
    assert isinstance(failure.error, ExecutorLost)
    assert failure.started is HasStarted.NO
    assert "the last of 10 that broke" in str(failure.error)


class Breakable(FuturesPool):
    """Runs calls where they are submitted; one that calls ``fail`` breaks it."""

    def __init__(self) -> None:
        self.broken = False

    def submit(self, fn, /, *args, **kwargs):
        if self.broken:
            raise BrokenExecutor("broken")
        future = Future()
        self.broken = args[0].function is fail
        if self.broken:
            future.set_exception(BrokenExecutor("breaks"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


class Plain:
    """A pool that takes no other options than the first pools did."""

    def __init__(self) -> None:
        self._pool = StandardPool(1)
        self.shut = False

    def submit(self, fn, /, *args, **kwargs):
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait=True):
        self.shut = True
        self._pool.shutdown(wait)


def test_a_pool_whose_shutdown_can_only_wait_is_shut_down(tmp_path, heard, gate):
    made = []
    executor = ForeignExecutor(lambda: made.append(Plain()) or made[0])
    executor.start(Site(run_dir=tmp_path))
    occupy(executor, heard, gate)
    ran = []
    executor.launch([task(1, ran.append, 1)], heard)
    executor.close()
    assert made[0].shut
    gate.set()
    made[0].shutdown()
    assert ran == []


def test_pools_that_break_now_and_then_are_always_replaced(tmp_path, heard):
    executor = ForeignExecutor(Breakable)
    executor.start(Site(run_dir=tmp_path))
    for attempt in range(0, 60, 2):
        executor.launch([task(attempt, fail), task(attempt + 1, abs, -1)], heard)
    outcomes = heard.wait_for(60)
    executor.close()
    assert [outcomes[n].value for n in range(1, 60, 2)] == [1] * 30
    assert {outcomes[n].failure.cause for n in range(0, 60, 2)} == {Cause.WORKER_LOST}


def test_a_pool_that_somebody_else_shut_down_loses_what_it_had_not_begun(tmp_path, heard, gate):
    pool = StandardPool(1)
    executor = ForeignExecutor(lambda: pool)
    executor.start(Site(run_dir=tmp_path))
    occupy(executor, heard, gate)
    executor.launch([task(1, abs, -1)], heard)
    pool.shutdown(wait=False, cancel_futures=True)
    failure = heard.wait_for(1)[1].failure
    assert (failure.cause, failure.started) == (Cause.EXECUTOR_LOST, HasStarted.NO)
    executor.launch([task(2, abs, -1)], heard)
    failure = heard.wait_for(2)[2].failure
    assert "takes no tasks: cannot schedule new futures" in str(failure.error)
    executor.close()
