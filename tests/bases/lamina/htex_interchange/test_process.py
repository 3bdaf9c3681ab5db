import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.htex_core import CONFIG, READY, Buffer, TurnManagerSelector, pack_parts, unpack
from lamina.htex_interchange import run
from lamina.htex_interchange.process import ClientLink, read_selector


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
