"""The way back for workers: ports of the host that lead to ports of this one.

Each is kept open until the tunnel is closed: when the connection breaks, another is made and the
same port is asked for again, because that is where the workers look.
"""

import functools
import json
import logging
import shlex
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import paramiko

from lamina.channels import ChannelError, Forward
from lamina.channels_ssh.commands import run
from lamina.channels_ssh.connection import Connection, hang_up
from lamina.channels_ssh.errors import ConnectionFailed

__all__ = ["TUNNELS", "Tunnel"]

_log = logging.getLogger(__name__)

TUNNELS = ("relay", "gateway", "loopback")
LOOPBACK = "127.0.0.1"
READ_SIZE = 2**16  # bytes
PATIENCE = 30.0  # seconds for the relay to start, and for a connection here
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between two attempts to open a port again


@attrs.define
class _Way:
    """One port there that leads to one here."""

    local: int
    listening: int = 0
    """The port of the host's SSH server."""
    forward: Forward | None = None
    transport: paramiko.Transport | None = None
    relay: paramiko.Channel | None = None
    process: tuple[int, str] = (0, "")
    """The relay's pid, and when it began."""


class Tunnel:
    """All ways back over one connection. Any thread may call.

    ``kind`` says who listens there: ``"loopback"`` and ``"gateway"`` are the SSH server, at the
    loopback interface or at all of them, and ``"relay"`` is a small program beside it.
    """

    def __init__(self, connection: Connection, host: str, kind: str, python: str) -> None:
        self._connection, self._host, self._kind, self._python = connection, host, kind, python
        self._ways: dict[int, _Way] = {}
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None

    def open(self, port: int) -> Forward:
        """Open a way to a port of this host; asked again, it is the same one.

        Raises:
            ChannelError: There is none.
        """
        with self._changing:
            way = self._ways.get(port)
            if way is None:
                way = _Way(port)
                self._open(way)
                self._ways[port] = way
            if self._keeper is None:
                self._keeper = threading.Thread(
                    target=self._keep, name="lamina-ssh-tunnel", daemon=True
                )
                self._keeper.start()
            assert way.forward is not None
            return way.forward

    def close(self) -> None:
        """Keep no way open any more; the connection is somebody else's to close."""
        self._closed.set()

    # Opening; the lock is held.

    def _open(self, way: _Way) -> None:
        if not _listens(way):
            bind = "" if self._kind == "gateway" else LOOPBACK
            # A host that does not know yet that a connection broke goes on listening for it. Of
            # the relay's port nobody else knows, so it may be another.
            port = 0 if self._kind == "relay" else way.listening
            transport, port = self._connection.request_forward(bind, port, self._arrived)
            way.transport, way.listening = transport, port
        if self._kind == "relay":
            self._start_relay(way)
        elif way.forward is None:
            named = self._named() if self._kind == "gateway" else ()
            way.forward = Forward((*named, LOOPBACK), way.listening)

    def _named(self) -> tuple[str, ...]:
        """By which addresses and by which name the host may be found in its own network."""
        asked = ["sh", "-c", "hostname -I; hostname"]
        done = run(self._connection, asked, stdin="", env={}, timeout=PATIENCE)
        # The addresses of one link only lead nobody there.
        return tuple(one for one in done.stdout.split() if ":" not in one)

    def _start_relay(self, way: _Way) -> None:
        text = Path(__file__).with_name("relay.py").read_text(encoding="utf-8")
        wanted = way.forward.port if way.forward else 0
        words = [self._python, "-c", text, *map(str, (way.listening, wanted, *way.process))]
        session = self._connection.open_session(PATIENCE)
        with ExitStack() as undo:
            undo.callback(hang_up, session)
            session.settimeout(PATIENCE)
            try:
                session.exec_command(f"exec {shlex.join(words)}")
                said = _said(session)
                way.forward = Forward(tuple(said["hosts"]), said["port"])
                way.process = said["pid"], said["began"]
            except (paramiko.SSHException, EOFError, OSError, ValueError) as error:
                why = f"the relay did not start: {str(error) or type(error).__name__}"
                raise ConnectionFailed("opening the tunnel", why) from error
            undo.pop_all()
        way.relay = session

    # Keeping open, on a thread of its own.

    def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._closed.wait(pause):
            with self._changing:
                broken = [way for way in self._ways.values() if _is_broken(way)]
                # One that does not open, as because its port was taken, keeps none from it.
                opened = [self._opened_again(way) for way in broken]
            pause = FIRST_PAUSE if all(opened) else min(LONGEST_PAUSE, 2 * pause)

    def _opened_again(self, way: _Way) -> bool:
        _log.warning("the tunnel of %s broke; it is opened again", self._host)
        try:
            self._open(way)
        except ChannelError as error:
            _log.warning("the tunnel of %s is not open: %s", self._host, error)
            return False
        return True

    # Connections, each on threads of its own.

    def _arrived(
        self, channel: paramiko.Channel, origin: tuple[str, int], server: tuple[str, int]
    ) -> None:
        """A worker has come. This runs on paramiko's thread, which must not wait."""
        local = {way.listening: way.local for way in list(self._ways.values())}.get(server[1])
        if local is None:
            hang_up(channel)
            return
        threading.Thread(target=_carry, args=(channel, local), daemon=True).start()


def _listens(way: _Way) -> bool:
    return way.transport is not None and way.transport.is_active()


def _is_broken(way: _Way) -> bool:
    return not _listens(way) or (way.relay is not None and way.relay.closed)


def _said(session: paramiko.Channel) -> dict[str, Any]:
    """Where the relay says that it listens; a login shell may have said something before."""
    said = b""
    while data := session.recv(READ_SIZE):
        said += data
        for line in said.splitlines(keepends=True):
            if line.startswith(b'{"hosts"') and line.endswith(b"\n"):
                facts: dict[str, Any] = json.loads(line)
                return facts
    errors = session.recv_stderr(READ_SIZE).decode("utf-8", errors="replace")
    raise OSError(errors.strip() or "it said nothing")


def _carry(channel: paramiko.Channel, port: int) -> None:
    """Hand on what a worker says to a port of this host, and the answers."""
    with ExitStack() as held:
        held.callback(hang_up, channel)
        try:
            link = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
        except OSError:
            return  # nobody listens just now, and the worker will come again
        with link:
            link.settimeout(None)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(
                target=_pump, args=(link.recv, channel.sendall, channel.shutdown_write), daemon=True
            )
            back.start()
            _pump(channel.recv, link.sendall, functools.partial(link.shutdown, socket.SHUT_WR))
            back.join()


def _pump(
    receive: Callable[[int], bytes],
    send: Callable[[bytes], object],
    finish: Callable[[], object],
) -> None:
    """Hand on one way, to its end."""
    try:
        while data := receive(READ_SIZE):
            send(data)
    except (paramiko.SSHException, EOFError, OSError):
        pass
    try:
        finish()
    except (paramiko.SSHException, EOFError, OSError):
        pass  # that end is gone altogether, and the other way notices, too
