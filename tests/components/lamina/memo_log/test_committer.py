import logging
import threading

import pytest

from lamina.memo_log.committer import Committer

PATIENCE = 30.0  # seconds


def test_what_was_touched_is_committed_once() -> None:
    done = threading.Semaphore(0)
    committer = Committer(done.release, 0.0)
    committer.touch()
    assert done.acquire(timeout=PATIENCE)
    committer.touch()
    assert done.acquire(timeout=PATIENCE)
    committer.stop()
    assert not done.acquire(blocking=False)


def test_many_touches_within_the_interval_are_one_commit() -> None:
    commits: list[int] = []
    committer = Committer(lambda: commits.append(1), 3600.0)
    for _ in range(100):
        committer.touch()
    committer.stop()
    committer.stop()
    assert commits == []


def test_nothing_is_committed_after_the_end() -> None:
    commits: list[int] = []
    committer = Committer(lambda: commits.append(1), 0.0)
    committer.stop()
    committer.touch()
    assert commits == []
    assert not [one for one in threading.enumerate() if one.name == "lamina-checkpoint"]


def test_a_commit_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    answers = iter([OSError("the disk is full"), None])

    def commit() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer
        done.set()

    with caplog.at_level(logging.ERROR):
        committer = Committer(commit, 0.0)
        committer.touch()
        assert done.wait(PATIENCE)
        committer.stop()
    assert "the disk is full" in caplog.text
