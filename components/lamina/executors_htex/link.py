"""The client's end of the interchange: its process, and frames over a socket pair.

Each end learns of the other's death at once, because the socket closes.
"""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from lamina.htex_core import CONFIG, pack

__all__ = ["Link"]

ROOT = __package__.rpartition(".")[0]
READ_SIZE = 2**20  # bytes
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
        self._rest = bytearray()
        self._out = bytearray()
        self.send(pack(CONFIG, epoch, {**config, "epoch": epoch}))

    @property
    def full(self) -> bool:
        """Whether something waits until the socket takes more."""
        return bool(self._out)

    def send(self, frame: bytes) -> None:
        """Send a frame, or keep what the socket does not take; never waits, never raises."""
        self._out += len(frame).to_bytes(4, "little")
        self._out += frame
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        try:
            while self._out:
                sent = self.socket.send(self._out)
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()  # it is dead; reading will say so

    def receive(self) -> list[bytes] | None:
        """The frames that are whole; None when the interchange is gone."""
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._rest += data
        rest, at = self._rest, 0
        frames = []
        while len(rest) - at >= 4:
            length = int.from_bytes(rest[at : at + 4], "little")
            if len(rest) - at - 4 < length:
                break
            frames.append(bytes(rest[at + 4 : at + 4 + length]))
            at += 4 + length
        del rest[:at]
        return frames

    def close(self, timeout: float) -> int | None:
        """Hang up; the process leaves by itself, or is killed after ``timeout`` seconds."""
        self.socket.close()
        try:
            return self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
