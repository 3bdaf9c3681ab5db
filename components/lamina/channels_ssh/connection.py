"""One connection to a host: made when first needed, watched, and made again when it broke."""

import functools
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import paramiko

from lamina.channels_ssh.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyRefused,
    UnknownHostKey,
)
from lamina.channels_ssh.known_hosts import (
    KnownKey,
    Verdict,
    fingerprint,
    judge,
    known_keys,
    line_for,
)
from lamina.channels_ssh.login import Credentials, log_in
from lamina.channels_ssh.targets import Target

__all__ = ["Connection", "Route", "hang_up"]

SESSIONS = 8  # at a time; sshd allows ten by default, and ends of commands need one more
MAKING_ROOM = 3.0  # seconds; for a host, a session lasts until its process has ended
ROOM_PAUSE = 0.05  # seconds between two attempts to open one in that time
ANSWERING = 300.0  # seconds that somebody may take to answer questions
KEY_KINDS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}  # which a host proves in other words
FORWARDING = 30.0  # seconds that the host has to listen at a port
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 900.0  # seconds after a login that was refused


class Route(NamedTuple):
    """The way to a host, and how to behave on it. Times are in seconds."""

    hops: tuple[Target, ...]
    """The last one is the host itself."""
    credentials: Credentials
    connect_timeout: float
    keep_alive: float


class Connection:
    """A connection that any thread may use. Nothing is contacted before it is needed."""

    def __init__(self, find_route: Callable[[], Route]) -> None:
        self._find_route = find_route
        self._changing = threading.Lock()
        self._asking = threading.Lock()  # paramiko can wait for one answer at a time
        self._sessions = threading.BoundedSemaphore(SESSIONS)
        self._chain: list[paramiko.Transport] = []
        self._refused: AuthenticationFailed | None = None
        self._refusals, self._not_before = 0, 0.0
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether there is a connection just now, as far as anybody knows."""
        chain = self._chain
        return bool(chain) and chain[-1].is_active()

    def transport(self) -> paramiko.Transport:
        """The connection; it is made if there is none, or none any more.

        Raises:
            ConnectionFailed: The host cannot be reached; again may help.
            AuthenticationFailed: It lets nobody in. It is not asked again for a while, so that
                no account is locked for our asking.
            HostKeyRefused: It may be another host.
        """
        with self._changing:
            if self._closed:
                raise ConnectionFailed("using the channel", "it has been closed")
            if self.alive:
                return self._chain[-1]
            self._drop()
            if self._refused is not None and time.monotonic() < self._not_before:
                raise self._refused
            try:
                self._chain = self._connect(self._find_route())
            except AuthenticationFailed as error:
                self._refused = error
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._refusals)
                self._refusals, self._not_before = self._refusals + 1, time.monotonic() + pause
                raise
            self._refused, self._refusals = None, 0
            return self._chain[-1]

    @contextmanager
    def session(self, timeout: float) -> Iterator[paramiko.Channel]:
        """A session of the connection, when there is room for it within ``timeout`` seconds.

        Raises:
            ChannelError: There is none.
        """
        if not self._sessions.acquire(timeout=timeout):
            why = f"{SESSIONS} commands and transfers were under way for {timeout:g} s"
            raise ConnectionFailed("opening a session", why)
        try:
            channel = self.open_session(timeout)
            try:
                yield channel
            finally:
                hang_up(channel)
        finally:
            self._sessions.release()

    def open_session(self, timeout: float) -> paramiko.Channel:
        """A session beyond those that are counted, for what must not wait for them.

        Raises:
            ChannelError: There is none.
        """
        until = time.monotonic() + timeout
        room_until = min(until, time.monotonic() + MAKING_ROOM)
        again = True
        while True:
            transport = self.transport()
            asked = time.monotonic()
            try:
                return transport.open_session(timeout=timeout)
            except (paramiko.SSHException, EOFError, OSError) as error:
                now = time.monotonic()
                # Of several that are refused at once, paramiko tells but one that it was that.
                silent = now - asked >= timeout
                refused = transport.is_active() and not silent
                if refused and now < room_until:
                    time.sleep(ROOM_PAUSE)
                    continue
                if not refused:
                    self.give_up(transport)
                # A connection that has just been found broken is made again, but once only: a
                # host that hangs up on each session is not to be logged in to again and again.
                if refused or not again or now >= until:
                    raise ConnectionFailed("opening a session", _said(error)) from error
                again = False

    def request_forward(
        self, bind: str, port: int, handler: Callable[..., None]
    ) -> tuple[paramiko.Transport, int]:
        """Have the host listen at a port, 0 for any; the transport, and the port that it took.

        Raises:
            ChannelError: It does not.
        """
        transport = self.transport()
        try:
            with self._answered(transport, FORWARDING):
                return transport, transport.request_port_forward(bind, port, handler)
        except (paramiko.SSHException, EOFError, OSError) as error:
            why = _said(error)
            if transport.is_active():
                why = (
                    f"its SSH server does not listen for us at {bind}:{port or 'any port'}: {why}. "
                    "AllowTcpForwarding in its configuration must be yes or remote"
                )
            raise ConnectionFailed("opening the tunnel", why) from error

    def give_up(self, transport: paramiko.Transport) -> None:
        """Drop a connection on which something did not answer; the next use makes another."""
        with self._changing:
            if self._chain and self._chain[-1] is transport:
                self._drop()

    def close(self) -> None:
        """Close it for good."""
        with self._changing:
            self._closed = True
            self._drop()

    # The lock is held.

    def _drop(self) -> None:
        chain, self._chain = self._chain, []
        for transport in reversed(chain):
            _shut(transport)

    def _connect(self, route: Route) -> list[paramiko.Transport]:
        chain: list[paramiko.Transport] = []
        try:
            for hop in route.hops:
                chain.append(self._enter(hop, route, chain[-1] if chain else None))
        except BaseException:
            for transport in reversed(chain):
                _shut(transport)
            raise
        watch = functools.partial(self._watch, chain[-1], route)
        threading.Thread(target=watch, name="lamina-ssh-keep-alive", daemon=True).start()
        return chain

    def _enter(
        self, hop: Target, route: Route, through: paramiko.Transport | None
    ) -> paramiko.Transport:
        what = f"connecting to {hop}"
        transport = None
        try:
            link = _link(hop, through, route.connect_timeout)
            transport = paramiko.Transport(link)
            transport.auth_timeout = ANSWERING
            transport.banner_timeout = route.connect_timeout
            keys = _keys_of(hop)
            _prefer(transport, keys)
            transport.start_client(timeout=route.connect_timeout)
            _check_key(transport.get_remote_server_key(), hop, keys)
            log_in(transport, hop, route.credentials)
        except BaseException as error:
            if transport is not None:
                _shut(transport)
            # UnicodeError: no name of a host looks like that.
            if isinstance(error, paramiko.SSHException | EOFError | OSError | UnicodeError):
                raise ConnectionFailed(what, _said(error)) from error
            raise
        return transport

    def _watch(self, transport: paramiko.Transport, route: Route) -> None:
        """Ask for a sign of life now and then; who gives none is given up."""
        while True:
            transport.join(route.keep_alive)
            if not transport.is_active():
                return
            try:
                with self._answered(transport, route.keep_alive):
                    transport.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                return

    @contextmanager
    def _answered(self, transport: paramiko.Transport, limit: float) -> Iterator[None]:
        """The one who waits for an answer of the host; without one in time, it is given up."""
        with self._asking:
            guard = threading.Timer(limit, _shut, (transport,))
            guard.daemon = True
            guard.start()
            try:
                yield
            finally:
                guard.cancel()


def _link(
    hop: Target, through: paramiko.Transport | None, timeout: float
) -> socket.socket | paramiko.Channel:
    if through is not None:
        return through.open_channel(
            "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=timeout
        )
    if hop.proxy_command:
        return _through_command(hop.proxy_command)
    link = socket.create_connection((hop.host, hop.port), timeout=timeout)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def _through_command(command: str) -> socket.socket:
    """A socket whose other end is a command's stdin and stdout; the command ends with it."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
    threading.Thread(target=process.wait, name="lamina-ssh-proxy", daemon=True).start()
    return ours


