"""ZeroMQ sockets as the shells of interchange and manager use them.

Over tcp both ends use CURVE: the interchange has a key pair of its own, all managers of a run
share another, and whoever has neither is not let in. The Unix socket of a link on one host
lies in a directory of mode 0700 instead.

libzmq keeps a message until it is whole, also one of a stranger whose handshake it still is. So
no part of a message may be larger than ``PART``, which bounds what a stranger can make us keep;
our own frames are cut into as many parts as they need.
"""

import errno
import struct
import time
from collections.abc import Sequence

import zmq
from zmq.utils import z85

from lamina.htex_core import Buffer, Parts
from lamina.htex_wire.endpoints import Endpoint, is_loopback, parse
from lamina.htex_wire.interfaces import local_addresses, ways_here
from lamina.htex_wire.keys import Keys, WireError
from lamina.htex_wire.waiting import Waiter, has_input

__all__ = ["Dealer", "Router"]

PART = 4 * 2**20  # bytes
_EVENT = struct.Struct("=hi")  # an event of a socket monitor, and its value
SEAL = 2**10  # bytes; more than what CURVE adds to a part
HANDSHAKE = 10.0  # seconds that a stranger has
_GATE = "inproc://zeromq.zap.01"  # where libzmq asks; RFC 27
_BATCH = 256  # frames taken from a socket before the others have their turn
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class Router:
    """The interchange's end: many managers, told apart by their routes.

    Args:
        name: Where to listen; see ``endpoints``. On all interfaces only with keys.
        keys: Those of the interchange, or None for a link that is not encrypted.

    Raises:
        WireError: It cannot listen there, or should not.
    """

    def __init__(self, name: str, keys: Keys | None) -> None:
        try:
            endpoint = parse(name)
        except ValueError as error:
            raise WireError(str(error)) from None
        self._context = zmq.Context()
        self._gate: zmq.Socket[bytes] | None = None
        self._keys = keys
        if keys is not None:
            self._gate = self._context.socket(zmq.REP)
            self._gate.bind(_GATE)
        self._socket = self._context.socket(zmq.ROUTER)
        _prepare(self._socket)
        if keys is not None:
            self._socket.curve_server = True
            self._socket.curve_publickey = keys.public
            self._socket.curve_secretkey = keys.secret
            self._socket.zap_domain = b"htex"
        asked = [self._socket] if self._gate is None else [self._socket, self._gate]
        self._waiter = Waiter(asked)
        try:
            self.address = self._listen(name, endpoint)
        except WireError:
            self.close()
            raise

    def watch(self, handle: int, *, writing: bool = False) -> None:
        """Wait for this descriptor too, to read or also to write."""
        self._waiter.watch(handle, writing=writing)

    def unwatch(self, handle: int) -> None:
        """Wait for it no more. Must be said before it is closed."""
        self._waiter.unwatch(handle)

    def wait(self, timeout: float | None) -> set[int]:
        """Wait until a frame has come or a descriptor is ready, at most ``timeout`` s.

        Returns the descriptors that are ready; -1 stands for this socket.
        """
        readable, handles = self._waiter.wait(timeout)
        found = set(handles)
        for each in readable:
            if each is self._gate:
                self._admit()
            else:
                found.add(-1)
        return found

    def receive(self) -> list[tuple[bytes, Parts]]:
        """What has come: routes and frames. A route without a frame is dropped."""
        frames: list[tuple[bytes, Parts]] = []
        self._waiter.used(self._socket)
        while len(frames) < _BATCH and has_input(self._socket):
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
            if len(parts) > 1:
                frames.append((parts[0], parts[1:]))
        return frames

    def send(self, route: bytes, frame: bytes | Parts) -> None:
        """Send one frame; if the route is gone, so is the frame."""
        try:
            self._waiter.used(self._socket)
            parts = _parts(frame)
            self._socket.send_multipart((route, *parts), zmq.NOBLOCK, copy=len(parts) == 1)
        except zmq.ZMQError:
            pass  # an unknown route or a full pipe: the manager's lease decides, not we

    def close(self, linger: float = 0) -> None:
        """Close; ``linger`` seconds are spent on what is still to be sent."""
        self._waiter.close()
        self._socket.close(linger=int(linger * 1000))
        if self._gate is not None:
            self._gate.close(linger=0)
        self._context.term()

    def _listen(self, name: str, endpoint: Endpoint) -> str:
        """Listen, and say by which name managers find us."""
        if endpoint.path:
            self._bind(name, [name])
            return name
        mine = local_addresses()
        where, hosts = _listening(endpoint, mine)
        if where == "*" and self._keys is None:
            msg = (
                f"{name} would be open to the network without keys; leave encrypted=True, "
                "or give the IP address of one interface as address"
            )
            raise WireError(msg)
        # One socket for both, where this host has IPv6 at all.
        self._socket.ipv6 = ":" in where or (where == "*" and any(":" in ip for ip in mine))
        host = f"[{where}]" if ":" in where else where
        ports = endpoint.ports or ("*",)
        port = self._bind(name, [f"tcp://{host}:{port}" for port in ports])
        return endpoint.at(hosts, port)

    def _bind(self, name: str, addresses: Sequence[str]) -> int:
        """Listen at the first address that is free; its port, if it has one."""
        trouble: zmq.ZMQError | None = None
        for address in addresses:
            try:
                self._socket.bind(address)
            except zmq.ZMQError as error:
                trouble = error
                if error.errno != errno.EADDRINUSE:
                    break
            else:
                port = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2]
                return int(port) if port.isdigit() else 0
        msg = f"cannot listen on {name}: {trouble}. Choose another address or port"
        raise WireError(msg)

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
        _prepare(self._socket)
        self._socket.ipv6 = "[" in address
        self._socket.reconnect_ivl = 50  # ms, while the first connection is being made
        if keys is not None:
            self._socket.curve_publickey = keys.public
            self._socket.curve_secretkey = keys.secret
            self._socket.curve_serverkey = keys.other
        events = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | _FAILED
        self._monitor = self._socket.get_monitor_socket(events)
        self._socket.connect(address)
        self._waiter = Waiter([self._socket, self._monitor])
        self.lost = False

    def shakes_hands(self, timeout: float) -> bool:
        """Wait at most ``timeout`` s for the other end to prove that it holds the keys."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0 and self._monitor.poll(int(left * 1000) + 1):
            event = self._event()
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            if event & (_FAILED | zmq.EVENT_DISCONNECTED):
                return False
        return False

    def _event(self) -> int:
        # As zmq.utils.monitor reads it, which brings asyncio along: 40 ms for each process.
        event: int = _EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])[0]
        return event

    def watch(self, handle: int, *, writing: bool = False) -> None:
        """Wait for this descriptor too, to read or also to write."""
        self._waiter.watch(handle, writing=writing)

    def unwatch(self, handle: int) -> None:
        """Wait for it no more. Must be said before it is closed."""
        self._waiter.unwatch(handle)

    def wait(self, timeout: float) -> dict[int, bool]:
        """Wait at most ``timeout`` s. The descriptors that are ready, and if to be written.

        -1 stands for this socket.
        """
        readable, found = self._waiter.wait(timeout)
        for each in readable:
            if each is self._monitor:
                event = self._event()
                self.lost = self.lost or event == zmq.EVENT_DISCONNECTED
            else:
                found[-1] = False
        return found

    def receive(self) -> list[Parts]:
        """What has come."""
        frames: list[Parts] = []
        self._waiter.used(self._socket)
        while len(frames) < _BATCH and has_input(self._socket):
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
            frames.append(parts)
        return frames

    def send(self, frame: bytes | Parts) -> None:
        """Send one frame."""
        try:
            self._waiter.used(self._socket)
            parts = _parts(frame)
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=len(parts) == 1)
        except zmq.Again:
            pass  # nothing is connected: registration will say what matters again

    def close(self, linger: float = 0) -> None:
        """Close; ``linger`` seconds are spent on what is still to be sent."""
        self._waiter.close()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=int(linger * 1000))
        self._context.term()


def _prepare(socket: "zmq.Socket[bytes]") -> None:
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = 0  # credit bounds what is under way
    socket.maxmsgsize = PART + SEAL
    socket.handshake_ivl = int(HANDSHAKE * 1000)


def _parts(frame: bytes | Parts) -> Parts:
    """What is sent as one message: no part too long for the other end."""
    given = (frame,) if isinstance(frame, bytes) else frame
    if all(len(part) <= PART for part in given):
        return given
    parts: list[Buffer] = []
    for part in given:
        view = memoryview(part)
        parts += [view[at : at + PART] for at in range(0, len(view), PART)]
    return parts


def _listening(endpoint: Endpoint, mine: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """At which address to listen, and under which hosts to be found.

    One address of ours is all that is opened. A name, which we look up nowhere, or an address
    that only others see, as behind a translating router, may lead to any interface.
    """
    if endpoint.everywhere:
        return "*", ways_here()
    if len(endpoint.hosts) == 1:
        (host,) = endpoint.hosts
        if host == "localhost":
            return "127.0.0.1", ("127.0.0.1",)
        if host in mine or is_loopback(host):
            return host, (host,)
    return "*", endpoint.hosts
