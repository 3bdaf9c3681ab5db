import ipaddress
import platform
import socket

from lamina.htex_wire.interfaces import _ipv4, _ipv6, local_addresses, ways_here


def test_every_address_found_is_one_that_can_be_listened_at() -> None:
    found = local_addresses()
    assert "127.0.0.1" in found
    for address in found:
        if ipaddress.ip_address(address).is_link_local:
            continue  # these need the interface as well
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((address, 0))


def test_no_other_host_is_led_to_itself() -> None:
    *addresses, name = ways_here()
    assert name == platform.node()
    assert not any(ipaddress.ip_address(each).is_loopback for each in addresses)
    assert not any(ipaddress.ip_address(each).is_link_local for each in addresses)
    assert set(addresses) <= set(local_addresses())


def test_the_kernels_table_of_ipv4_is_read_entry_by_entry() -> None:
    def entry(name: bytes, address: str) -> bytes:
        return name.ljust(16, b"\0") + b"\2\0\0\0" + socket.inet_aton(address) + bytes(16)

    table = entry(b"lo", "127.0.0.1") + entry(b"ib0:1", "10.1.2.3")
    assert _ipv4(table) == ["127.0.0.1", "10.1.2.3"]
    assert _ipv4(b"") == []


def test_the_kernels_table_of_ipv6_is_read_line_by_line() -> None:
    table = (
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fd000000000000000000000000000002 02 40 00 80     eth0\n"
    )
    assert _ipv6(table) == ["::1", "fd00::2"]
    assert _ipv6("") == []
