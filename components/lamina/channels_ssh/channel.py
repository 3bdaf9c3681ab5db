"""``SSHChannel``: commands and files of a host that is reached by SSH."""

import posixpath
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from lamina.channels import ChannelError, Completed, Forward
from lamina.channels_ssh.commands import run
from lamina.channels_ssh.connection import Connection, Route
from lamina.channels_ssh.login import Credentials, Prompt
from lamina.channels_ssh.targets import hops_of, read_config, target_of
from lamina.channels_ssh.transfers import absolute, facts, get, make_directory, put
from lamina.channels_ssh.tunnel import TUNNELS, Tunnel
from lamina.vocabulary import ConfigError, read_seconds

__all__ = ["SSHChannel"]

PORTS = 2**16
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _files(value: str | Sequence[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _connect_timeout(value: float | str) -> float:
    return read_seconds(value, what="connect_timeout")


def _keep_alive(value: float | str) -> float:
    return read_seconds(value, what="keep_alive")


def _pairs(envs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(envs.items()))


@attrs.define
class _Open:
    """What a channel holds while it is in use."""

    connection: Connection
    tunnel: Tunnel


@attrs.define
class _Holder:
    """A frozen channel's one thing that changes."""

    lock: threading.Lock = attrs.field(factory=threading.Lock)
    open: _Open | None = None


@attrs.frozen
class SSHChannel:
    """Runs commands and moves files on a host that is reached by SSH. Any thread may call.

    One connection carries all of it. It is made when it is first needed, watched, and made again
    when it broke. A command that was running then ends with CommandLost; a transfer goes on.

    Args:
        hostname: The host, or what ``~/.ssh/config`` calls it.
        username: Who to be there.
        password: That of the account; said once in each login, to whoever asks for it.
        script_dir: The directory there for scripts and what belongs to them; a relative one is
            below the home directory.
        envs: Variables added to the environment of each command. Others on the host can see them.
        port: Its SSH server's; None for what the configuration says, or 22.
        key_filename: Files of private keys, instead of those of the configuration.
        host_keys_filename: The one file of known hosts, instead of those of the configuration.
        passphrase: That of the keys.
        prompt: Is given each question that nothing else answers, such as for a one-time
            password, and returns the answer: ``getpass.getpass`` asks in the terminal.
        proxy_jump: Hosts on the way, ``[user@]host[:port]`` with commas between; ``""`` for none,
            whatever the configuration says.
        config_file: The configuration to read, instead of ``~/.ssh/config``.
        allow_agent: Whether keys of the SSH agent are tried.
        connect_timeout: Seconds that each host on the way has to answer.
        keep_alive: Seconds between two signs of life; a host that gives none is given up.
        python: The Python there that runs the workers, as ``worker_init`` leaves it, and the
            relay, as the login shell leaves it.
        tunnel: Who listens for workers there: ``"relay"``, a small program that is started
            there; ``"gateway"``, the SSH server at all interfaces, which its administrator must
            allow; ``"loopback"``, the SSH server for workers on that very host.

    Raises:
        ConfigError: An option cannot work; the text says what would.
    """

    hostname: str = attrs.field()
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    script_dir: str = ".lamina"
    envs: Mapping[str, str] = attrs.field(factory=dict, eq=_pairs, repr=False)
    port: int | None = attrs.field(default=None, kw_only=True)
    key_filename: Sequence[str] = attrs.field(default=None, converter=_files, kw_only=True)
    host_keys_filename: str | None = attrs.field(default=None, kw_only=True)
    passphrase: str | None = attrs.field(default=None, repr=False, kw_only=True)
    prompt: Prompt | None = attrs.field(default=None, kw_only=True)
    proxy_jump: str | None = attrs.field(default=None, kw_only=True)
    config_file: str | None = attrs.field(default=None, kw_only=True)
    allow_agent: bool = attrs.field(default=True, kw_only=True)
    connect_timeout: float = attrs.field(default=30.0, converter=_connect_timeout, kw_only=True)
    keep_alive: float = attrs.field(default=30.0, converter=_keep_alive, kw_only=True)
    python: str = attrs.field(default="python3", kw_only=True)
    tunnel: str = attrs.field(default="relay", kw_only=True)
    _holder: _Holder = attrs.field(factory=_Holder, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for says in self._complaints():
            raise ConfigError(says)

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        """Run a command to its end, in the process group of a session of its own.

        ``env`` is added to the environment. ``timeout`` is in seconds, and counts from when there
        is a connection. A status above 128 is taken for a signal, as shells tell it.

        Raises:
            CommandTimeout: It took longer; its whole process group was killed. Again may help.
            CommandLost: The connection broke while it ran, and nobody knows what it has done.
            ChannelError: It could not be run at all; its kind says what may help.
        """
        both = {**self.envs, **(env or {})}
        return run(self._opened().connection, command, stdin=stdin, env=both, timeout=timeout)

    def put(self, local: Path, remote: str) -> None:
        """Copy a file there; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be written.
        """
        put(self._opened().connection, local, remote)

    def get(self, remote: str, local: Path) -> None:
        """Copy a file here; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be read.
        """
        get(self._opened().connection, remote, local)

    def facts(self, remote: str) -> tuple[int, int]:
        """The size of a file there in bytes, and when it was changed, in seconds since the epoch.

        Raises:
            ChannelError: It is not there.
        """
        return facts(self._opened().connection, remote)

    def make_directory(self, remote: str) -> None:
        """Make a directory with its parents, private to the user; it may exist already.

        Raises:
            ChannelError: It could not be made.
        """
        make_directory(self._opened().connection, remote)

    def place(self, name: str) -> str:
        """Make a directory of this name in ``script_dir``, and say its whole path.

        Raises:
            ChannelError: It could not be made.
        """
        connection = self._opened().connection
        path = posixpath.join(self.script_dir, name)
        make_directory(connection, path)
        return absolute(connection, path)

    def forward(self, port: int) -> Forward:
        """Have the host listen for workers, and hand what comes on to a port of this host.

        It stays so until ``close``, over each connection that is made. Whoever can reach the
        host can reach that port: what listens here must ask for keys.

        Raises:
            ChannelError: It does not listen.
        """
        return self._opened().tunnel.open(port)

    def close(self) -> None:
        """End the connection, and the tunnel with it. Whoever uses the channel makes another."""
        with self._holder.lock:
            held, self._holder.open = self._holder.open, None
        if held is not None:
            held.tunnel.close()
            held.connection.close()

    def _opened(self) -> _Open:
        with self._holder.lock:
            if self._holder.open is None:
                connection = Connection(self._route)
                tunnel = Tunnel(connection, self.hostname, self.tunnel, self.python)
                self._holder.open = _Open(connection, tunnel)
            return self._holder.open

    def _route(self) -> Route:
        try:
            # For %p and %r in a ProxyCommand.
            first = f"Host {self.hostname}\n"
            first += f"Port {self.port}\n" if self.port else ""
            first += f"User {self.username}\n" if self.username else ""
            file = None if self.config_file is None else Path(self.config_file)
            config = read_config(file, first)
            target = target_of(
                config,
                self.hostname,
                username=self.username,
                port=self.port,
                keys=self.key_filename,
                host_keys=self.host_keys_filename,
                proxy_jump=self.proxy_jump,
            )
            hops = hops_of(config, target, self.host_keys_filename)
        except ConfigError as error:
            raise ChannelError(f"connecting to {self.hostname}", str(error)) from error
        shown = Credentials(self.password, self.passphrase, self.prompt, self.allow_agent)
        return Route((*hops, target), shown, self.connect_timeout, self.keep_alive)

    def _complaints(self) -> list[str]:
        texts: Mapping[str, Any] = {
            "hostname": self.hostname,
            "username": self.username or "",
            "password": self.password or "",
            "script_dir": self.script_dir,
            "passphrase": self.passphrase or "",
            "proxy_jump": self.proxy_jump or "",
            "python": self.python,
        }
        says = [
            # Not its value, which may be a secret.
            f"{name} is of type {type(value).__name__}; it must be text"
            for name, value in texts.items()
            if not isinstance(value, str)
        ]
        if says:
            return says
        if not self.hostname.strip() or self.hostname.startswith("-"):
            says.append(f"hostname is {self.hostname!r}; it must be the name of a host")
        port: Any = self.port
        if port is not None and not (type(port) is int and 0 < port < PORTS):
            says.append(f"port is {port!r}; a port is a number between 1 and {PORTS - 1}")
        if self.tunnel not in TUNNELS:
            says.append(f"tunnel is {self.tunnel!r}; it must be one of {', '.join(TUNNELS)}")
        prompt: Any = self.prompt
        if prompt is not None and not callable(prompt):
            says.append(f"prompt is {prompt!r}; it must be a function, as getpass.getpass is")
        says += [
            f"{name} is {value:g}; it must be more than 0 seconds"
            for name, value in (
                ("connect_timeout", self.connect_timeout),
                ("keep_alive", self.keep_alive),
            )
            if not value > 0
        ]
        names: Sequence[Any] = list(self.envs)
        says += [
            f"envs has {name!r}, which is no name that a variable can have"
            for name in names
            if not (isinstance(name, str) and _VARIABLE.fullmatch(name))
        ]
        return says
