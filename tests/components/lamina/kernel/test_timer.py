import threading

from lamina.kernel.timer import Timer
from lamina.vocabulary import SystemClock

WAIT = 10  # seconds


def test_it_rings_when_the_moment_has_come() -> None:
    rung, clock = threading.Event(), SystemClock()
    timer = Timer("timer", clock, rung.set)
    timer.set(clock.now() + 1000)
    timer.set(clock.now() + 0.01)
    assert rung.wait(WAIT)
    timer.stop()


def test_without_a_moment_no_thread_is_started() -> None:
    timer = Timer("timer-that-is-not", SystemClock(), lambda: None)
    timer.set(None)
    timer.stop()
    timer.set(0.0)
    assert all(thread.name != "timer-that-is-not" for thread in threading.enumerate())
