from concurrent.futures import Future

from lamina.hosting.findings import Finding, asked


def test_an_answer_that_does_not_come_or_is_an_error_is_a_finding() -> None:
    future: Future[int] = Future()
    assert asked("x", future, 0.0, str) == Finding("x", False, "no answer within 0 s")
    future.set_exception(OSError("gone"))
    assert asked("x", future, 0.0, str) == Finding("x", False, "OSError: gone")


def test_an_answer_may_come_and_not_be_well() -> None:
    future: Future[int] = Future()
    future.set_result(3)
    assert asked("x", future, 0.0, str) == Finding("x", True, "3")
    assert asked("x", future, 0.0, str, lambda value: value > 3) == Finding("x", False, "3")
