import logging
import threading

import pytest

from lamina.kernel.crew import Crew

WAIT = 10  # seconds


def test_jobs_of_one_thread_run_in_order() -> None:
    crew, ran = Crew("crew"), []
    for number in range(100):
        crew.put(lambda number=number: ran.append(number))  # type: ignore[misc]
    assert crew.flush(WAIT)
    assert ran == list(range(100))
    crew.stop()


def test_jobs_that_wait_for_each_other_get_threads_of_their_own() -> None:
    crew, meet = Crew("crew", 3), threading.Barrier(4)
    for _ in range(3):
        crew.put(lambda: (meet.wait(WAIT), None)[1])
    meet.wait(WAIT)
    crew.stop()


def test_a_job_that_raises_is_logged_and_the_next_runs(caplog: pytest.LogCaptureFixture) -> None:
    crew = Crew("crew")

    def bad() -> None:
        raise ValueError("boom")

    with caplog.at_level(logging.ERROR):
        crew.put(bad)
        assert crew.flush(WAIT)
    assert "crew" in caplog.text
    crew.stop()


def test_after_stop_a_job_runs_where_it_is_brought() -> None:
    crew, seen = Crew("crew"), []
    crew.stop()
    crew.put(lambda: seen.append(threading.current_thread()))
    assert seen == [threading.current_thread()]
    assert crew.flush(WAIT)
