"""The client's end of the interchange: its process, and frames over a socket pair.

Each end learns of the other's death at once, because the socket closes.
"""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from lamina.htex_core import CONFIG, TASKS, Buffer, FrameCutter, Outgoing, WireTask, pack_parts

__all__ = ["Link"]

ROOT = __package__.rpartition(".")[0]
READ_SIZE = 2**16  # bytes; a larger buffer is mapped and unmapped each time, which costs more
SEND_BUFFER = 2**20  # bytes; the kernel may give less


class Link:
    """One epoch of the interchange."""

    def __init__(self, epoch: int, config: dict[str, Any], log: Path) -> None:
        self.epoch = epoch
        self.log = log
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        command = [sys.executable, "-m", f"{ROOT}.htex_interchange", str(theirs.fileno())]
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        theirs.close()
        ours.setblocking(False)
        self.socket = ours
        self._cutter = FrameCutter()
        self._tasks: list[WireTask] = []
        self._out = Outgoing()
        self.put(CONFIG, {**config, "epoch": epoch})
        self.flush()

    @property
    def full(self) -> bool:
        """Whether something waits until the socket takes more."""
        return bool(self._out)

    @property
    def gathered(self) -> int:
        """Tasks that wait for the next ``flush``."""
        return len(self._tasks)

    def put(self, kind: int, body: Any) -> None:
        """Keep a frame for the next ``flush``; tasks in a row become one frame."""
        if kind == TASKS:
            self._tasks += body
            return
        if self._tasks:
            self._close_tasks()
        self._out.frame(pack_parts(kind, self.epoch, body))

    def flush(self) -> None:
        """Send what was kept, as far as the socket takes it; never waits, never raises."""
        if self._tasks:
            self._close_tasks()
        out = self._out
        try:
            while out:
                out.sent(self.socket.sendmsg(out.head()))
        except BlockingIOError:
            pass
        except OSError:
            out.clear()  # it is dead; reading will say so

    def receive(self) -> list[Buffer] | None:
        """The frames that are whole; None when the interchange is gone."""
        cutter = self._cutter
        room = cutter.room
        try:
            if room is not None:
                count = self.socket.recv_into(room)
                return cutter.filled(count) if count else None
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        return cutter.feed(data) if data else None

    def close(self, timeout: float) -> int | None:
        """Hang up; the process leaves by itself, or is killed after ``timeout`` seconds."""
        self.socket.close()
        try:
            return self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _close_tasks(self) -> None:
        self._out.frame(pack_parts(TASKS, self.epoch, self._tasks))
        self._tasks = []
