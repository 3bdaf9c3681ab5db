import queue
import threading

import pytest

from lamina.executors import Deadlines
from lamina.vocabulary import AttemptId, SystemClock

DEADLINE = 5.0


def test_attempts_expire_in_the_order_of_their_deadlines():
    over: queue.Queue[int] = queue.Queue()
    deadlines = Deadlines(SystemClock(), lambda some: [over.put(one) for one in some], "d1")
    deadlines.set(AttemptId(3), 60)
    deadlines.set(AttemptId(1), 0.03)
    deadlines.set(AttemptId(2), 0.01)
    assert [over.get(timeout=DEADLINE), over.get(timeout=DEADLINE)] == [2, 1]
    deadlines.close()
    assert over.empty()


def test_what_has_ended_does_not_expire_and_takes_no_room():
    over: queue.Queue[int] = queue.Queue()
    deadlines = Deadlines(SystemClock(), lambda some: [over.put(one) for one in some], "d2")
    for n in range(1000):
        deadlines.set(AttemptId(n), 60)
        deadlines.drop(AttemptId(n))
    assert len(deadlines._heap) < 100
    deadlines.set(AttemptId(1), 0.01)
    assert over.get(timeout=DEADLINE) == 1
    deadlines.close()
    deadlines.set(AttemptId(2), 0)
    assert over.empty()


def test_there_is_no_thread_before_the_first_deadline():
    Deadlines(SystemClock(), lambda some: None, "never-begun").close()
    assert "never-begun" not in [thread.name for thread in threading.enumerate()]


def test_where_no_thread_can_be_started_the_next_deadline_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over: queue.Queue[int] = queue.Queue()
    deadlines = Deadlines(SystemClock(), lambda some: [over.put(one) for one in some], "d3")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        deadlines.set(AttemptId(1), 0.01)
    deadlines.set(AttemptId(2), 0.02)
    assert [over.get(timeout=DEADLINE), over.get(timeout=DEADLINE)] == [1, 2]
    deadlines.close()
