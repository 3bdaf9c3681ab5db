"""The manager's process: one on each node, with the zygote and the workers below it.

Its configuration is a JSON file for the user alone, whose path is its one argument: nothing
that is secret appears on a command line.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.htex_core import (
    Give,
    KillWorker,
    LeaveNode,
    MalformedFrame,
    ManagerEffect,
    ManagerInfo,
    ManagerMachine,
    Recall,
    SendOut,
    StartWorker,
    pack,
    unpack,
)
from lamina.htex_wire import Dealer, Keys, reachable, read_keys
from lamina.htex_worker import (
    DRY,
    NEED,
    OUTCOME,
    UP,
    Records,
    form_record,
    mark_record,
    read_need,
    read_outcome,
    task_record,
)
from lamina.processes import become_subreaper, boot_id, descendants, kill_tree
from lamina.vocabulary import exit_in_words

__all__ = ["run"]

ROOT = __package__.rpartition(".")[0]
READ_SIZE = 2**18  # bytes
RECONNECT = 0.2  # seconds between two attempts to reach the interchange
EFD_SEMAPHORE = os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC
GRACE = 1.0  # seconds for the last frames to leave


class _Pipe:
    """The manager's end of one worker."""

    def __init__(self, number: int, link: socket.socket, claims: int) -> None:
        self.number, self.link, self.claims = number, link, claims
        self.records = Records()
        self.out = bytearray()
        self.ended = False
        self.status: int | None = None
        self.recall_waits = False
        """Whether a recall found nothing left, which is told once its words are read."""

    def unclaimed(self) -> int:
        """Take all claims that are left, and say how many there were."""
        count = 0
        while True:
            try:
                os.eventfd_read(self.claims)
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self.link.close()
        os.close(self.claims)


