import pytest

from lamina.executors import AlreadyStartedError, NotStartedError
from lamina.executors.runs import OneRun


def test_there_is_one_run_from_begin_to_end():
    run: OneRun[str] = OneRun("mine")
    with pytest.raises(NotStartedError, match="'mine'"):
        run.get()
    run.begin(lambda: "first")
    assert run.get() == run.current == "first"
    with pytest.raises(AlreadyStartedError, match="'mine'"):
        run.begin(lambda: "second")
    assert run.end() == "first"
    assert run.end() is None
    assert run.current is None


def test_what_cannot_be_made_has_not_begun():
    run: OneRun[int] = OneRun("mine")
    with pytest.raises(ZeroDivisionError):
        run.begin(lambda: 1 // 0)
    run.begin(lambda: 2)
    assert run.get() == 2
