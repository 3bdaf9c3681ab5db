import os
import pickle
import subprocess
import sys
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


def test_what_staging_must_find_travels_with_the_file() -> None:
    file = File("http://h/x", checksum="sha256:" + "A" * 64, size=3)
    copy = pickle.loads(pickle.dumps(file)).cleancopy()
    assert (copy.checksum, copy.size) == ("sha256:" + "a" * 64, 3)
    assert copy == File("http://h/x")
    assert hash(copy) == hash(File("http://h/x"))


def test_what_an_older_version_pickled_is_read() -> None:
    file = File("http://h/x", size=3)
    file.__setstate__(("http://h/y", "/z"))
    assert (file.url, file.local_path, file.size) == ("http://h/y", "/z", None)


@pytest.mark.parametrize(
    "checksum", ["", "sha256", "sha256:abc", "crc32:00000000", "md5:" + "g" * 32]
)
def test_a_checksum_that_can_be_none_is_refused(checksum: str) -> None:
    with pytest.raises(ValueError, match="sha256 with 64"):
        File("x", checksum=checksum)


@pytest.mark.parametrize("size", [-1, 1.5, True, "3"])
def test_a_size_that_can_be_none_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        File("x", size=size)


def test_a_directory_ends_in_a_slash_and_has_no_checksum() -> None:
    assert File("http://h/d/").is_directory
    assert not File("http://h/d").is_directory
    with pytest.raises(ValueError, match="directory, which has no checksum"):
        File("http://h/d/", checksum="md5:" + "0" * 32)


def test_members_of_archives_have_urls_without_a_host() -> None:
    file = File("zip:/a/b.zip/c.txt")
    assert (file.scheme, file.netloc, file.path) == ("zip", "", "/a/b.zip/c.txt")


def test_it_is_noticed_when_a_file_needs_somebody_to_bring_it() -> None:
    # In a process of its own: whoever has met one knows it for good.
    script = (
        "from lamina.vocabulary import File; File('x'); first = File.need_staging; {};"
        "print(first, File.need_staging)"
    )
    for made in ("File('http://h/x')", "File('x', size=1)", "File('x', 'md5:' + '0' * 32)"):
        done = subprocess.run(
            [sys.executable, "-c", script.format(made)], capture_output=True, text=True, check=True
        )
        assert done.stdout == "False True\n"
