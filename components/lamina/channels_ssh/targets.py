"""Where a connection goes and by which way: the options, and OpenSSH's configuration."""

import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import paramiko

from lamina.channels_ssh.known_hosts import SSH_PORT, known_name
from lamina.vocabulary import ConfigError

__all__ = ["Target", "hops_of", "read_config", "target_of"]

_HOP = re.compile(
    r"(ssh://)?((?P<user>[^@\s]+)@)?(\[(?P<v6>[^]\s]+)\]|(?P<host>[^@:\s]+))(:(?P<port>\d+))?"
)
_OF_USER = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_OF_MACHINE = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USUAL_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


class Target(NamedTuple):
    """One host, and what is needed to be let in."""

    host: str
    port: int
    user: str
    known_as: str
    """Its name in the files of known hosts."""
    known_hosts: tuple[Path, ...]
    """Those files; a new key belongs into the first."""
    keys: tuple[Path, ...]
    only_these_keys: bool
    """Whether keys of the agent may be used only if they are among these."""
    jumps: tuple[str, ...] = ()
    """Hosts on the way, the first one first, each ``[user@]host[:port]``."""
    proxy_command: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def read_config(path: Path | None, first: str = "") -> paramiko.SSHConfig:
    """Read a configuration; None for the user's own, which may be missing.

    What ``first`` says has the first word, which is the one that counts.

    Raises:
        ConfigError: It cannot be read, or makes no sense.
    """
    own = path is None
    file = Path("~/.ssh/config" if path is None else path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
        return paramiko.SSHConfig.from_text(f"{first}\nHost *\n{text}")
    except FileNotFoundError as error:
        if own:
            return paramiko.SSHConfig.from_text(first)
        raise ConfigError(f"config_file is {str(file)!r}: {error.strerror}") from error
    except (OSError, UnicodeDecodeError, paramiko.ConfigParseError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error


def target_of(
    config: paramiko.SSHConfig,
    hostname: str,
    *,
    username: str | None = None,
    port: int | None = None,
    keys: Sequence[str] = (),
    host_keys: str | None = None,
    proxy_jump: str | None = None,
) -> Target:
    """Where ``ssh hostname`` would go; what is given beats what the configuration says.

    Raises:
        ConfigError: What the configuration says makes no sense.
    """
    try:
        said = config.lookup(hostname)
        port = port or int(said.get("port", SSH_PORT))
    except (paramiko.SSHException, ValueError) as error:
        raise ConfigError(f"the SSH configuration of {hostname!r}: {error}") from error
    host = str(said.get("hostname", hostname))
    own_hosts = [host_keys] if host_keys else _words(said.get("userknownhostsfile"), _OF_USER)
    all_hosts = [] if host_keys else _words(said.get("globalknownhostsfile"), _OF_MACHINE)
    named = list(keys) or said.get("identityfile", [])
    jump = proxy_jump if proxy_jump is not None else str(said.get("proxyjump", ""))
    jumps = () if jump.lower() in ("", "none") else tuple(map(str.strip, jump.split(",")))
    command = "" if jumps or proxy_jump is not None else str(said.get("proxycommand", ""))
    alias = said.get("hostkeyalias")
    return Target(
        host=host,
        port=port,
        user=username or str(said.get("user") or getpass.getuser()),
        known_as=str(alias) if alias else known_name(host, port),
        known_hosts=tuple(Path(file).expanduser() for file in (*own_hosts, *all_hosts)),
        keys=tuple(Path(key).expanduser() for key in named or _USUAL_KEYS),
        only_these_keys=bool(keys) or str(said.get("identitiesonly", "no")).lower() == "yes",
        jumps=jumps,
        proxy_command="" if command.lower() == "none" else command,
    )


def hops_of(
    config: paramiko.SSHConfig, target: Target, host_keys: str | None
) -> tuple[Target, ...]:
    """The hosts on the way to a target, each of which is reached from the one before.

    Raises:
        ConfigError: One of them has no name that could be one.
    """
    hops = []
    for jump in target.jumps:
        found = _HOP.fullmatch(jump)
        if found is None:
            raise ConfigError(f"proxy_jump has {jump!r}; a hop is [user@]host[:port]")
        hop = target_of(
            config,
            found["v6"] or found["host"],
            username=found["user"],
            port=int(found["port"]) if found["port"] else None,
            host_keys=host_keys,
            proxy_jump="",
        )
        hops.append(hop)
    return tuple(hops)


def _words(said: object, otherwise: Sequence[str]) -> list[str]:
    return str(said).split() if said else list(otherwise)
