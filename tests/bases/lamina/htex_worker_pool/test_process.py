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
from lamina.htex_core import STOP, TASKS, UNDONE, Frame, ManagerInfo, pack, unpack, write_plugin
from lamina.htex_core.frames import FORMS, GOODBYE, RESULTS, RETURNED, STARTED, WELCOME
from lamina.htex_wire import Router
from lamina.htex_worker_pool import run
from lamina.processes import (
    Identity,
    alive,
    descendants,
    kill_session,
    own_identity,
    start_time,
)
from lamina.resources import NodeBinder

PACKAGE = run.__module__.rpartition(".")[0]
PATIENCE = 10.0  # seconds
CODEC = CloudpickleCodec()


def _until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end
    return found


class _Node:
    """A manager, seen from its interchange."""

    def __init__(self, folder: Path, program: Identity, **more: Any) -> None:
        self.router = Router(f"ipc://{folder}/socket", None)
        config = {
            "addresses": [self.router.address],
            "block": "?",
            "codec": f"{type(CODEC).__module__}:{type(CODEC).__name__}",
            "encrypted": False,
            "heartbeat_period": 30.0,
            "heartbeat_threshold": 120.0,
            "keys": "",
            "package": "htex-1",
            "program": list(program),
            "sys_path": [],
            "workers": 2,
            **more,
        }
        path = folder / "manager.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        self.heard: list[Frame] = []
        self.route = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", PACKAGE, str(path)],
            env={**os.environ, "LAMINA_BLOCK": "7"},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def hear(self) -> Frame:
        """The next frame; what came with it waits for its turn."""
        if not self.heard:

            def look() -> Any:
                return -1 in self.router.wait(0.1) and self.router.receive()

            for self.route, frame in _until(look):
                self.heard.append(unpack(frame))
        return self.heard.pop(0)

    def say(self, kind: int, body: Any) -> None:
        self.router.send(self.route, pack(kind, 1, body))

    def run_forever(
        self, *attempts: int, function: Callable[..., Any] = time.sleep, argument: Any = 1000
    ) -> None:
        """Two are running when this returns, and the others wait."""
        self.hear()
        self.say(WELCOME, None)
        call = CODEC.dump_call(function, (argument,), {})
        buffers = [bytes(buffer) for buffer in call.buffers]
        digest = None if call.function is None else call.function.digest
        if call.function is not None:
            self.say(FORMS, [[*call.function]])
        self.say(TASKS, [[attempt, digest, buffers, None] for attempt in attempts])
        running = 0
        while running < 2:
            frame = self.hear()
            assert frame.kind == STARTED
            running += len(frame.body)

    def below(self) -> list[int]:
        """The zygote and two workers."""

        def look() -> Any:
            found = descendants(self.process.pid)
            return found if len(found) == 3 else None

        found: list[int] = _until(look)
        return found

    def zygote(self) -> int:
        """The manager's one child; pids begin anew, so it need not have the lowest."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        return int(child)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self.router.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[_Node]:
    made = _Node(tmp_path, own_identity())
    yield made
    made.close()


def test_it_says_who_it_is_and_starts_its_workers(node: _Node) -> None:
    info = ManagerInfo(*node.hear().body["info"])
    assert (info.block, info.slots, info.pid) == ("7", 2, node.process.pid)
    assert len(node.below()) == 3


def test_it_offers_what_its_binder_finds(node: _Node) -> None:
    assert node.hear().body["offer"]["cores"] == len(os.sched_getaffinity(0))


def test_a_binder_that_does_not_suit_the_node_ends_it_with_the_reason(tmp_path: Path) -> None:
    binder = write_plugin(NodeBinder(cpu_affinity="list:99999"), "it")
    node = _Node(tmp_path, own_identity(), binder=binder)
    assert node.process.wait(PATIENCE) == 1
    assert node.process.stderr is not None
    assert "core 99999 is none of those that may be used here" in node.process.stderr.read()
    node.close()


def test_the_class_of_a_binder_may_stand_where_the_modules_of_the_program_are(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    module = NodeBinder.__module__.rpartition(".")[0]
    text = f"from {module} import NodeBinder\nclass OneWorker(NodeBinder):\n"
    text += "    def offer(self, node):\n        return super().offer(node).__class__(workers=1)\n"
    (folder / "of_the_program.py").write_text(text, encoding="ascii")
    binder = ["of_the_program:OneWorker", {}]
    node = _Node(tmp_path, own_identity(), binder=binder, sys_path=[str(folder)])
    assert ManagerInfo(*node.hear().body["info"]).slots == 1
    node.close()


def _zygote(node: _Node) -> int:
    children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children")
    return int(children.read_text().split()[0])


@pytest.mark.parametrize(
    "end, cause, status", [("term", "block_ended", 0), ("zygote", "worker_lost", 1)]
)
def test_before_it_leaves_it_tells_what_ran_from_what_waited(
    node: _Node, end: str, cause: str, status: int
) -> None:
    node.run_forever(1, 2, 3)
    below = node.below()
    if end == "term":
        node.process.terminate()
    else:
        os.kill(_zygote(node), signal.SIGKILL)
    results, returned, goodbye = node.hear(), node.hear(), node.hear()
    assert (results.kind, returned.kind, goodbye.kind) == (RESULTS, RETURNED, GOODBYE)
    _, capacity, outcomes = results.body
    assert capacity == 0
    assert {(one[0], one[1], one[5]["cause"], one[5]["started"]) for one in outcomes} == {
        (1, UNDONE, cause, "yes"),
        (2, UNDONE, cause, "yes"),
    }
    assert returned.body == [3]
    _, said = node.process.communicate(timeout=PATIENCE)
    assert node.process.returncode == status
    assert f"the manager leaves: {goodbye.body[0]}" in said
    assert not any(map(alive, below))


def test_it_ends_well_when_it_is_told_to_leave(node: _Node) -> None:
    node.run_forever(1, 2)
    below = node.below()
    node.say(STOP, "the executor was closed")
    _, said = node.process.communicate(timeout=PATIENCE)
    assert node.process.returncode == 0
    assert "the executor was closed" in said
    assert not any(map(alive, below))


def test_nothing_is_left_below_it_when_it_is_killed(node: _Node) -> None:
    node.hear()
    below = node.below()
    node.process.kill()
    node.process.communicate(timeout=PATIENCE)
    _until(lambda: not any(map(alive, below)))


def test_who_kills_its_whole_session_leaves_nothing_of_what_tasks_have_started(
    node: _Node,
) -> None:
    node.run_forever(1, 2, function=subprocess.call, argument=["setsid", "sleep", "1000"])

    def look() -> Any:
        found = descendants(node.process.pid)
        return found if len(found) == 1 + 2 + 2 else None

    below = _until(look)
    kill_session(node.process.pid)
    node.process.communicate(timeout=PATIENCE)
    _until(lambda: not any(map(alive, below)))


@pytest.mark.parametrize("interchange", ["there", "gone"])
def test_it_leaves_when_the_program_has_ended(tmp_path: Path, interchange: str) -> None:
    program = subprocess.Popen(["sleep", "1000"])
    started = start_time(program.pid)
    assert started is not None
    node = _Node(tmp_path, own_identity()._replace(pid=program.pid, started=started))
    try:
        node.run_forever(1, 2)
        below = node.below()
        if interchange == "gone":
            node.router.close()
        program.kill()
        program.wait()
        killed = time.monotonic()
        _, said = node.process.communicate(timeout=PATIENCE)
        assert time.monotonic() - killed < 6.0  # seconds; 2 are promised
        assert "the program has ended" in said
        assert node.process.returncode == 0
        assert not any(map(alive, below))
    finally:
        program.kill()
        program.wait()
        node.close()


def test_it_does_not_stay_where_the_program_has_ended_before_it(tmp_path: Path) -> None:
    node = _Node(tmp_path, own_identity()._replace(started=1))
    try:
        _, said = node.process.communicate(timeout=PATIENCE)
        assert "the program has ended" in said
    finally:
        node.close()


def test_a_dead_worker_is_replaced(node: _Node) -> None:
    node.hear()
    victim = next(pid for pid in node.below() if pid != node.zygote())
    os.kill(victim, signal.SIGKILL)
    _until(lambda: not alive(victim))
    assert victim not in node.below()