def _keys_of(hop: Target) -> list[KnownKey]:
    lines: list[str] = []
    for file in hop.known_hosts:
        try:
            lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue  # most of them are not there, and a key that is missing is told later
    return known_keys(lines, hop.known_as)


def _prefer(transport: paramiko.Transport, keys: list[KnownKey]) -> None:
    """Have the host show a key of a kind that we know, if it has one."""
    options = transport.get_security_options()
    kinds = [
        kind for key in keys for kind in KEY_KINDS.get(key.kind, (key.kind,)) if not key.revoked
    ]
    known = [kind for kind in options.key_types if kind in kinds]
    if known:
        options.key_types = [*known, *(kind for kind in options.key_types if kind not in known)]


def _check_key(key: paramiko.PKey, hop: Target, keys: list[KnownKey]) -> None:
    blob, kind = key.asbytes(), key.get_name()
    verdict = judge(keys, kind, blob)
    if verdict is Verdict.KNOWN:
        return
    file = str(hop.known_hosts[0])
    print_ = fingerprint(blob)
    if verdict is Verdict.UNKNOWN:
        raise UnknownHostKey(hop.known_as, print_, file, line_for(hop.known_as, kind, blob))
    known = ", ".join(fingerprint(key.blob) for key in keys if not key.revoked)
    why = (
        f"it shows a key that was revoked ({print_})"
        if verdict is Verdict.REVOKED
        else f"it shows a key with the fingerprint {print_}, and known of it is {known}. Either "
        "somebody is in between, or the host was set up anew: ask its operators; if it was, "
        f"remove its old keys (ssh-keygen -R {hop.known_as!r}) and connect with ssh once"
    )
    raise HostKeyRefused(hop.known_as, print_, why)


def _shut(transport: paramiko.Transport) -> None:
    """Close a connection, which may go through another one that is broken."""
    try:
        transport.close()
    except (paramiko.SSHException, EOFError, OSError):
        pass


def hang_up(channel: paramiko.Channel) -> None:
    """Close a session, which on a connection that broke is nothing to be told of."""
    try:
        channel.close()
    except (paramiko.SSHException, EOFError, OSError):
        pass


def _said(error: BaseException) -> str:
    return str(error) or f"the connection broke ({type(error).__name__})"
