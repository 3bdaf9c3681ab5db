"""Which addresses this host has, asked of its kernel and of nobody else."""

import array
import fcntl
import ipaddress
import platform
import socket
import struct
from pathlib import Path

__all__ = ["local_addresses", "ways_here"]

_SIOCGIFCONF = 0x8912
_IFREQ = 40  # bytes of one entry, on 64 bits
_ROOM = 1024  # entries
_IPV6 = Path("/proc/net/if_inet6")


def local_addresses() -> list[str]:
    """The addresses of all interfaces, IPv4 before IPv6."""
    found = _ipv4(_interfaces())
    try:
        found += _ipv6(_IPV6.read_text(encoding="ascii"))
    except OSError:
        pass  # a kernel without IPv6
    return found


def ways_here() -> tuple[str, ...]:
    """What may lead another host to this one: its addresses in the network, then its name."""
    found = [
        address
        for address in local_addresses()
        if not (ip := ipaddress.ip_address(address)).is_loopback and not ip.is_link_local
    ]
    return (*found, platform.node())


def _interfaces() -> bytes:
    table = array.array("B", bytes(_IFREQ * _ROOM))
    place, size = table.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        said = fcntl.ioctl(asked, _SIOCGIFCONF, struct.pack("iL", size, place))
    return table[: struct.unpack("iL", said)[0]].tobytes()


def _ipv4(table: bytes) -> list[str]:
    """Of each entry 16 bytes are the interface's name, then comes a ``sockaddr_in``."""
    starts = range(0, len(table) - _IFREQ + 1, _IFREQ)
    return [socket.inet_ntoa(table[at + 20 : at + 24]) for at in starts]


def _ipv6(table: str) -> list[str]:
    """The first word of each line is an address, in 32 hexadecimal digits."""
    words = [line.split()[0] for line in table.splitlines() if line.strip()]
    return [str(ipaddress.IPv6Address(int(word, 16))) for word in words]
