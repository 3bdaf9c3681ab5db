import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lamina.hosting.door import PATIENCE, Door, ask
from lamina.vocabulary import ConfigError, UsageError


class _Host:
    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []

    def answer(self, request: Mapping[str, Any]) -> None:
        self.asked.append(request)
        if request.get("do") == "refuse":
            msg = "not today"
            raise UsageError(msg)
        if request.get("do") == "break":
            raise ValueError("broken")


@pytest.fixture
def host() -> _Host:
    return _Host()


@pytest.fixture
def door(host: _Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setenv("LAMINA_SOCKET_DIR", str(tmp_path))
    made = Door(host.answer)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_is_done_before_the_answer_comes(door: Door, host: _Host) -> None:
    ask(door.path, {"do": "drain", "block": "0"})
    assert host.asked == [{"do": "drain", "block": "0"}]


def test_it_is_for_its_user_alone(door: Door) -> None:
    assert Path(door.path).parent.stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_done_is_an_error_of_whoever_asked(door: Door, host: _Host) -> None:
    with pytest.raises(UsageError, match="not today"):
        ask(door.path, {"do": "refuse"})
    with pytest.raises(UsageError, match="ValueError: broken"):
        ask(door.path, {"do": "break"})
    ask(door.path, {"do": "something"})
    assert len(host.asked) == 3


@pytest.mark.parametrize("said", [b"", b"hello\n", b"[1]\n", b"x" * 70_000])
def test_nonsense_and_silence_do_no_harm(door: Door, host: _Host, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(door.path)
        link.sendall(said)
        link.shutdown(socket.SHUT_WR)
        assert b"no request" in link.recv(1000)
    ask(door.path, {"do": "something"})
    assert host.asked == [{"do": "something"}]


def test_where_nobody_listens_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not listen"):
        ask(str(tmp_path / "endpoint"), {})
    with pytest.raises(UsageError, match="any door"):
        ask("", {})


def test_an_answer_that_makes_no_sense_is_an_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        path = str(tmp_path / "endpoint")
        listener.bind(path)
        listener.listen()
        listener.settimeout(30.0)

        def hang_up() -> None:
            link, _ = listener.accept()
            link.recv(100)
            link.close()

        other = threading.Thread(target=hang_up)
        other.start()
        with pytest.raises(UsageError, match="makes sense"):
            ask(path, {"do": "something"})
        other.join(30.0)


def test_its_closing_waits_for_nobody_who_says_nothing(host: _Host, tmp_path: Path) -> None:
    door = Door(host.answer)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(door.path)
        threading.Event().wait(0.1)  # as a rule it listens to this one by now
        began = time.monotonic()
        door.close()
        assert time.monotonic() - began < PATIENCE / 2
        assert link.recv(100) in (b"", b'{"error": "that is no request"}\n')


@pytest.mark.parametrize("place", ["none", "deep/" * 30])
def test_where_there_can_be_no_socket_is_said_and_nothing_is_left(
    host: _Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    there = tmp_path / place
    if place != "none":
        there.mkdir(parents=True)
    monkeypatch.setenv("LAMINA_SOCKET_DIR", str(there))
    with pytest.raises(ConfigError, match="set LAMINA_SOCKET_DIR"):
        Door(host.answer)
    assert not there.exists() or list(there.iterdir()) == []


def test_it_outlives_that_there_is_no_room_for_another_descriptor() -> None:
    code = """
import os, resource, socket, threading
from lamina.hosting.door import PAUSE, Door

door = Door(print)
link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
link.settimeout(5)
first_free = os.dup(0)
os.close(first_free)
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, before[1]))
link.connect(door.path)
threading.Event().wait(2 * PAUSE)
resource.setrlimit(resource.RLIMIT_NOFILE, before)
link.sendall(b"{}\\n")
print(link.recv(100).decode(), end="")
door.close()
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == "{}\n{}\n", said.stderr
