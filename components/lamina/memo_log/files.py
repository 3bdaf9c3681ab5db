"""Reading logs and what lies beside them: only what belongs to this user is ever looked into."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from lamina.memo import CallPrint, ResultDamaged, StoredResult
from lamina.memo_log.forms import BESIDE, HEADER, RESULT, Header, read_header, read_result, split
from lamina.memo_log.framing import Damage, Frame, Scanner, read_frame
from lamina.vocabulary import LaminaError

__all__ = ["BESIDE_DIR", "LOG_NAME", "ForeignFile", "Log", "open_own", "read_beside"]

LOG_NAME = "results.log"
BESIDE_DIR = "large"

_PIECE = 1 << 20  # bytes
_FIRST = 1 << 12  # bytes, in which the first frame is


class ForeignFile(LaminaError):
    """A file belongs to another user, and what it says could run code of theirs. It is not read."""

    def __init__(self, path: str, owner: int, user: int) -> None:
        super().__init__(path, owner, user)
        self.path, self.owner, self.user = path, owner, user

    def __str__(self) -> str:
        return (
            f"{self.path} belongs to user {self.owner} and you are user {self.user}: results are "
            "only loaded from files of your own. If you trust it, make a copy of it."
        )


def open_own(path: str | os.PathLike[str]) -> int:
    """A descriptor to read a file by, if it is the user's own.

    Raises:
        OSError: It cannot be opened.
        ForeignFile: It belongs to somebody else.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    owner, user = os.fstat(handle).st_uid, os.geteuid()
    if owner != user:
        os.close(handle)
        raise ForeignFile(os.fspath(path), owner, user)
    return handle


def read_beside(folder: Path, rest: bytes) -> bytes:
    """The contents of the file that ``rest`` of a record names, which lies in ``folder``.

    Raises:
        ResultDamaged: It is not there, or is not what was written.
    """
    checksum = os.path.basename(rest.decode("ascii", "replace"))
    path = folder / checksum
    try:
        with open(open_own(path), "rb") as file:
            data = file.read()
    except (OSError, ForeignFile) as error:
        raise ResultDamaged(str(path), str(error)) from error
    if hashlib.blake2b(data, digest_size=20).hexdigest() != checksum:
        raise ResultDamaged(str(path), "its contents are not those that were written")
    return data


class Log:
    """One log, for reading. Any number may read it, also while it is being written.

    It is opened when it is read, and held open until ``close``, after which it can be read again.

    Raises:
        OSError: It cannot be opened.
        ForeignFile: It belongs to another user.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LOG_NAME
        self._handle = -1
        self.nonce: bytes | None = None
        self.header: Header | None = None
        try:
            self._look()
        finally:
            self.close()  # there may be more of them than can be open

    def _look(self) -> None:
        scanner = Scanner()
        first = next(scanner.feed(os.pread(self._open(), _FIRST, 0)), None)
        if not isinstance(first, Frame):
            first = next((item for item in self.scan(0) if isinstance(item, Frame)), None)
        if first is not None:
            self.nonce = first.nonce
            self.header = read_header(first.body) if first.kind == HEADER else None

    def _open(self) -> int:
        if self._handle < 0:
            self._handle = open_own(self.path)
        return self._handle

    @property
    def name(self) -> str:
        """What no other log is called; it is in every frame, so damage cannot take it."""
        return "" if self.nonce is None else self.nonce.hex()

    def size(self) -> int:
        """Bytes of it now."""
        return self.path.stat().st_size

    def scan(self, offset: int) -> Iterator[Frame | Damage]:
        """All records and all damage from ``offset`` to the present end."""
        scanner = Scanner(offset, self.nonce)
        while piece := os.pread(self._open(), _PIECE, offset):
            offset += len(piece)
            for item in scanner.feed(piece):
                self.nonce = scanner.nonce
                yield item
        yield from scanner.end()

    def results(self, offset: int = 0) -> Iterator[tuple[Frame, StoredResult, bytes] | Damage]:
        """All results, without their data, and all damage; of each the rest of its body too."""
        for item in self.scan(offset):
            if isinstance(item, Damage):
                yield item
            elif item.kind in (RESULT, BESIDE):
                read = read_result(item.body)
                if read is None:
                    yield Damage(item.offset, item.end - item.offset, torn=False)
                else:
                    yield item, *read

    def read(self, offset: int, size: int) -> StoredResult:
        """The result whose frame is there.

        Raises:
            ResultDamaged: It cannot be read.
        """
        return self.complete(*self._record(offset, size))

    def made_of(self, offset: int, size: int) -> CallPrint | None:
        """What the key of the result whose frame is there was made of.

        Raises:
            ResultDamaged: It cannot be read.
        """
        return self._record(offset, size)[1].made_of

    def _record(self, offset: int, size: int) -> tuple[Frame, StoredResult, bytes]:
        where = f"{self.path} at byte {offset}"
        assert self.nonce is not None
        try:
            data = os.pread(self._open(), size, offset)
        except (OSError, ForeignFile) as error:
            raise ResultDamaged(where, str(error)) from error
        frame = read_frame(data, offset, self.nonce)
        read = None if frame is None else read_result(frame.body)
        if frame is None or read is None:
            raise ResultDamaged(where, "it is damaged")
        return frame, *read

    def complete(self, frame: Frame, result: StoredResult, rest: bytes) -> StoredResult:
        """The result with its data.

        Raises:
            ResultDamaged: The file that holds it cannot be read.
        """
        if frame.kind == BESIDE:
            rest = read_beside(self.folder / BESIDE_DIR, rest)
        buffers = split(rest)
        if not buffers:
            where = f"{self.path} at byte {frame.offset}"
            raise ResultDamaged(where, "its sizes make no sense")
        return result._replace(data=buffers)

    def close(self) -> None:
        """Let go of the file, until it is read again."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
