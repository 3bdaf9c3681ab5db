import os
import pickle
from pathlib import Path

import pytest

from lamina.vocabulary import File, FileNotLocalError


def test_a_bare_path_is_a_local_file() -> None:
    file = File("data/x.txt")
    assert (file.scheme, file.filepath, file.filename) == ("file", "data/x.txt", "x.txt")
    assert os.fspath(file) == str(file) == "data/x.txt"


def test_a_path_object_does_as_well() -> None:
    assert File(Path("/a/b")).path == "/a/b"


@pytest.mark.parametrize("url", ["file:///a%20b/c", "file://localhost/a%20b/c"])
def test_a_file_url_is_unquoted(url: str) -> None:
    assert File(url).filepath == "/a b/c"


def test_a_remote_file_has_no_path_until_it_is_staged() -> None:
    file = File("https://example.org/d/x.csv?v=1")
    assert (file.scheme, file.netloc, file.filename) == ("https", "example.org", "x.csv")
    assert str(file) == file.url
    with pytest.raises(FileNotLocalError, match="no path on this machine") as caught:
        os.fspath(file)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    file.local_path = "/tmp/x.csv"
    assert os.fspath(file) == str(file) == "/tmp/x.csv"
    assert "local_path" in repr(file)
    assert file.cleancopy().local_path is None


def test_two_slashes_before_a_path_are_a_slip() -> None:
    with pytest.raises(ValueError, match="file:///home/x"):
        File("file://home/x")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        File("")


def test_files_are_equal_by_url_and_survive_pickle() -> None:
    file = File("http://h/x")
    file.local_path = "/y"
    copy = pickle.loads(pickle.dumps(file))
    assert copy == file
    assert hash(copy) == hash(file)
    assert copy.local_path == "/y"
    assert file != "http://h/x"
