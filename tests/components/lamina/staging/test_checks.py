import hashlib
import pickle
from pathlib import Path

import pytest

from lamina.staging import measured, persist, verify
from lamina.staging.checks import naming
from lamina.vocabulary import File, HasStarted, StagingFailed


def test_what_may_help_again_is_tried_again_and_counted() -> None:
    tried = []

    def action(attempt: int) -> str:
        tried.append(attempt)
        if attempt < 3:
            raise StagingFailed("not yet")
        return "done"

    assert persist(action, (0, 0, 0)) == "done"
    assert tried == [1, 2, 3]


def test_the_last_failure_says_how_often_it_was_tried() -> None:
    def action(attempt: int) -> None:
        raise StagingFailed("no", url="http://h/x", status=503, moved=4)

    with pytest.raises(StagingFailed) as caught:
        persist(action, (0,))
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.attempt, error.moved, error.status, error.url) == (2, 4, 503, "http://h/x")


def test_what_will_not_help_is_not_tried_again() -> None:
    tried = []

    def action(attempt: int) -> None:
        tried.append(attempt)
        raise StagingFailed("gone", again=False)

    with pytest.raises(StagingFailed):
        persist(action, (0, 0))
    assert tried == [1]


def test_whatever_goes_wrong_names_the_file() -> None:
    with pytest.raises(StagingFailed, match="disk is full") as caught:
        with naming("http://h/x", HasStarted.YES):
            raise OSError("the disk is full")
    assert (caught.value.url, caught.value.started) == ("http://h/x", HasStarted.YES)
    with pytest.raises(StagingFailed) as caught:
        with naming("http://h/x", HasStarted.YES):
            raise StagingFailed("no", url="http://h/y")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.url, copy.started) == ("http://h/y", HasStarted.YES)


def test_size_and_checksum_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    right = hashlib.sha256(b"abc").hexdigest()
    verify(path, File("x"))
    verify(path, File("x", checksum=f"sha256:{right}", size=3))
    with pytest.raises(StagingFailed, match="it has 3 bytes, and size=4"):
        verify(path, File("x", size=4))
    with pytest.raises(StagingFailed, match="its sha256 is ba7816"):
        verify(path, File("x", checksum="sha256:" + "0" * 64))


def test_a_directory_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "a").write_bytes(b"12")
    (tmp_path / "d" / "e" / "b").write_bytes(b"345")
    assert measured(tmp_path / "d") == 5
