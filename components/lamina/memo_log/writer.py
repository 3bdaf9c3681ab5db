"""The one writer of a log: plain appends, and fsync when it is told to. It takes no locks."""

import errno
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lamina.memo import StoredResult
from lamina.memo_log.files import BESIDE_DIR, LOG_NAME
from lamina.memo_log.forms import BESIDE, HEADER, RESULT, Header, joined, write_header, write_result
from lamina.memo_log.framing import frame

__all__ = ["LARGE", "LogWriter", "Place"]

LARGE = 1 << 20
"""Bytes of data from which a result lies beside the log by default."""


class Place(NamedTuple):
    """Where the frame of a result is."""

    offset: int
    size: int


class LogWriter:
    """Makes a log in ``folder`` and appends to it. Not for several threads at once.

    What is appended is in the hands of the system at once, or once ``buffer`` bytes are there;
    it is safe from the death of the machine after ``sync``. A write that fails leaves a piece
    that is no record, which readers skip, and the log goes on behind it.

    Raises:
        OSError: It cannot be made, or is there already.
    """

    def __init__(
        self, folder: Path, header: Header, *, large: int = LARGE, buffer: int = 0
    ) -> None:
        self.folder = folder
        self.path = folder / LOG_NAME
        self.nonce = secrets.token_bytes(8)
        self.name = self.nonce.hex()
        """As the log is called by those who read it."""
        self._large, self._buffer = large, buffer
        self._waiting: list[bytes] = []
        self._held = 0
        self._unsynced = True
        # Whose entries are not safe yet: the log's, and those of the run and of all runs, which
        # may be as new.
        self._folders = {folder, *folder.absolute().parents[:3]}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o600)
        self.end = 0
        """Where the next frame will begin."""
        self._append([frame(HEADER, self.nonce, write_header(header))])
        self.flush()

    def put(self, results: Sequence[StoredResult]) -> list[Place]:
        """Append results and say where they are.

        Raises:
            OSError: They could not be written; none of them counts.
        """
        frames = [self._frame(result) for result in results]
        places, at = [], self.end
        for one in frames:
            places.append(Place(at, len(one)))
            at += len(one)
        self._append(frames)
        return places

    def _frame(self, result: StoredResult) -> bytes:
        data = joined(result.data)
        if len(data) < self._large:
            return frame(RESULT, self.nonce, write_result(result, data))
        return frame(BESIDE, self.nonce, write_result(result, self._put_beside(data)))

    def _put_beside(self, data: bytes) -> bytes:
        folder = self.folder / BESIDE_DIR
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
            self._folders.add(self.folder)
        checksum = hashlib.blake2b(data, digest_size=20).hexdigest()
        path = folder / checksum
        if not path.exists():  # equal results share a file
            partial = folder / f"{checksum}.part"
            with open(partial, "wb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
            self._folders.add(folder)
        return checksum.encode()

    def _append(self, frames: Sequence[bytes]) -> None:
        self._waiting += frames
        size = sum(map(len, frames))
        self._held += size
        self.end += size
        self._unsynced = True
        if self._held >= self._buffer:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the system.

        Raises:
            OSError: It did not take it; what was waiting is lost to the log.
        """
        if not self._waiting:
            return
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting, self._held = [], 0
        try:
            written = os.write(self._handle, data)
            while written < len(data):
                written += os.write(self._handle, memoryview(data)[written:])
        except OSError:
            self.end = os.fstat(self._handle).st_size
            raise

    def sync(self) -> None:
        """Return when what was flushed survives the death of the machine.

        Another thread may put and flush meanwhile.

        Raises:
            OSError: It could not be written.
        """
        if self._unsynced:
            self._unsynced = False  # before: what is written meanwhile needs another one
            try:
                os.fsync(self._handle)
            except OSError:
                self._unsynced = True
                raise
        while self._folders:
            folder = self._folders.pop()
            try:
                _sync_folder(folder)
            except OSError:
                self._folders.add(folder)
                raise

    def close(self) -> None:
        """Sync and let go. A second call does nothing.

        Raises:
            OSError: What was left could not be written.
        """
        if self._handle < 0:
            return
        try:
            self.flush()
            self.sync()
        finally:
            os.close(self._handle)
            self._handle = -1


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # one that may not be listed, so nothing in it was made just now
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no such thing
            raise
    finally:
        os.close(handle)
