import logging
import signal
import threading

import pytest

from lamina.kernel.crew import Crew
from lamina.kernel.driver import CAPTURE_LIMIT, TOGETHER, Driver

WAIT = 10  # seconds


def test_what_is_posted_from_a_handler_comes_after_it() -> None:
    order: list[str] = []
    driver = Driver(lambda: order.append("settled"), Crew("spare"))

    def first() -> None:
        driver.post(order.append, "second")
        order.append("first")

    driver.post(first)
    assert order == ["first", "second", "settled"]


def test_what_came_together_is_settled_together_and_not_too_late() -> None:
    order: list[int | str] = []
    driver = Driver(lambda: order.append("settled"), Crew("spare"))

    def many() -> None:
        for number in range(TOGETHER + 3):
            driver.post(order.append, number)

    driver.post(many)
    settled = [place for place, one in enumerate(order) if one == "settled"]
    assert [one for one in order if one != "settled"] == list(range(TOGETHER + 3))
    assert len(settled) == 2
    assert settled[0] < TOGETHER
    assert settled[1] == len(order) - 1


def test_a_thread_is_let_go_after_a_bounded_number_of_events() -> None:
    threads: list[threading.Thread] = []
    spare, finished = Crew("spare"), threading.Event()
    driver = Driver(lambda: None, spare)

    def many() -> None:
        for _ in range(2 * CAPTURE_LIMIT):
            driver.post(lambda: threads.append(threading.current_thread()))
        driver.post(finished.set)

    driver.post(many)
    assert finished.wait(WAIT)
    assert threads.count(threading.current_thread()) < CAPTURE_LIMIT
    assert len(threads) == 2 * CAPTURE_LIMIT
    spare.stop()


def test_a_fault_in_a_handler_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []
    driver = Driver(lambda: None, Crew("spare"))

    def fault() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        driver.post(fault)
    driver.post(seen.append, 1)
    assert seen == [1]
    assert "could not handle" in caplog.text


def test_an_interrupt_comes_when_everything_is_done_and_not_before() -> None:
    seen: list[int] = []
    driver = Driver(lambda: None, Crew("spare"))

    def interrupted() -> None:
        driver.post(seen.append, 2)
        signal.raise_signal(signal.SIGINT)
        seen.append(1)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            driver.post(interrupted)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1, 2]
    driver.post(seen.append, 3)
    assert seen == [1, 2, 3]
