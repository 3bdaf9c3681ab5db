"""The interchange's process: sockets around the machine, and nothing that takes long.

The client hands it one end of a socket pair, so each learns of the other's death at once and
nobody else can speak. The first frame is the configuration.
"""

import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from lamina.htex_core import (
    CONFIG,
    READY,
    Forget,
    InterchangeEffect,
    InterchangeMachine,
    Leave,
    MalformedFrame,
    ManagerInfo,
    ToClient,
    ToManager,
    Watch,
    pack,
    unpack,
)
from lamina.htex_wire import Keys, Router, make_keys, read_keys
from lamina.processes import boot_id

__all__ = ["ClientLink", "run"]

READ_SIZE = 2**20  # bytes


class ClientLink:
    """Frames over a stream socket: 4 bytes of length before each, little-endian."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._rest = bytearray()
        self._out: list[bytes] = []

    def receive(self) -> list[bytes] | None:
        """The frames that are whole; None when the other end has closed."""
        try:
            data = self.link.recv(READ_SIZE)
        except ConnectionResetError:
            return None
        if not data:
            return None
        self._rest += data
        frames = []
        at = 0
        rest = self._rest
        while len(rest) - at >= 4:
            length = int.from_bytes(rest[at : at + 4], "little")
            if len(rest) - at - 4 < length:
                break
            frames.append(bytes(rest[at + 4 : at + 4 + length]))
            at += 4 + length
        del rest[:at]
        return frames

    def send(self, frame: bytes) -> None:
        """Keep a frame for the next ``flush``."""
        self._out.append(len(frame).to_bytes(4, "little"))
        self._out.append(frame)

    def flush(self) -> bool:
        """Send what was kept, in one piece; False when the other end has closed."""
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            try:
                self.link.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                return False
        return True


class _Shell:
    def __init__(self, link: ClientLink, config: dict[str, Any]) -> None:
        self.link = link
        self.epoch: int = config["epoch"]
        keys: Keys | None = None
        if config["encrypted"]:
            make_keys(Path(config["keys"]))
            keys = read_keys(Path(config["keys"]), "interchange")
        if config["bind"].startswith("ipc://"):
            Path(config["bind"].removeprefix("ipc://")).unlink(missing_ok=True)
        self.router = Router(config["bind"], keys)
        self.machine = InterchangeMachine(
            epoch=self.epoch,
            python=config["python"],
            package=config["package"],
            heartbeat_period=config["heartbeat_period"],
            heartbeat_threshold=config["heartbeat_threshold"],
        )
        self.watched: dict[int, str] = {}
        self.left: str | None = None
        self.link.send(pack(READY, self.epoch, {"address": self.router.address}))
        self.link.flush()

    def run(self) -> None:
        handle = self.link.link.fileno()
        machine = self.machine
        while self.left is None:
            deadline = machine.next_deadline()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = self.router.wait((handle, *self.watched), timeout)
            now = time.monotonic()
            if -1 in ready:
                for route, data in self.router.receive():
                    try:
                        frame = unpack(data)
                        self.perform(machine.manager_frame(route, *frame, now))
                    except (MalformedFrame, KeyError, TypeError, ValueError, IndexError):
                        machine.dropped += 1  # it speaks another language; its lease will end
            for pidfd in ready & self.watched.keys():
                self.perform(machine.manager_died(self.watched[pidfd], "its process has ended"))
            if handle in ready:
                frames = self.link.receive()
                if frames is None:
                    self.perform(machine.client_gone())
                else:
                    for data in frames:
                        frame = unpack(data)
                        self.perform(machine.client_frame(frame.kind, frame.body, now))
            if deadline is None or now >= deadline:
                self.perform(machine.time_passed(now))
            if not self.link.flush():
                self.perform(machine.client_gone())

    def perform(self, effects: list[InterchangeEffect]) -> None:
        for effect in effects:
            if type(effect) is ToManager:
                self.router.send(effect.route, pack(effect.kind, self.epoch, effect.body))
            elif type(effect) is ToClient:
                self.link.send(pack(effect.kind, self.epoch, effect.body))
            elif type(effect) is Watch:
                self.watch(effect.manager)
            elif type(effect) is Forget:
                self.forget(effect.uid)
            elif type(effect) is Leave:
                self.left = effect.reason

    def watch(self, manager: ManagerInfo) -> None:
        """Learn of a manager's death at once, if it is a process of this host."""
        if manager.boot != boot_id() or manager.uid in self.watched.values():
            return
        try:
            self.watched[os.pidfd_open(manager.pid)] = manager.uid
        except OSError:
            pass  # another pid namespace, or dead already: its lease decides

    def forget(self, uid: str) -> None:
        for pidfd, watched in list(self.watched.items()):
            if watched == uid:
                os.close(pidfd)
                del self.watched[pidfd]


def run(handle: int) -> int:
    """Serve the client at the other end of this descriptor until it ends or says so."""
    with socket.socket(fileno=handle) as client:
        link = ClientLink(client)
        frames: list[bytes] | None = []
        while frames == []:
            frames = link.receive()
        if frames is None:
            return 0
        first = unpack(frames[0])
        assert first.kind == CONFIG, "the first frame is the configuration"
        shell = _Shell(link, first.body)
        try:
            shell.run()
        finally:
            shell.link.flush()
            shell.router.close(linger=1.0)
        # The client may have been killed; after a crash of ours it starts another one there.
        if first.body.get("socket_dir"):
            shutil.rmtree(first.body["socket_dir"], ignore_errors=True)
    return 0
