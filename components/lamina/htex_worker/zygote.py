"""The zygote: forks workers, and sees to it that nothing of a dead one is left.

It is single-threaded and runs no user code, so a worker begins free of threads and of other
people's state, and is there in a millisecond. It speaks with the manager over a
``SOCK_SEQPACKET`` socket, one JSON message each: ``{"fork": n}`` with the worker's socket and
claims attached, and perhaps its ``env`` and ``cpus``, and ``initializer`` where the manager will
send one to the worker first, ``{"kill": n}``; and back ``{"dead": n, "status": s}``.

It is the subreaper of everything below its workers. Whatever is its child and no worker is
left over from a dead one, and is killed. When the manager's end of the socket closes, so is
everything.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from lamina.codec import Codec
from lamina.htex_worker.worker import serve
from lamina.processes import become_subreaper, die_with_parent, kill_tree

__all__ = ["main"]

MESSAGE = 2**16  # bytes
GROUPS_TIME = 2.0  # seconds for removing control groups


class _Zygote:
    def __init__(self, control: socket.socket, codec: Codec, wake: int) -> None:
        self._control, self._codec, self._wake = control, codec, wake
        self._workers: dict[int, int] = {}  # by pid
        self._pids: dict[int, int] = {}

    def run(self) -> None:
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while True:
            for handle, _ in poller.poll():
                if handle == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                elif not self._listen():
                    kill_tree([*self._workers], spare=())
                    kill_tree(_children(), spare=())
                    return

    def _listen(self) -> bool:
        data, handles, _, _ = socket.recv_fds(self._control, MESSAGE, 2)
        if not data:
            return False
        message: dict[str, Any] = json.loads(data)
        if "fork" in message:
            self._fork(message, handles)
        elif "kill" in message:
            pid = self._pids.get(message["kill"])
            if pid is not None:
                kill_tree([pid], spare=())
        return True

    def _fork(self, message: dict[str, Any], handles: list[int]) -> None:
        number: int = message["fork"]
        link, claims = handles
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                die_with_parent(signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
                self._become_worker(message, link, claims)
                status = 0
            except SystemExit:
                status = 0
            finally:
                os._exit(status)
        os.close(link)
        os.close(claims)
        self._workers[pid] = number
        self._pids[number] = pid

    def _become_worker(self, message: dict[str, Any], link: int, claims: int) -> None:
        self._control.close()
        os.close(self._wake)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        become_subreaper()
        os.environ.update(message.get("env", {}))
        os.environ["LAMINA_WORKER"] = str(message["fork"])
        if message.get("cpus"):
            os.sched_setaffinity(0, message["cpus"])
        first = bool(message.get("initializer"))
        serve(socket.socket(fileno=link), claims, self._codec, has_initializer=first)

    def _reap(self) -> None:
        dead: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            number = self._workers.pop(pid, None)
            if number is not None:
                del self._pids[number]
                dead.append((number, os.waitstatus_to_exitcode(status)))
        strays = [pid for pid in _children() if pid not in self._workers]
        if strays:
            kill_tree(strays, spare=())
        for number, status in dead:
            self._control.send(json.dumps({"dead": number, "status": status}).encode())


def _children() -> list[int]:
    """Our own children, from /proc; a zombie or two among them does no harm."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as listing:
            return [int(pid) for pid in listing.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat:
                        if int(stat.read().rpartition(")")[2].split()[1]) == me:
                            found.append(int(name))
                except OSError:
                    continue
        return found


def _codec(named: str) -> Codec:
    module, _, name = named.partition(":")
    codec: Codec = getattr(import_module(module), name)()
    return codec


def _remove_groups(path: Path) -> None:
    """Remove the manager's control groups, as soon as the kernel has seen our dead out of them."""
    until = time.monotonic() + GROUPS_TIME
    while path.exists():
        _bury()
        try:
            for group in (*path.glob("*/"), path):
                group.rmdir()
        except OSError:
            if time.monotonic() >= until:
                return  # the next manager here will do it
            time.sleep(0.01)


def _bury() -> None:
    """Collect all children that have ended: until then some kernels keep them in their groups."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main(arguments: list[str]) -> int:
    """Run on the control socket whose descriptor is the one argument."""
    control = socket.socket(fileno=int(arguments[0]))
    said = control.recv(2**20)
    if not said:
        return 0  # the manager has left before it could say anything
    config = json.loads(said)
    for entry in config["sys_path"]:
        if entry not in sys.path:
            sys.path.append(entry)
    die_with_parent(signal.SIGTERM)
    become_subreaper()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The end of the manager is told by the socket; a signal may only wake us to look.
        signal.signal(number, lambda *_: None)
    inner, outer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(outer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _Zygote(control, _codec(config["codec"]), inner).run()
    if "groups" in config:
        _remove_groups(Path(config["groups"]))
    return 0
