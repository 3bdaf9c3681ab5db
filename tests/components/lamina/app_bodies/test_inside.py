import threading

from lamina.app_bodies import enter_task, inside_task, leave_task


def test_a_thread_is_inside_between_enter_and_leave_and_others_are_not() -> None:
    seen: list[bool] = []
    enter_task()
    try:
        assert inside_task()
        other = threading.Thread(target=lambda: seen.append(inside_task()))
        other.start()
        other.join(5)
    finally:
        leave_task()
    assert seen == [False]
    assert not inside_task()
