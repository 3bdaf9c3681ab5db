import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.htex_worker import (
    OUTCOME,
    UP,
    Records,
    form_record,
    read_outcome,
    read_up,
    task_record,
)
from lamina.htex_worker.zygote import main
from lamina.processes import alive, descendants

PATIENCE = 10.0  # seconds
PACKAGE = main.__module__.rpartition(".")[0]
CODEC = CloudpickleCodec()


class _Node:
    """A zygote, seen from its manager."""

    def __init__(self, **more: Any) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, "-m", PACKAGE, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
        )
        theirs.close()
        self.control.settimeout(PATIENCE)
        codec = f"{CloudpickleCodec.__module__}:{CloudpickleCodec.__name__}"
        self.control.send(json.dumps({"codec": codec, "sys_path": [], **more}).encode())
        self.links: list[socket.socket] = []

    def fork(self, number: int, **given: Any) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair()
        claims = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
        message = json.dumps({"fork": number, **given}).encode()
        socket.send_fds(self.control, [message], [theirs.fileno(), claims])
        theirs.close()
        ours.settimeout(PATIENCE)
        self.links.append(ours)
        ((kind, body),) = Records().feed(ours.recv(100))
        assert kind == UP
        assert read_up(body) in descendants(self.process.pid)
        return ours, claims

    def hear(self) -> Any:
        return json.loads(self.control.recv(2**16))

    def close(self) -> None:
        self.control.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            for link in self.links:
                link.close()


@pytest.fixture
def node() -> Iterator[_Node]:
    made = _Node()
    yield made
    made.close()


def _call(link: socket.socket, claims: int, function: Any, *args: Any) -> Any:
    call = CODEC.dump_call(function, args, {})
    digest, form = call.function or (None, b"")
    if digest is not None:
        link.sendall(b"".join(form_record(digest, form)))
    os.eventfd_write(claims, 1)
    buffers = [bytes(buffer) for buffer in call.buffers]
    link.sendall(b"".join(task_record(1, digest, buffers, None)))
    ((kind, body),) = Records().feed(link.recv(2**16))
    assert kind == OUTCOME
    return CODEC.load(read_outcome(body).buffers)


def _gone(*pids: int) -> bool:
    end = time.monotonic() + PATIENCE
    while any(map(alive, pids)) and time.monotonic() < end:
        select.select([], [], [], 0.01)
    return not any(map(alive, pids))


def test_a_forked_worker_runs_tasks(node: _Node) -> None:
    link, claims = node.fork(0)
    pid = _call(link, claims, os.getpid)
    assert pid in descendants(node.process.pid)
    os.close(claims)


def test_a_worker_has_its_variables_and_cores_from_the_start(node: _Node) -> None:
    core = min(os.sched_getaffinity(0))
    link, claims = node.fork(5, env={"CUDA_VISIBLE_DEVICES": "x"}, cpus=[core])
    assert _call(link, claims, os.getenv, "CUDA_VISIBLE_DEVICES") == "x"
    assert _call(link, claims, os.getenv, "LAMINA_WORKER") == "5"
    assert _call(link, claims, os.sched_getaffinity, 0) == {core}
    os.close(claims)


def test_a_worker_leaves_when_its_link_closes(node: _Node) -> None:
    core = min(os.sched_getaffinity(0))
    link, claims = node.fork(2, env={"MARK": "x"}, cpus=[core])
    assert _call(link, claims, os.getsid, 0) == _call(link, claims, os.getpid)
    link.close()
    assert node.hear() == {"dead": 2, "status": 0}
    os.close(claims)


def test_a_dead_worker_is_told_with_its_status(node: _Node) -> None:
    link, claims = node.fork(3)
    os.kill(_call(link, claims, os.getpid), signal.SIGKILL)
    assert node.hear() == {"dead": 3, "status": -signal.SIGKILL}
    os.close(claims)


def test_a_kill_takes_the_worker_and_what_is_below_it(node: _Node) -> None:
    link, claims = node.fork(0)
    pid = _call(link, claims, os.getpid)
    below = _call(link, claims, os.spawnlp, os.P_NOWAIT, "setsid", "setsid", "sleep", "1000")
    node.control.send(json.dumps({"kill": 0}).encode())
    assert node.hear() == {"dead": 0, "status": -signal.SIGKILL}
    assert _gone(pid, below)
    os.close(claims)


def test_what_a_dead_worker_left_running_is_killed(node: _Node) -> None:
    link, claims = node.fork(0)
    pid = _call(link, claims, os.getpid)
    below = _call(link, claims, os.spawnlp, os.P_NOWAIT, "setsid", "setsid", "sleep", "1000")
    os.kill(pid, signal.SIGKILL)
    assert _gone(pid, below)
    os.close(claims)


def test_it_ends_with_everything_below_when_the_manager_hangs_up(node: _Node) -> None:
    link, claims = node.fork(0)
    pid = _call(link, claims, os.getpid)
    below = _call(link, claims, os.spawnlp, os.P_NOWAIT, "setsid", "setsid", "sleep", "1000")
    node.control.close()
    assert node.process.wait(PATIENCE) == 0
    assert _gone(pid, below)
    os.close(claims)


def test_the_control_groups_of_a_manager_are_removed_with_its_workers(tmp_path: Path) -> None:
    place = tmp_path / "lamina-1"
    for number in range(2):
        (place / f"worker-{number}").mkdir(parents=True)
    node = _Node(groups=str(place))
    node.fork(0)
    assert place.exists()
    node.close()
    assert [*tmp_path.iterdir()] == []


def test_a_control_group_that_cannot_be_removed_keeps_no_zygote(tmp_path: Path) -> None:
    (tmp_path / "worker-0").mkdir()
    (tmp_path / "worker-0" / "still-there").touch()
    node = _Node(groups=str(tmp_path))
    node.fork(0)
    node.close()
    assert node.process.returncode == 0
    assert [*tmp_path.iterdir()] == [tmp_path / "worker-0"]


def test_a_manager_that_leaves_before_it_says_anything_leaves_no_zygote() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs:
        done = subprocess.run(
            [sys.executable, "-m", PACKAGE, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            timeout=PATIENCE,
        )
    assert done.returncode == 0


def test_a_worker_imports_from_where_its_manager_says(tmp_path: Path) -> None:
    (tmp_path / "only_there.py").write_text("def answer(data):\n    return data.upper()\n")
    node = _Node(sys_path=[str(tmp_path)])
    try:
        link, claims = node.fork(0)
        os.eventfd_write(claims, 1)
        link.sendall(b"".join(task_record(1, None, [b"here"], {"runner": "only_there:answer"})))
        ((kind, body),) = Records().feed(link.recv(2**16))
        assert kind == OUTCOME
        assert CODEC.load(read_outcome(body).buffers) == b"HERE"
        os.close(claims)
    finally:
        node.close()


def test_a_kill_of_a_worker_that_is_not_there_does_nothing(node: _Node) -> None:
    link, claims = node.fork(0)
    node.control.send(json.dumps({"kill": 9}).encode())
    assert _call(link, claims, abs, -3) == 3
    link.close()
    assert node.hear() == {"dead": 0, "status": 0}
    os.close(claims)
