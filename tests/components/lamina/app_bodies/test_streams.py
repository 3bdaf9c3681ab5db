import io
import os
import threading
from pathlib import Path

import pytest

from lamina.app_bodies import BadStdStreamFile, StdStream, read_stream
from lamina.app_bodies.streams import open_stream, redirected, tail_of
from lamina.vocabulary import File


def test_a_path_is_appended_to_and_a_file_is_written_anew() -> None:
    assert read_stream("a", "stdout") == StdStream("a", "a+")
    assert read_stream(Path("a"), "stdout") == StdStream("a", "a+")
    assert read_stream(("a", "w"), "stdout") == StdStream("a", "w")
    assert read_stream(File("a"), "stdout") == StdStream("a", "w")


@pytest.mark.parametrize(
    "spec", [3, ["a", "w"], ("a",), ("a", "w", "x"), ("a", "r"), ("a", "wa"), ("a", 1), "", b"a"]
)
def test_what_is_no_stream_is_refused_and_named(spec: object) -> None:
    with pytest.raises(BadStdStreamFile, match="stderr"):
        read_stream(spec, "stderr")


def test_the_directory_of_a_stream_is_made(tmp_path: Path) -> None:
    with open_stream(StdStream(str(tmp_path / "a/b/c")), "stdout") as file:
        file.write("x")
    assert (tmp_path / "a/b/c").read_text() == "x"


def test_a_stream_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadStdStreamFile, match="directory"):
        open_stream(StdStream(str(tmp_path)), "stdout")


def test_the_tail_is_the_last_ten_lines() -> None:
    text = "\n".join(str(n) for n in range(5000))
    assert tail_of(io.BytesIO(text.encode())).split() == [str(n) for n in range(4990, 5000)]


def test_a_process_is_redirected_for_a_while(tmp_path: Path) -> None:
    both = StdStream(str(tmp_path / "both"))
    with redirected(both, both):
        os.write(1, b"out\n")
        os.write(2, b"err\n")
    os.write(1, b"not there\n")
    assert (tmp_path / "both").read_text() == "out\nerr\n"


def test_two_streams_of_one_file_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = str(tmp_path / "both")
    with redirected(StdStream(path, "w"), StdStream(path)):
        os.write(1, b"out\n")
        os.write(2, b"err\n")
        os.write(1, b"end\n")
    assert (tmp_path / "both").read_text() == "out\nerr\nend\n"


def test_a_thread_is_not_redirected(tmp_path: Path) -> None:
    caught: list[BadStdStreamFile] = []

    def work() -> None:
        try:
            with redirected(None, StdStream(str(tmp_path / "x"))):
                pass
        except BadStdStreamFile as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert caught[0].stream == "stderr"
    assert not (tmp_path / "x").exists()
