import ipaddress
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from lamina.htex_wire import Dealer, Keys, Router, WireError, make_keys, read_keys
from lamina.htex_wire.endpoints import parse
from lamina.htex_wire.interfaces import local_addresses, ways_here
from lamina.htex_wire.sockets import PART

PATIENCE = 5.0  # seconds
REFUSED_FOR = 0.3  # seconds in which what is let in would long have come


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def router(keys: Path) -> Iterator[Router]:
    made = Router("tcp://127.0.0.1:*", read_keys(keys, "interchange"))
    yield made
    made.close()


def _first(router: Router, seconds: float = PATIENCE) -> list[tuple[bytes, bytes]]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if -1 in router.wait(left) and (frames := router.receive()):
            return [(route, b"".join(parts)) for route, parts in frames]
    return []


def _answer(dealer: Dealer) -> list[bytes]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if -1 in dealer.wait(end - time.monotonic()):
            return [b"".join(parts) for parts in dealer.receive()]
    return []


def test_frames_pass_both_ways_between_holders_of_the_keys(router: Router, keys: Path) -> None:
    dealer = Dealer(router.address, read_keys(keys, "manager"))
    dealer.send(b"up")
    ((route, frame),) = _first(router)
    assert frame == b"up"
    router.send(route, b"down")
    assert _answer(dealer) == [b"down"]
    dealer.close()


def test_frames_pass_over_a_unix_socket_without_keys(tmp_path: Path) -> None:
    router = Router(f"ipc://{tmp_path}/socket", None)
    dealer = Dealer(router.address, None)
    dealer.send(b"up")
    assert [frame for _, frame in _first(router)] == [b"up"]
    dealer.close()
    router.close()


def test_a_client_without_keys_is_refused(router: Router) -> None:
    stranger = Dealer(router.address, None)
    stranger.send(b"let me in")
    assert _first(router, REFUSED_FOR) == []
    stranger.close()


def test_a_client_with_a_key_of_its_own_is_refused(router: Router, keys: Path) -> None:
    public, secret = zmq.curve_keypair()
    stranger = Dealer(router.address, Keys(public, secret, read_keys(keys, "manager").other))
    stranger.send(b"let me in")
    assert _first(router, REFUSED_FOR) == []
    stranger.close()


def test_a_client_notices_that_the_other_end_is_gone(tmp_path: Path) -> None:
    router = Router(f"ipc://{tmp_path}/socket", None)
    dealer = Dealer(router.address, None)
    dealer.send(b"up")
    assert _first(router)
    router.close()
    end = time.monotonic() + PATIENCE
    while not dealer.lost:
        assert time.monotonic() < end
        dealer.wait(end - time.monotonic())
    dealer.close()


@pytest.mark.parametrize("size", [PART, PART + 1, 3 * PART])
def test_a_frame_is_one_however_large(router: Router, keys: Path, size: int) -> None:
    dealer = Dealer(router.address, read_keys(keys, "manager"))
    frame = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    dealer.send(frame)
    ((route, heard),) = _first(router)
    assert (len(heard), heard == frame) == (size, True)
    router.send(route, frame)
    (answer,) = _answer(dealer)
    assert (len(answer), answer == frame) == (size, True)
    dealer.close()


def test_the_parts_of_a_frame_stay_apart(router: Router, keys: Path) -> None:
    dealer = Dealer(router.address, read_keys(keys, "manager"))
    parts = [b"head", bytes(2**17), memoryview(bytearray(b"x" * 2**18))]
    dealer.send(parts)
    end = time.monotonic() + PATIENCE
    while -1 not in router.wait(end - time.monotonic()):
        assert time.monotonic() < end
    ((_, heard),) = router.receive()
    assert heard == parts
    dealer.close()


def test_a_stranger_cannot_make_us_keep_more_than_a_part(keys: Path) -> None:
    """What it says in its handshake is kept until it is whole, so it must not be large."""
    router = Router("tcp://127.0.0.1:*", read_keys(keys, "interchange"))
    port = int(router.address.rpartition(":")[2])
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stranger:
        stranger.sendall(greeting)
        # A command of 2**40 bytes, as it says; then as much as is taken.
        stranger.sendall(b"\x06" + (2**40).to_bytes(8, "big"))
        sent, refused = 0, False
        while not refused and sent < 64 * PART:
            try:
                sent += stranger.send(bytes(2**16))
            except OSError:
                refused = True
    assert refused
    assert sent <= 8 * PART  # what the kernel buffers, and no more
    router.close()


def test_an_address_in_use_is_named(router: Router) -> None:
    with pytest.raises(WireError, match="Choose another"):
        Router(router.address, None)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(WireError, match="names no interchange"):
        Router("node1", None)


def test_the_first_free_port_of_a_range_is_taken(router: Router) -> None:
    taken = int(router.address.rpartition(":")[2])
    other = Router(f"tcp://127.0.0.1:{taken}-{taken + 50}", None)
    assert taken < int(other.address.rpartition(":")[2]) < taken + 50
    other.close()
    with pytest.raises(WireError, match="in use"):
        Router(f"tcp://127.0.0.1:{taken}-{taken + 1}", None)


@pytest.mark.parametrize("name", ["tcp://*:*", "tcp://node1:*", "tcp://192.0.2.255:*"])
def test_nothing_is_open_to_the_network_without_keys(name: str) -> None:
    with pytest.raises(WireError, match="without keys"):
        Router(name, None)


def test_on_all_interfaces_it_says_by_which_addresses_it_is_found(keys: Path) -> None:
    router = Router("tcp://*:*?probe=3", read_keys(keys, "interchange"))
    hosts = tuple(f"[{host}]" if ":" in host else host for host in ways_here())
    port = parse(router.address).ports.start
    assert router.address == f"tcp://{','.join(hosts)}:{port}?probe=3"
    for address in local_addresses():
        if not ipaddress.ip_address(address).is_link_local:
            socket.create_connection((address, port), timeout=PATIENCE).close()
    router.close()
    again = Router(router.address, read_keys(keys, "interchange"))
    assert again.address == router.address
    again.close()


def test_one_address_is_all_that_is_opened(keys: Path) -> None:
    router = Router("tcp://127.0.0.2:*", read_keys(keys, "interchange"))
    port = parse(router.address).ports.start
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    socket.create_connection(("127.0.0.2", port), timeout=PATIENCE).close()
    router.close()


def test_the_loopback_of_a_name_needs_no_keys() -> None:
    router = Router("tcp://localhost:*", None)
    assert router.address.startswith("tcp://127.0.0.1:")
    router.close()


@pytest.mark.skipif("::1" not in local_addresses(), reason="this host has no IPv6")
def test_an_ipv6_address_is_one_like_any_other(keys: Path) -> None:
    router = Router("tcp://[::1]:*", read_keys(keys, "interchange"))
    assert router.address.startswith("tcp://[::1]:")
    dealer = Dealer(router.address, read_keys(keys, "manager"))
    dealer.send(b"up")
    assert [frame for _, frame in _first(router)] == [b"up"]
    dealer.close()
    router.close()
