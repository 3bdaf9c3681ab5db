import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from lamina.htex_wire import Router, find, make_keys, probe_time, read_keys

PATIENCE = 5.0  # seconds
CLOSED = "tcp://127.0.0.1:1"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def router(keys: Path) -> Iterator[Router]:
    made = Router("tcp://127.0.0.1:*", read_keys(keys, "interchange"))
    yield made
    made.close()


@pytest.fixture
def mute() -> Iterator[str]:
    """A port where somebody accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def _open(router: Router, names: list[str], keys: Path, timeout: float) -> list[str]:
    """Find it while it answers, as it does in a process of its own; what failed on the way."""
    done = Event()

    def serve() -> None:
        while not done.is_set():
            router.wait(0.05)

    thread = Thread(target=serve)
    thread.start()
    try:
        dealer, attempts = find(names, read_keys(keys, "manager"), timeout)
    finally:
        done.set()
        thread.join()
    assert dealer is not None
    dealer.send(b"here")
    end = time.monotonic() + PATIENCE
    while not (-1 in router.wait(0.1) and router.receive()):
        assert time.monotonic() < end
    dealer.close()
    return attempts


def test_the_first_way_that_leads_there_is_taken(router: Router, keys: Path) -> None:
    attempts = _open(router, [CLOSED, router.address], keys, PATIENCE)
    assert all(CLOSED in attempt for attempt in attempts)


def test_one_that_never_answers_delays_nobody(router: Router, keys: Path) -> None:
    port = router.address.rpartition(":")[2]
    began = time.monotonic()
    _open(router, [f"tcp://192.0.2.255,127.0.0.1:{port}"], keys, 60.0)
    assert time.monotonic() - began < 30.0


def test_each_attempt_that_failed_is_told_with_its_outcome(mute: str, keys: Path) -> None:
    names = [CLOSED, "tcp://no-such-host.invalid:1", mute]
    dealer, attempts = find(names, read_keys(keys, "manager"), 1.0)
    assert dealer is None
    said = "\n".join(attempts)
    assert len(attempts) == 3
    assert f"{CLOSED}: [Errno 111]" in said
    assert "tcp://no-such-host.invalid:1: " in said
    assert f"{mute}: something answers that does not hold the keys of this run" in said


def test_an_interchange_of_another_run_is_not_ours(router: Router, tmp_path: Path) -> None:
    make_keys(tmp_path / "other")
    dealer, attempts = find([router.address], read_keys(tmp_path / "other", "manager"), 0.5)
    assert dealer is None
    assert "does not hold the keys" in attempts[0]


def test_a_unix_socket_is_taken_at_its_word(tmp_path: Path) -> None:
    dealer, attempts = find([f"ipc://{tmp_path}/late"], None, 0.1)
    assert dealer is not None
    assert attempts == []
    dealer.close()


def test_the_name_says_for_how_long_to_try() -> None:
    assert probe_time(["tcp://a:1?probe=3", "tcp://b:1?probe=0.5"]) == 3.0
    assert probe_time([]) == 0.0
