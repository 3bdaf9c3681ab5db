import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lamina.channels import ChannelError, Forward
from tests.components.lamina.channels_ssh.server import PATIENCE, Server, until


class Echo:
    """Says back what it is told, on this host."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        try:
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(link,), daemon=True).start()
        except OSError:
            return

    def _talk(self, link: socket.socket) -> None:
        with link:
            while data := link.recv(2**16):
                link.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


def say(link: socket.socket, words: bytes) -> None:
    with suppress(OSError):
        link.sendall(words)
        link.shutdown(socket.SHUT_WR)


def said_back(forward: Forward, words: bytes = b"words") -> bool:
    try:
        with socket.create_connection(("127.0.0.1", forward.port), timeout=PATIENCE) as link:
            threading.Thread(target=say, args=(link, words), daemon=True).start()
            got = b""
            while data := link.recv(2**16):
                got += data
            return got == words
    except OSError:
        return False


@pytest.mark.parametrize("kind", ["relay", "gateway", "loopback"])
def test_what_comes_there_arrives_here(server: Server, echo: Echo, kind: str) -> None:
    channel = server.channel(tunnel=kind)
    forward = channel.forward(echo.port)
    assert said_back(forward, bytes(range(256)) * 4000)
    assert "127.0.0.1" in forward.hosts
    assert (socket.gethostname() in forward.hosts) is (kind != "loopback")
    assert channel.forward(echo.port) == forward
    channel.close()
    until(lambda: not said_back(forward))


def test_two_ports_are_two_ways(server: Server, echo: Echo) -> None:
    channel = server.channel(tunnel="loopback")
    with socket.create_server(("127.0.0.1", 0)) as other:
        first, second = channel.forward(echo.port), channel.forward(other.getsockname()[1])
        assert first.port != second.port
        assert said_back(first)
        with socket.create_connection(("127.0.0.1", second.port)) as link:
            near, _ = other.accept()
            with near:
                near.sendall(b"other")
                assert link.recv(100) == b"other"
    channel.close()


@pytest.mark.parametrize("kind", ["relay", "loopback"])
def test_after_a_cut_it_is_open_again_at_the_same_port(
    server: Server, echo: Echo, kind: str
) -> None:
    channel = server.channel(tunnel=kind)
    forward = channel.forward(echo.port)
    assert said_back(forward)
    server.cut()
    until(lambda: said_back(forward))
    assert server.logins == 2
    channel.close()


def test_it_is_open_again_although_the_host_has_not_noticed_the_cut(
    server: Server, echo: Echo, tmp_path: Path
) -> None:
    """So the relay goes on, and the server listens for the connection that is no more."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nsleep 1000 | exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    ports: list[int] = []
    server.listens = ports.append
    channel = server.channel(python=str(python))
    forward = channel.forward(echo.port)
    assert said_back(forward)
    server.taken_ports = set(ports)
    server.cut()
    until(lambda: said_back(forward))
    assert server.logins == 2
    channel.close()


def test_a_way_whose_port_was_taken_meanwhile_keeps_no_other_from_being_opened_again(
    server: Server, echo: Echo
) -> None:
    channel = server.channel(tunnel="loopback")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = channel.forward(other.getsockname()[1]), channel.forward(echo.port)
        server.taken_ports = {taken.port}
        server.cut()
        until(lambda: said_back(free))
    channel.close()


def test_it_is_tried_again_until_the_host_is_back(server: Server, echo: Echo) -> None:
    channel = server.channel(tunnel="loopback")
    forward = channel.forward(echo.port)
    server.stop()
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 1.0)  # long enough for an attempt to fail
    server.resume()
    until(lambda: said_back(forward))
    channel.close()


def test_a_relay_that_died_is_started_again(server: Server, echo: Echo) -> None:
    channel = server.channel()
    forward = channel.forward(echo.port)
    server.processes[0].kill()
    until(lambda: said_back(forward))
    assert server.logins == 1
    channel.close()


def test_where_nobody_listens_here_the_worker_is_let_go(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = int(held.getsockname()[1])
    channel = server.channel(tunnel="loopback")
    forward = channel.forward(free)
    with socket.create_connection(("127.0.0.1", forward.port), timeout=PATIENCE) as link:
        assert link.recv(100) == b""
    channel.close()


def test_an_end_here_that_breaks_off_ends_the_connection_there(server: Server) -> None:
    channel = server.channel(tunnel="loopback")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forward = channel.forward(listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", forward.port), timeout=PATIENCE) as link:
            near, _ = listener.accept()
            near.close()
            assert link.recv(100) == b""
    channel.close()


def test_a_host_that_does_not_listen_for_us_says_what_its_administrator_must_allow(
    server: Server,
) -> None:
    server.forwards = False
    with pytest.raises(ChannelError, match="AllowTcpForwarding"):
        server.channel().forward(1)


def test_a_relay_without_a_python_says_so(server: Server, echo: Echo) -> None:
    with pytest.raises(ChannelError, match=r"relay did not start: .*no-such-python"):
        server.channel(python="no-such-python").forward(echo.port)
