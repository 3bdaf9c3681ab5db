import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.htex_core import (
    CONFIG,
    PROTOCOL,
    READY,
    VALUE,
    Buffer,
    TurnManagerSelector,
    pack,
    pack_parts,
    unpack,
)
from lamina.htex_core.frames import HEARTBEAT, REGISTER, RESULTS
from lamina.htex_interchange import run
from lamina.htex_interchange.process import ClientLink, read_selector
from lamina.htex_wire import Dealer


@pytest.fixture
def ends() -> Iterator[tuple[ClientLink, ClientLink]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5.0)
        yield ClientLink(ours), ClientLink(theirs)


def test_frames_are_cut_however_they_come(ends: tuple[ClientLink, ClientLink]) -> None:
    ours, theirs = ends
    ours.send([b"one"])
    ours.send([b""])
    assert ours.flush()
    assert theirs.receive() == [b"one", b""]
    ours.link.send(b"\3\0")
    assert theirs.receive() == []
    ours.link.send(b"\0\0\0\0\0\0two")
    assert theirs.receive() == [b"two"]


def test_a_closed_end_is_told(ends: tuple[ClientLink, ClientLink]) -> None:
    ours, theirs = ends
    ours.link.close()
    assert theirs.receive() is None
    theirs.send([b"x"])
    assert not theirs.flush()


def _config(folder: Path, **other: Any) -> list[Buffer]:
    config = {
        "bind": f"ipc://{folder}/sockets/one",
        "encrypted": False,
        "keys": str(folder / "keys"),
        "python": "3.11",
        "package": "htex-1",
        "heartbeat_period": 30.0,
        "heartbeat_threshold": 120.0,
        "socket_dir": str(folder / "sockets"),
        "epoch": 4,
    }
    return pack_parts(CONFIG, 4, {**config, **other})


@pytest.mark.parametrize("tcp", [False, True])
def test_it_serves_until_the_client_ends_and_leaves_no_socket(tmp_path: Path, tcp: bool) -> None:
    (tmp_path / "sockets").mkdir()
    ours, theirs = socket.socketpair()
    ours.settimeout(5.0)
    thread = threading.Thread(target=run, args=(theirs.detach(),))
    thread.start()
    client = ClientLink(ours)
    client.send(
        _config(tmp_path, bind="tcp://127.0.0.1:*", encrypted=True) if tcp else _config(tmp_path)
    )
    assert client.flush()
    frames = client.receive()
    assert frames
    ready = unpack(frames[0])
    assert (ready.kind, ready.epoch) == (READY, 4)
    assert ready.body["address"].startswith("tcp://" if tcp else "ipc://")
    assert (tmp_path / "keys").exists() == tcp
    ours.close()
    thread.join(5.0)
    assert not thread.is_alive()
    assert not (tmp_path / "sockets").exists()


def test_a_client_that_does_not_listen_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """It may be stopped, or hold the interpreter's lock: no manager may be lost for that."""
    (tmp_path / "sockets").mkdir()
    ours, theirs = socket.socketpair()
    ours.settimeout(5.0)
    thread = threading.Thread(target=run, args=(theirs.detach(),))
    thread.start()
    client = ClientLink(ours)
    client.send(_config(tmp_path))
    assert client.flush()
    assert client.receive()
    manager = Dealer(f"ipc://{tmp_path}/sockets/one", None)
    info = ["u", "0", "elsewhere", "another boot", 7, 2, "3.11", "htex-1"]
    said = {"protocol": PROTOCOL, "registration": 1, "info": info, "capacity": 2}
    manager.send(pack(REGISTER, 0, {**said, "held": [], "finished": []}))
    results = [[[number, VALUE, [bytes(2**15)], 1.0, 2.0, None]] for number in range(100)]
    for number, outcomes in enumerate(results):
        manager.send(pack(RESULTS, 4, [number, 2, outcomes]))
    manager.send(pack(HEARTBEAT, 4, 1.5))
    heard: list[int] = []
    until = time.monotonic() + 5.0
    while HEARTBEAT not in heard and time.monotonic() < until:
        manager.wait(0.1)
        heard += [unpack(parts).kind for parts in manager.receive()]
    came: list[Any] = []
    while len(came) < len(results):  # and the client misses nothing
        frames = [unpack(data) for data in client.receive() or ()]
        came += [frame.body[2] for frame in frames if frame.kind == RESULTS]
    ours.close()
    thread.join(5.0)
    manager.close()
    assert came == results
    assert HEARTBEAT in heard


def test_a_client_that_never_says_anything_is_none() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    handle = theirs.detach()
    assert run(handle) == 0
    with pytest.raises(OSError):
        os.fstat(handle)


def test_a_selector_is_made_from_where_the_program_would_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    lines = ["class Own:", "    def __init__(self, size):", "        self.size = size"]
    (tmp_path / "lamina_test_selectors.py").write_text("\n".join(lines))
    made = read_selector(["lamina_test_selectors:Own", {"size": 3}, [str(tmp_path)]])
    assert vars(made) == {"size": 3}
    assert isinstance(read_selector(None), TurnManagerSelector)
