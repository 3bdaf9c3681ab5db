"""How an interchange is named: ``tcp://host[,host...]:port[?probe=seconds]`` or ``ipc://path``.

Several hosts are several ways to one interchange, of which a manager takes the one that works.
``*`` in place of the hosts asks the interchange for every address of its host. The port of one
that is still to listen may be ``*``, any, or ``first-end``, one from first up to but not end.
An IPv6 address stands in brackets. ``probe`` is for how long a manager is to try.
"""

import ipaddress
import re
from typing import Final, NamedTuple

__all__ = ["Endpoint", "addresses_of", "is_loopback", "parse"]

PROBE: Final = 10.0  # seconds

_TCP = re.compile(
    r"tcp://(?P<hosts>[^/?\s]+):(?P<port>\*|\d+|\d+-\d+)(\?probe=(?P<probe>\d+(\.\d+)?))?"
)


class Endpoint(NamedTuple):
    """What such a name says."""

    hosts: tuple[str, ...]
    """Names and addresses, without brackets; none for a Unix socket."""
    ports: range
    """Those that may be listened at; empty for any."""
    probe: float
    path: str = ""
    """Of a Unix socket."""

    @property
    def everywhere(self) -> bool:
        """Whether the interchange is to find its addresses out."""
        return self.hosts == ("*",)

    def addresses(self) -> list[str]:
        """Each way to it, in ZeroMQ's words."""
        if self.path:
            return [f"ipc://{self.path}"]
        return [f"tcp://{_bracketed(host)}:{self.ports.start}" for host in self.hosts]

    def at(self, hosts: tuple[str, ...], port: int) -> str:
        """The name of where it listens in the end."""
        probe = "" if self.probe == PROBE else f"?probe={self.probe:g}"
        return f"tcp://{','.join(map(_bracketed, hosts))}:{port}{probe}"


def parse(name: str) -> Endpoint:
    """Read a name.

    Raises:
        ValueError: It is none.
    """
    if name.startswith("ipc://") and len(name) > len("ipc://"):
        return Endpoint((), range(0), PROBE, name.removeprefix("ipc://"))
    found = _TCP.fullmatch(name)
    if found is None:
        msg = f"{name!r} names no interchange; tcp://host:port or ipc://path does"
        raise ValueError(msg)
    hosts = tuple(host.strip("[]") for host in found["hosts"].split(","))
    probe = float(found["probe"]) if found["probe"] else PROBE
    return Endpoint(hosts, _ports(found["port"]), probe)


def addresses_of(name: str) -> list[str]:
    """Each way to the interchange that has this name, as ``tcp://host:port`` or ``ipc://path``.

    Raises:
        ValueError: It is no name of one.
    """
    return parse(name).addresses()


def is_loopback(host: str) -> bool:
    """Whether only processes of the same host can mean us by this."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ports(text: str) -> range:
    if text == "*":
        return range(0)
    first, _, end = text.partition("-")
    return range(int(first), int(end) if end else int(first) + 1)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
