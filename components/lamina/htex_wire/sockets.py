"""ZeroMQ sockets as the shells of interchange and manager use them; the one room of ``zmq``.

Over tcp both ends use CURVE: the interchange has a key pair of its own, all managers of a run
share another, and whoever has neither is not let in. The Unix socket of a link on one host
lies in a directory of mode 0700 instead.
"""

import os
import socket
from collections.abc import Iterable
from pathlib import Path

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from lamina.vocabulary import LaminaError

__all__ = ["Dealer", "Keys", "Router", "WireError", "make_keys", "read_keys", "reachable"]

_GATE = "inproc://zeromq.zap.01"  # where libzmq asks; RFC 27
_BATCH = 256  # frames taken from a socket before the others have their turn


class WireError(LaminaError):
    """A socket could not be opened."""


class Keys:
    """The key pair of one side, and the public key of the other."""

    def __init__(self, public: bytes, secret: bytes, other: bytes) -> None:
        self.public, self.secret, self.other = public, secret, other


def make_keys(directory: Path) -> None:
    """Write the key pairs of a run, each file for the user alone; existing ones stay."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for side in ("interchange", "manager"):
        if (directory / side).exists():
            continue
        public, secret = zmq.curve_keypair()
        for name, key in ((f"{side}.public", public), (side, secret)):
            handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key)


def read_keys(directory: Path, side: str) -> Keys:
    """Read what one side needs: ``"interchange"`` or ``"manager"``.

    Raises:
        WireError: Others than the user may read the directory.
    """
    if directory.stat().st_mode & 0o077:
        msg = f"{directory} holds keys and others may read it; chmod 700 it"
        raise WireError(msg)
    other = "manager" if side == "interchange" else "interchange"
    return Keys(
        (directory / f"{side}.public").read_bytes(),
        (directory / side).read_bytes(),
        (directory / f"{other}.public").read_bytes(),
    )


def reachable(addresses: Iterable[str], timeout: float) -> tuple[str | None, list[str]]:
    """The first tcp address that accepts a connection, and what became of each attempt."""
    attempts: list[str] = []
    for address in addresses:
        if not address.startswith("tcp://"):
            return address, attempts
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout):
                return address, attempts
        except OSError as error:
            attempts.append(f"{address}: {error}")
    return None, attempts


class Router:
    """The interchange's end: many managers, told apart by their routes."""

    def __init__(self, address: str, keys: Keys | None) -> None:
        self._context = zmq.Context()
        self._gate: zmq.Socket[bytes] | None = None
        self._keys = keys
        if keys is not None:
            self._gate = self._context.socket(zmq.REP)
            self._gate.bind(_GATE)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.sndhwm = self._socket.rcvhwm = 0  # credit bounds what is under way
        if keys is not None:
            self._socket.curve_server = True
            self._socket.curve_publickey = keys.public
            self._socket.curve_secretkey = keys.secret
            self._socket.zap_domain = b"htex"
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            msg = f"cannot listen on {address}: {error}. Choose another address or port"
            raise WireError(msg) from None
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def wait(self, handles: Iterable[int], timeout: float | None) -> set[int]:
        """Wait until a frame or one of the file descriptors is ready, at most ``timeout`` s.

        Returns the descriptors that are ready; -1 stands for this socket.
        """
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        if self._gate is not None:
            poller.register(self._gate, zmq.POLLIN)
        for handle in handles:
            poller.register(handle, zmq.POLLIN)
        ready = poller.poll(None if timeout is None else max(0, int(timeout * 1000) + 1))
        found = set()
        for which, _ in ready:
            if which is self._socket:
                found.add(-1)
            elif which is self._gate:
                self._admit()
            else:
                found.add(which)
        return found

    def receive(self) -> list[tuple[bytes, bytes]]:
        """What has come: routes and frames. Whatever has not two parts is dropped."""
        frames = []
        for _ in range(_BATCH):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            if len(parts) == 2:
                frames.append((parts[0], parts[1]))
        return frames

    def send(self, route: bytes, frame: bytes) -> None:
        """Send one frame; if the route is gone, so is the frame."""
        try:
            self._socket.send_multipart((route, frame), zmq.NOBLOCK)
        except zmq.ZMQError:
            pass  # an unknown route or a full pipe: the manager's lease decides, not we

    def close(self, linger: float = 0) -> None:
        """Close; ``linger`` seconds are spent on what is still to be sent."""
        self._socket.close(linger=int(linger * 1000))
        if self._gate is not None:
            self._gate.close(linger=0)
        self._context.term()

    def _admit(self) -> None:
        """Answer libzmq's question whether a client may come in (RFC 27)."""
        assert self._gate is not None
        assert self._keys is not None
        parts = self._gate.recv_multipart()
        version, request, *_ = parts
        mechanism, credentials = parts[5], parts[6:]
        known = mechanism == b"CURVE" and z85.encode(credentials[0]) == self._keys.other
        code, text = (b"200", b"OK") if known else (b"400", b"unknown key")
        self._gate.send_multipart((version, request, code, text, b"manager", b""))


class Dealer:
    """A manager's end. A lost connection closes it; whoever uses it opens another."""

    def __init__(self, address: str, keys: Keys | None) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.sndhwm = self._socket.rcvhwm = 0
        self._socket.reconnect_ivl = 50  # ms, while the first connection is being made
        if keys is not None:
            self._socket.curve_publickey = keys.public
            self._socket.curve_secretkey = keys.secret
            self._socket.curve_serverkey = keys.other
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.connect(address)
        self.poller = zmq.Poller()
        self.poller.register(self._socket, zmq.POLLIN)
        self.poller.register(self._monitor, zmq.POLLIN)
        self.lost = False

    def watch(self, handle: int, *, writing: bool = False) -> None:
        """Wait for this descriptor too, to read or also to write."""
        self.poller.register(handle, zmq.POLLIN | (zmq.POLLOUT if writing else 0))

    def unwatch(self, handle: int) -> None:
        """Wait for it no more."""
        try:
            self.poller.unregister(handle)
        except KeyError:
            pass

    def wait(self, timeout: float) -> dict[int, bool]:
        """Wait at most ``timeout`` s. The descriptors that are ready, and if to be written."""
        found: dict[int, bool] = {}
        for which, what in self.poller.poll(max(0, int(timeout * 1000) + 1)):
            if which is self._monitor:
                recv_monitor_message(self._monitor, zmq.NOBLOCK)
                self.lost = True
            elif which is self._socket:
                found[-1] = False
            else:
                found[which] = bool(what & zmq.POLLOUT)
        return found

    def receive(self) -> list[bytes]:
        """What has come."""
        frames = []
        for _ in range(_BATCH):
            try:
                frames.append(self._socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                break
        return frames

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            pass  # nothing is connected: registration will say what matters again

    def close(self, linger: float = 0) -> None:
        """Close; ``linger`` seconds are spent on what is still to be sent."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=int(linger * 1000))
        self._context.term()
