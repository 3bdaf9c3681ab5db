import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from lamina.htex_wire import Dealer, Keys, Router, WireError, make_keys, reachable, read_keys

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
        if -1 in router.wait((), left) and (frames := router.receive()):
            return frames
    return []


def _answer(dealer: Dealer) -> list[bytes]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if -1 in dealer.wait(end - time.monotonic()):
            return dealer.receive()
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


def test_keys_are_for_the_user_alone_and_made_once(keys: Path) -> None:
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in keys.iterdir()} == {0o600}
    before = {file.name: file.read_bytes() for file in keys.iterdir()}
    make_keys(keys)
    assert {file.name: file.read_bytes() for file in keys.iterdir()} == before


def test_keys_that_others_may_read_are_not_used(keys: Path) -> None:
    keys.chmod(0o755)
    with pytest.raises(WireError, match="chmod 700"):
        read_keys(keys, "manager")


def test_an_address_in_use_is_named(router: Router) -> None:
    with pytest.raises(WireError, match="Choose another"):
        Router(router.address, None)


def test_the_first_address_that_answers_is_taken(router: Router) -> None:
    closed = "tcp://127.0.0.1:1"
    address, attempts = reachable([closed, router.address], 1.0)
    assert address == router.address
    assert [closed in attempt for attempt in attempts] == [True]
    assert reachable([closed], 1.0)[0] is None
    assert reachable(["ipc:///nowhere"], 1.0) == ("ipc:///nowhere", [])
