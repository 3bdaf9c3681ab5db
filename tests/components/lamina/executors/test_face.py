import copy
import threading
from concurrent.futures import CancelledError, Executor, as_completed
from pathlib import Path

import pytest

from lamina.executors import Site, ThreadPoolExecutor

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
