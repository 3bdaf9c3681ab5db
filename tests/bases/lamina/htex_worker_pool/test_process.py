import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.htex_core import Frame, ManagerInfo, unpack
from lamina.htex_wire import Router
from lamina.htex_worker_pool import run
from lamina.processes import alive, descendants

PACKAGE = run.__module__.rpartition(".")[0]
PATIENCE = 10.0  # seconds


def _until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end
    return found


class _Node:
    """A manager, seen from its interchange."""

    def __init__(self, folder: Path) -> None:
        self.router = Router(f"ipc://{folder}/socket", None)
        config = {
            "addresses": [self.router.address],
            "block": "?",
            "codec": f"{CloudpickleCodec.__module__}:{CloudpickleCodec.__name__}",
            "encrypted": False,
            "heartbeat_period": 30.0,
            "heartbeat_threshold": 120.0,
            "keys": "",
            "package": "htex-1",
            "sys_path": [],
            "workers": 2,
        }
        path = folder / "manager.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", PACKAGE, str(path)],
            env={**os.environ, "LAMINA_BLOCK": "7"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> Frame:
        def look() -> Any:
            return -1 in self.router.wait((), 0.1) and self.router.receive()

        ((_, frame),) = _until(look)
        return unpack(frame)

    def below(self) -> list[int]:
        """The zygote and two workers."""

        def look() -> Any:
            found = descendants(self.process.pid)
            return found if len(found) == 3 else None

        found: list[int] = _until(look)
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.router.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[_Node]:
    made = _Node(tmp_path)
    yield made
    made.close()


def test_it_says_who_it_is_and_starts_its_workers(node: _Node) -> None:
    info = ManagerInfo(*node.hear().body["info"])
    assert (info.block, info.slots, info.pid) == ("7", 2, node.process.pid)
    assert len(node.below()) == 3


@pytest.mark.parametrize("end", ["term", "zygote", "kill"])
def test_nothing_is_left_below_it_however_it_ends(node: _Node, end: str) -> None:
    node.hear()
    below = node.below()
    if end == "zygote":
        children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    else:
        os.kill(node.process.pid, signal.SIGTERM if end == "term" else signal.SIGKILL)
    _, said = node.process.communicate(timeout=PATIENCE)
    assert ("leaves:" in said) == (end != "kill")
    _until(lambda: not any(map(alive, below)))


def test_a_dead_worker_is_replaced(node: _Node) -> None:
    node.hear()
    victim = max(node.below())
    os.kill(victim, signal.SIGKILL)
    _until(lambda: not alive(victim))
    assert victim not in node.below()
