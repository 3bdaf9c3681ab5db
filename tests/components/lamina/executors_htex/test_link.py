import os
import select
import signal
import time
from pathlib import Path

from lamina.executors_htex.link import Link
from lamina.htex_core import READY, unpack
from lamina.htex_core.frames import FORMS, STOP

PATIENCE = 10.0  # seconds


def _link(folder: Path) -> Link:
    config = {
        "bind": f"ipc://{folder}/socket",
        "encrypted": False,
        "keys": str(folder / "keys"),
        "python": "3.11",
        "package": "htex-1",
        "heartbeat_period": 30.0,
        "heartbeat_threshold": 120.0,
        "socket_dir": None,
    }
    return Link(1, config, folder / "log")


def _receive(link: Link) -> list[bytes] | None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        select.select([link.socket], [], [], end - time.monotonic())
        if (frames := link.receive()) != []:
            return frames
    return []


def test_the_interchange_says_where_it_listens_and_leaves_when_we_hang_up(tmp_path: Path) -> None:
    link = _link(tmp_path)
    frames = _receive(link)
    assert frames
    ready = unpack(frames[0])
    assert (ready.kind, ready.epoch) == (READY, 1)
    assert ready.body["address"] == f"ipc://{tmp_path}/socket"
    assert link.close(PATIENCE) == 0


def test_its_death_is_noticed_and_sending_to_it_does_no_harm(tmp_path: Path) -> None:
    link = _link(tmp_path)
    assert _receive(link)
    os.kill(link.process.pid, signal.SIGKILL)
    assert _receive(link) is None
    link.put(STOP, "into the void")
    link.flush()
    assert not link.full
    assert link.close(PATIENCE) == -signal.SIGKILL


def test_what_the_socket_does_not_take_is_kept(tmp_path: Path) -> None:
    link = _link(tmp_path)
    assert _receive(link)
    os.kill(link.process.pid, signal.SIGSTOP)
    while link.receive():
        pass
    assert link.receive() == []
    link.put(FORMS, bytes(8 * 2**20))
    link.flush()
    assert link.full
    link.flush()
    assert link.full
    os.kill(link.process.pid, signal.SIGKILL)
    assert _receive(link) is None
    assert link.close(PATIENCE) == -signal.SIGKILL


def test_one_that_does_not_leave_is_killed(tmp_path: Path) -> None:
    link = _link(tmp_path)
    assert _receive(link)
    os.kill(link.process.pid, signal.SIGSTOP)
    assert link.close(0.1) == -signal.SIGKILL
