import inspect
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lamina.channels_ssh.relay import carry, hosts, pump, relay, take_over

RELAY = Path(inspect.getfile(carry))
PATIENCE = 20.0  # seconds


@contextmanager
def relaying(
    target: int, port: int = 0, before: int = 0, began: str = ""
) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """The relay as it runs on a host: its text, given to a Python that has nothing of ours."""
    words = map(str, (target, port, before, began))
    command = [sys.executable, "-I", "-S", "-c", RELAY.read_text(), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        assert process.wait(PATIENCE) == 0


def echo(listener: socket.socket) -> None:
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        with link:
            while data := link.recv(2**16):
                link.sendall(data)


@contextmanager
def echoing() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def say(link: socket.socket, words: bytes) -> None:
    with suppress(OSError):
        link.sendall(words)
        link.shutdown(socket.SHUT_WR)


def said_back(host: str, port: int, words: bytes) -> bytes:
    with socket.create_connection((host, port), timeout=PATIENCE) as link:
        threading.Thread(target=say, args=(link, words), daemon=True).start()
        got = b""
        while data := link.recv(2**16):
            got += data
        return got


def test_what_comes_is_handed_on_and_the_answer_back() -> None:
    words = bytes(range(256)) * 4000
    with echoing() as target, relaying(target) as (_, said):
        for host in said["hosts"]:
            assert said_back(host, said["port"], words) == words


def test_it_ends_when_nobody_holds_its_stdin_and_listens_at_the_same_port_again() -> None:
    with echoing() as target:
        with relaying(target) as (_, first):
            assert said_back("127.0.0.1", first["port"], b"one") == b"one"
        with relaying(target, first["port"]) as (_, second):
            assert second["port"] == first["port"]
            assert said_back("127.0.0.1", first["port"], b"two") == b"two"


def test_it_takes_over_from_one_whose_end_nobody_has_noticed() -> None:
    with echoing() as target, ExitStack() as held:
        words = [sys.executable, "-c", RELAY.read_text(), str(target), "0", "0", ""]
        old = held.enter_context(
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        held.callback(old.kill)
        assert old.stdout is not None
        first = json.loads(old.stdout.readline())
        assert first["pid"] == old.pid
        with relaying(target, first["port"], first["pid"], first["began"]) as (_, second):
            assert second["port"] == first["port"]
            assert said_back("127.0.0.1", first["port"], b"words") == b"words"
        assert old.wait(PATIENCE) == -signal.SIGKILL


def test_it_takes_over_from_nobody_who_only_has_the_number() -> None:
    take_over(os.getpid(), "1")
    take_over(os.getpid(), "")


def test_where_nobody_listens_the_connection_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = int(held.getsockname()[1])
    with relaying(free) as (_, said):
        assert said_back("127.0.0.1", said["port"], b"") == b""


def test_more_connections_than_it_may_have_files_wait_for_others_to_go() -> None:
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        process, said = held.enter_context(relaying(target.getsockname()[1]))
        there = ("127.0.0.1", said["port"])
        with ExitStack() as others:
            for _ in range(3):
                others.enter_context(socket.create_connection(there))
                others.enter_context(target.accept()[0])
            most = max(map(int, os.listdir(f"/proc/{process.pid}/fd"))) + 1
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, most))
            others.enter_context(socket.create_connection(there)).sendall(b"there is no room")
            tick = threading.Event()
            tick.wait(0.1)  # only so that a relay that gives up has the time to do so
        target.settimeout(None)
        threading.Thread(target=echo, args=(target,), daemon=True).start()
        end = time.monotonic() + PATIENCE
        while not is_said_back(*there, b"words"):
            assert time.monotonic() < end
        target.shutdown(socket.SHUT_RDWR)


def is_said_back(host: str, port: int, words: bytes) -> bool:
    try:
        return said_back(host, port, words) == words
    except ConnectionError:  # there was no room yet; who is in earnest comes again
        return False


def test_a_host_is_found_by_its_addresses_then_its_name_and_by_itself() -> None:
    found = hosts()
    assert found[-2:] == [socket.gethostname(), "127.0.0.1"]
    assert not any(":" in one or one.startswith("127.") for one in found[:-2])


def test_without_the_command_for_it_the_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/place")
    assert hosts() == [socket.gethostname(), "127.0.0.1"]


def test_one_connection_is_carried_to_its_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        near, _ = listener.accept()
    with echoing() as target, far:
        thread = threading.Thread(target=carry, args=(near, target))
        thread.start()
        far.sendall(b"words")
        far.shutdown(socket.SHUT_WR)
        assert far.recv(100) == b"words"
        assert far.recv(100) == b""
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_it_says_where_it_listens_and_serves_until_its_stdin_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    with open(reading) as stdin, echoing() as target:
        monkeypatch.setattr(sys, "stdin", stdin)
        thread = threading.Thread(target=relay, args=(target, 0))
        thread.start()
        said = ""
        end = time.monotonic() + PATIENCE
        while not said.endswith("\n"):
            assert time.monotonic() < end
            said += capsys.readouterr().out
        assert said_back("127.0.0.1", json.loads(said)["port"], b"words") == b"words"
        os.close(writing)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_an_end_that_broke_ends_the_way() -> None:
    near, far = socket.socketpair()
    near.close()
    with far:
        pump(near, far)
        far.close()
        pump(far, near)
