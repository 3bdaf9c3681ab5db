import time

from lamina.vocabulary import SystemClock


def test_the_clock_of_the_machine_only_goes_forward() -> None:
    clock = SystemClock()
    before = time.monotonic()
    assert before <= clock.now() <= clock.now()


def test_wall_time_is_seconds_since_the_epoch() -> None:
    assert abs(SystemClock().wall() - time.time()) < 60
