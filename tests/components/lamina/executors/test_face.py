import copy
import gc
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from lamina.executors import (
    BrokenPool,
    Capabilities,
    NotStartedError,
    Outcome,
    PoolFace,
    Site,
    Started,
    ThreadPoolExecutor,
)
from lamina.vocabulary import Cause, ExecutorLost, Failure, HasStarted

DEADLINE = 5.0


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def hold(running: threading.Event, gate: threading.Event) -> str:
    running.set()
    gate.wait(DEADLINE)
    return "held"


def test_it_is_a_standard_pool_that_starts_itself():
    with ThreadPoolExecutor() as pool:
        assert isinstance(pool, Executor)
        assert pool.submit(pow, 2, 3).result(DEADLINE) == 8
        assert list(pool.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(DEADLINE)


def test_a_running_call_is_not_cancelled_and_a_queued_one_is(gate):
    running = threading.Event()
    with ThreadPoolExecutor(max_threads=1) as pool:
        first = pool.submit(hold, running, gate)
        second = pool.submit(abs, -1)
        assert running.wait(DEADLINE)
        assert first.running()
        assert not first.cancel()
        assert second.cancel()
        assert second.cancel()
        assert list(as_completed([second], timeout=DEADLINE)) == [second]
        gate.set()
        assert first.result(DEADLINE) == "held"
        assert not first.cancel()
        with pytest.raises(CancelledError):
            second.result(DEADLINE)


def test_after_shutdown_nothing_is_taken():
    pool = ThreadPoolExecutor()
    pool.shutdown()
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(abs, -1)


def test_shutdown_without_waiting_lets_what_was_taken_end(gate):
    running = threading.Event()
    pool = ThreadPoolExecutor(max_threads=1)
    first, second = pool.submit(hold, running, gate), pool.submit(abs, -1)
    assert running.wait(DEADLINE)
    pool.shutdown(wait=False)
    gate.set()
    assert (first.result(DEADLINE), second.result(DEADLINE)) == ("held", 1)
    pool.shutdown()


def test_shutdown_can_cancel_what_waits(gate):
    running = threading.Event()
    pool = ThreadPoolExecutor(max_threads=1)
    first, second = pool.submit(hold, running, gate), pool.submit(abs, -1)
    assert running.wait(DEADLINE)
    pool.shutdown(wait=False, cancel_futures=True)
    assert second.cancelled()
    gate.set()
    assert first.result(DEADLINE) == "held"


def test_an_executor_that_somebody_else_started_is_left_running(tmp_path: Path):
    pool = ThreadPoolExecutor()
    pool.start(Site(run_dir=tmp_path))
    assert pool.submit(abs, -1).result(DEADLINE) == 1
    pool.shutdown()
    assert pool.load().slots == 2
    pool.close()


def test_a_copy_has_a_face_of_its_own():
    pool = ThreadPoolExecutor()
    pool.submit(abs, -1).result(DEADLINE)
    other = copy.copy(pool)
    pool.shutdown()
    with other:
        assert other.submit(abs, -1).result(DEADLINE) == 1


def test_futures_left_at_close_get_the_reason(gate):
    running = threading.Event()
    pool = ThreadPoolExecutor(max_threads=1)
    first = pool.submit(hold, running, gate)
    assert running.wait(DEADLINE)
    pool.close()
    assert "closed" in str(first.exception(DEADLINE))
    pool.shutdown()


class ByHand(PoolFace):
    """Runs each call where it is launched, or says what the test has told it to say."""

    def __init__(self, answer: Callable[[], Failure] | None = None) -> None:
        self.answer = answer
        self.launched = 0
        self.running = False
        self.closed = threading.Event()

    @property
    def label(self) -> str:
        return "by-hand"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(stops_running_tasks=False, own_processes=True)

    def start(self, site: Site) -> None:
        assert site.run_dir.is_dir()
        self.running = True

    def launch(self, tasks, report) -> None:
        if not self.running:
            raise NotStartedError(self.label)
        for task in tasks:
            self.launched += 1
            report([Started(task.attempt, 0.0)])
            if self.answer is not None:
                report([Outcome(task.attempt, failure=self.answer())])
            else:
                call = task.call
                report([Outcome(task.attempt, call.function(*call.args, **call.kwargs))])

    def cancel(self, attempts) -> None:
        raise AssertionError("nothing is pending here")

    def close(self, timeout: float | None = None) -> None:
        self.running = False
        self.closed.set()


def test_a_shutdown_does_not_wait_for_a_call_that_was_not_taken():
    ends: list[threading.Thread] = []

    class Fails(ByHand):
        def start(self, site: Site) -> None:
            ends.append(threading.Thread(target=self.shutdown, daemon=True))
            ends[0].start()
            late, pause = monotonic() + DEADLINE, threading.Event()
            while not vars(self)["_pool_face"]._shut and monotonic() < late:
                pause.wait(0.001)
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Fails().submit(abs, -1)
    ends[0].join(DEADLINE)
    assert not ends[0].is_alive()


def test_calls_travel_in_chunks_where_tasks_have_processes_of_their_own():
    with ByHand() as pool:
        assert list(pool.map(pow, range(10), count(), chunksize=4)) == [n**n for n in range(10)]
        assert pool.launched == 3
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
        assert pool.launched == 5
        with pytest.raises(ValueError, match="chunksize is 0"):
            pool.map(abs, [-1], chunksize=0)


def test_chunks_are_ignored_where_tasks_share_a_process():
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(abs, range(-5, 0), chunksize=3)) == [5, 4, 3, 2, 1]


def test_a_lost_executor_is_a_broken_one_and_takes_no_more():
    def lost() -> Failure:
        return Failure(cause=Cause.EXECUTOR_LOST, error=ExecutorLost("gone", HasStarted.NO))

    pool = ByHand(lost)
    error = pool.submit(abs, -1).exception(DEADLINE)
    assert isinstance(error, BrokenPool)
    assert isinstance(error, BrokenExecutor)
    assert isinstance(error.__cause__, ExecutorLost)
    with pytest.raises(BrokenExecutor, match="gone"):
        pool.submit(abs, -1)
    assert pool.launched == 1
    pool.shutdown()
    assert pool.closed.is_set()


def test_an_executor_that_everybody_dropped_is_closed():
    pool = ByHand()
    closed = pool.closed
    assert pool.submit(abs, -1).result(DEADLINE) == 1
    del pool
    gc.collect()
    assert closed.wait(DEADLINE)


def test_pending_futures_keep_a_dropped_executor(gate):
    running = threading.Event()
    pool = ThreadPoolExecutor(max_threads=1, thread_name_prefix="dropped")
    first, second = pool.submit(hold, running, gate), pool.submit(abs, -1)
    del pool
    gc.collect()
    assert running.wait(DEADLINE)
    gate.set()
    assert (first.result(DEADLINE), second.result(DEADLINE)) == ("held", 1)
    for thread in threading.enumerate():
        if thread.name.startswith("dropped"):
            thread.join(DEADLINE)
            assert not thread.is_alive()


def test_a_copy_that_is_dropped_closes_nothing_of_the_original():
    pool = ByHand()
    pool.submit(abs, -1).result(DEADLINE)
    other = copy.copy(pool)  # shares what the original remembers, closed among it
    del other
    gc.collect()
    assert pool.submit(abs, -2).result(DEADLINE) == 2
    pool.shutdown()
