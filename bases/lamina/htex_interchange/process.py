"""The interchange's process: sockets around the machine, and nothing that takes long.

The client hands it one end of a socket pair, so each learns of the other's death at once and
nobody else can speak. The first frame is the configuration.
"""

import os
import random
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

from lamina.htex_core import (
    CONFIG,
    READY,
    Buffer,
    Forget,
    FrameCutter,
    InterchangeEffect,
    InterchangeMachine,
    Leave,
    MalformedFrame,
    ManagerInfo,
    ManagerSelector,
    Outgoing,
    Parts,
    ToClient,
    ToManager,
    TurnManagerSelector,
    Watch,
    make_plugin,
    pack_parts,
    unpack,
)
from lamina.htex_wire import Keys, Refused, Router, make_keys, read_keys
from lamina.processes import Identity, watch

__all__ = ["ClientLink", "read_selector", "run"]

LAST_WORDS = 0.1  # seconds that frames of a dead manager may still be on their way
READ_SIZE = 2**16  # bytes; a larger buffer is mapped and unmapped each time, which costs more


class ClientLink:
    """Frames over a stream socket: 8 bytes of length before each, little-endian.

    If the socket does not wait, neither does this: a client that is stopped, or whose interpreter
    is busy, must not keep managers from being heard and answered.
    """

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self._cutter = FrameCutter()
        self._out = Outgoing()

    def receive(self) -> list[Buffer] | None:
        """The frames that are whole; None when the other end has closed."""
        cutter = self._cutter
        room = cutter.room
        try:
            if room is not None:
                count = self.link.recv_into(room)
                return cutter.filled(count) if count else None
            data = self.link.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        return cutter.feed(data) if data else None

    def send(self, frame: Parts) -> None:
        """Keep a frame for the next ``flush``."""
        self._out.frame(frame)

    @property
    def full(self) -> bool:
        """Whether something waits until the socket takes more."""
        return bool(self._out)

    def flush(self) -> bool:
        """Send what was kept, as far as it is taken; False when the other end has closed."""
        out = self._out
        try:
            while out:
                out.sent(self.link.sendmsg(out.head()))
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            out.clear()
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
            selector=read_selector(config.get("selector")),
            chance=random.random,
        )
        self.watched: dict[int, str] = {}
        self.dead: dict[str, float] = {}
        """Managers that have ended, and until when what they said last may still come in."""
        self.left: str | None = None
        self.refused = Refused()
        self.link.send(pack_parts(READY, self.epoch, {"address": self.router.address}))
        self.link.flush()

    def run(self) -> None:
        handle = self.link.link.fileno()
        self.router.watch(handle)
        machine = self.machine
        while self.left is None:
            deadline = machine.next_deadline()
            wake = min(filter(None, (deadline, *self.dead.values())), default=None)
            timeout = None if wake is None else max(0.0, wake - time.monotonic())
            ready = self.router.wait(timeout)
            now = time.monotonic()
            if -1 in ready:
                for route, parts in self.router.receive():
                    try:
                        frame = unpack(parts, "manager")
                    except MalformedFrame as error:  # its lease will end
                        self.refused.one("a manager", error)
                    else:
                        self.perform(machine.manager_frame(route, *frame, now))
            for pidfd in ready & self.watched.keys():
                self.router.unwatch(pidfd)
                self.dead[self.watched[pidfd]] = now + LAST_WORDS
            for uid in [uid for uid, until in self.dead.items() if now >= until]:
                del self.dead[uid]
                self.perform(machine.manager_died(uid, "its process has ended", now))
            if handle in ready:
                frames = self.link.receive()
                if frames is None:
                    self.perform(machine.client_gone())
                else:
                    for data in frames:
                        try:
                            frame = unpack(data, "client")
                        except MalformedFrame as error:
                            self.refused.one("the program", error)
                        else:
                            self.perform(machine.client_frame(frame.kind, frame.body, now))
            if deadline is None or now >= deadline:
                self.perform(machine.time_passed(now))
            if not self.link.flush():
                self.perform(machine.client_gone())
            self.router.watch(handle, writing=self.link.full)

    def perform(self, effects: list[InterchangeEffect]) -> None:
        for effect in effects:
            if type(effect) is ToManager:
                self.router.send(effect.route, pack_parts(effect.kind, self.epoch, effect.body))
            elif type(effect) is ToClient:
                self.link.send(pack_parts(effect.kind, self.epoch, effect.body))
            elif type(effect) is Watch:
                self.watch(effect.manager)
            elif type(effect) is Forget:
                self.forget(effect.uid)
            elif type(effect) is Leave:
                self.left = effect.reason

    def watch(self, manager: ManagerInfo) -> None:
        """Learn of a manager's death at once, if it is a process of this host."""
        identity = Identity.read(manager.boot)
        if identity is None or manager.uid in self.watched.values():
            return
        try:
            pidfd = watch(identity)
        except ProcessLookupError:
            self.dead[manager.uid] = time.monotonic() + LAST_WORDS
            return
        if pidfd is not None:  # otherwise it is elsewhere, and its lease decides
            self.watched[pidfd] = manager.uid
            self.router.watch(pidfd)

    def forget(self, uid: str) -> None:
        self.dead.pop(uid, None)
        for pidfd, watched in list(self.watched.items()):
            if watched == uid:
                self.router.unwatch(pidfd)
                os.close(pidfd)
                del self.watched[pidfd]


def read_selector(written: Any) -> ManagerSelector:
    """The selector that the program has written down, with the places where it may be found."""
    if written is None:
        return TurnManagerSelector()
    place, options, path = written
    sys.path += [entry for entry in path if entry not in sys.path]
    selector: ManagerSelector = make_plugin((place, options))
    return selector


def run(handle: int) -> int:
    """Serve the client at the other end of this descriptor until it ends or says so."""
    with socket.socket(fileno=handle) as client:
        link = ClientLink(client)
        frames: list[Buffer] | None = []
        while frames == []:
            frames = link.receive()
        if frames is None:
            return 0
        first = unpack(frames[0])
        assert first.kind == CONFIG, "the first frame is the configuration"
        client.setblocking(False)
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
