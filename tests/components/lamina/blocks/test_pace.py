import pytest

from lamina.blocks.pace import Pace


def test_nothing_is_known_before_a_task_has_ended() -> None:
    pace = Pace()
    pace.look(0.0, 4, 0)
    pace.look(100.0, 4, 0)
    assert pace.task_seconds is None


def test_busy_slots_times_time_over_tasks_is_how_long_one_takes() -> None:
    pace = Pace()
    for second in range(11):
        pace.look(float(second), 4, 8 * second)
    assert pace.task_seconds == pytest.approx(0.5)


def test_tasks_that_become_longer_are_noticed_and_the_past_fades() -> None:
    pace = Pace()
    for second in range(100):
        pace.look(float(second), 4, 8 * second)
    for second in range(100, 3000):
        pace.look(float(second), 4, 800 + (second - 100) * 4 // 10)
    assert pace.task_seconds == pytest.approx(10.0, rel=0.1)


def test_a_look_at_the_same_moment_changes_nothing() -> None:
    pace = Pace()
    pace.look(0.0, 1, 0)
    pace.look(10.0, 1, 5)
    pace.look(10.0, 1, 5)
    assert pace.task_seconds == pytest.approx(2.0)