class _Shell:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.keys: Keys | None = None
        if config["encrypted"]:
            self.keys = read_keys(Path(config["keys"]), "manager")
        info = ManagerInfo(
            uid=uuid.uuid4().hex[:12],
            block=os.environ.get("LAMINA_BLOCK", config["block"]),
            host=platform.node(),
            boot=boot_id(),
            pid=os.getpid(),
            slots=config["workers"] or max(1, len(os.sched_getaffinity(0))),
            python=".".join(platform.python_version_tuple()[:2]),
            package=config["package"],
        )
        self.machine = ManagerMachine(
            info,
            heartbeat_period=config["heartbeat_period"],
            heartbeat_threshold=config["heartbeat_threshold"],
            wall_offset=time.time() - time.monotonic(),
        )
        self.pipes: dict[int, _Pipe] = {}
        self.by_handle: dict[int, _Pipe] = {}
        self.left: LeaveNode | None = None
        self.zygote: subprocess.Popen[bytes] | None = None
        self.control: socket.socket
        self.signals, self.told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.dealer = self.connect()
        self.dealer.watch(self.signals)

    # Connections.

    def connect(self) -> Dealer:
        """Find the interchange; one that is being started again may take a while."""
        until = time.monotonic() + self.config["heartbeat_threshold"]
        while True:
            address, attempts = reachable(self.config["addresses"], timeout=5.0)
            if address is not None:
                return Dealer(address, self.keys)
            if time.monotonic() >= until:
                sys.stderr.write("cannot reach the interchange:\n  " + "\n  ".join(attempts) + "\n")
                raise SystemExit(1)
            time.sleep(RECONNECT)

    def reconnect(self) -> None:
        """The connection broke: the other side may be a new epoch. Old frames go with it."""
        self.dealer.close()
        self.dealer = self.connect()
        self.dealer.watch(self.signals)
        self.dealer.watch(self.control.fileno())
        for pipe in self.pipes.values():
            if not pipe.ended:
                self.dealer.watch(pipe.link.fileno(), writing=bool(pipe.out))
        self.perform(self.machine.reconnected(time.monotonic()))

    def start_zygote(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = f"{ROOT}.htex_worker"
        command = [sys.executable, "-m", module, str(theirs.fileno())]
        self.zygote = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
        )
        theirs.close()
        said = {"codec": self.config["codec"], "sys_path": self.config["sys_path"]}
        ours.send(json.dumps(said).encode())
        self.control = ours
        self.dealer.watch(ours.fileno())

    # The loop.

    def run(self) -> str:
        machine = self.machine
        self.start_zygote()
        self.perform(machine.start(time.monotonic()))
        while self.left is None:
            timeout = machine.next_deadline(time.monotonic()) - time.monotonic()
            ready = self.dealer.wait(max(0.0, timeout))
            now = time.monotonic()
            if -1 in ready or self.dealer.lost:
                # The last words before a connection broke may be that we are to leave.
                for data in self.dealer.receive():
                    try:
                        self.perform(machine.frame(*unpack(data), now))
                    except MalformedFrame:
                        continue
            if self.dealer.lost and self.left is None:
                self.reconnect()
                continue
            for handle, writable in ready.items():
                pipe = self.by_handle.get(handle)
                if pipe is not None:
                    self.serve(pipe, writable, now)
                elif handle == self.control.fileno():
                    self.listen(now)
                elif handle == self.signals:
                    self.perform(machine.stop("the block was told to end", now))
            self.perform(machine.flush(now))
            if now >= machine.next_deadline(now):
                self.perform(machine.time_passed(now))
        return self.left.reason

    def serve(self, pipe: _Pipe, writable: bool, now: float) -> None:
        if writable and pipe.out:
            self.write(pipe)
        if not pipe.ended:
            self.read(pipe, now)

    def read(self, pipe: _Pipe, now: float) -> bool:
        """Take what a worker said; False when there is nothing more just now."""
        try:
            data = pipe.link.recv(max(READ_SIZE, pipe.records.wanted))
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if not data:
            pipe.ended = True
            self.dealer.unwatch(pipe.link.fileno())
            self.bury(pipe, now)
            return False
        machine = self.machine
        for kind, body in pipe.records.feed(data):
            if kind == OUTCOME:
                report = read_outcome(body)
                buffers = [bytes(buffer) for buffer in report.buffers]
                outcome = [report.attempt, report.code, buffers, report.began, report.ended, None]
                self.perform(machine.worker_ended_task(pipe.number, outcome, now))
            elif kind == UP:
                self.perform(machine.worker_up(pipe.number, now))
            elif kind == DRY:
                self.perform(machine.worker_dry(pipe.number, now))
            elif kind == NEED:
                self.perform(machine.worker_needs(pipe.number, [read_need(body)], now))
            if pipe.recall_waits and kind == OUTCOME:
                pipe.recall_waits = False
                self.perform(machine.recalled(pipe.number, 0, now))
        return True

    def listen(self, now: float) -> None:
        """The zygote says that a worker is dead, or is dead itself."""
        data = self.control.recv(READ_SIZE)
        if not data:
            self.left = LeaveNode("the process that starts workers has died", orderly=False)
            return
        said = json.loads(data)
        pipe = self.pipes[said["dead"]]
        pipe.status = said["status"]
        self.bury(pipe, now)

    def bury(self, pipe: _Pipe, now: float) -> None:
        """A worker is done for when its last words are read and its process is gone."""
        if pipe.status is None:
            return
        if not pipe.ended:
            while self.read(pipe, now):
                pass
            if not pipe.ended:  # something else holds its socket open; its words are all here
                pipe.ended = True
                self.dealer.unwatch(pipe.link.fileno())
        if self.pipes.pop(pipe.number, None) is None:
            return
        del self.by_handle[pipe.link.fileno()]
        unclaimed = pipe.unclaimed()
        pipe.close()
        how = exit_in_words(pipe.status)
        self.perform(self.machine.worker_died(pipe.number, how, unclaimed, now))

    # Effects.

    def perform(self, effects: Sequence[ManagerEffect]) -> None:
        for effect in effects:
            if type(effect) is Give:
                self.give(effect)
            elif type(effect) is SendOut:
                self.dealer.send(pack(effect.kind, self.machine.epoch, effect.body))
            elif type(effect) is Recall:
                self.recall(effect.worker)
            elif type(effect) is StartWorker:
                self.start_worker(effect.worker)
            elif type(effect) is KillWorker:
                self.control.send(json.dumps({"kill": effect.worker}).encode())
            elif type(effect) is LeaveNode:
                self.left = effect

    def give(self, effect: Give) -> None:
        pipe = self.pipes.get(effect.worker)
        if pipe is None:
            return
        if effect.tasks:
            os.eventfd_write(pipe.claims, len(effect.tasks))
        for digest, form in effect.forms:
            pipe.out += form_record(digest, form)
        for attempt, digest, buffers, options in effect.tasks:
            pipe.out += task_record(attempt, digest, buffers, options)
        self.write(pipe)

    def recall(self, worker: int) -> None:
        """Take a worker's claims back.

        If none is left, all that it holds has begun and outcomes are on their way; told at
        once, the machine would ask again and again before any of them is read.
        """
        pipe = self.pipes.get(worker)
        count = 0 if pipe is None else pipe.unclaimed()
        if pipe is not None and count == 0:
            pipe.recall_waits = True
        else:
            if pipe is not None:
                pipe.out += mark_record()
                self.write(pipe)
            self.perform(self.machine.recalled(worker, count, time.monotonic()))

    def write(self, pipe: _Pipe) -> None:
        try:
            sent = pipe.link.send(pipe.out)
            del pipe.out[:sent]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            pipe.out.clear()  # it is dying; the zygote will say so
        if not pipe.ended:
            self.dealer.watch(pipe.link.fileno(), writing=bool(pipe.out))

    def start_worker(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        claims = os.eventfd(0, EFD_SEMAPHORE)
        message = json.dumps({"fork": number}).encode()
        socket.send_fds(self.control, [message], [theirs.fileno(), claims])
        theirs.close()
        pipe = _Pipe(number, ours, claims)
        self.pipes[number] = self.by_handle[ours.fileno()] = pipe
        self.dealer.watch(ours.fileno())

    def close(self) -> None:
        """Leave nothing below us, then nothing of us."""
        self.control.close()
        if self.zygote is not None:
            try:
                self.zygote.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                self.zygote.kill()
                self.zygote.wait()
        if left := descendants(os.getpid()):
            kill_tree(left, spare=())
        self.dealer.close(linger=GRACE)


def run(arguments: list[str]) -> int:
    """Run a manager on this node until it is told to leave, or its lease ends."""
    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shell = _Shell(config)

    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(shell.told, warn_on_full_buffer=False)
    try:
        reason = shell.run()
    finally:
        shell.close()
    orderly = shell.left is not None and shell.left.orderly
    sys.stderr.write(f"manager {shell.machine.info.uid} leaves: {reason}\n")
    return 1 if orderly else 0
