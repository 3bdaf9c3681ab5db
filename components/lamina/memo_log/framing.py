"""Frames: how records lie in a log, so that damage to one costs that one only.

A log is nothing but frames, one after the other::

    marker   4 bytes   D7 4C 4D 0A
    nonce    8 bytes   chance; the same in all frames of one log
    kind     1 byte    what the body is: forms.py
    version  1 byte    of this format: 1
    zero     2 bytes
    size     4 bytes   of the body
    body sum 4 bytes   CRC-32 of the body
    head sum 4 bytes   CRC-32 of the 24 bytes before
    body     size bytes

Numbers are little-endian. Whoever reads checks both sums. Where the head is whole and the body is
not, exactly that body is skipped; where the head is damaged, reading goes on at the next marker
with this log's nonce and a head that is whole. The nonce keeps a log that is itself part of a
result, and lies in a damaged body, from being taken for records of this one. A frame that the end
of the file cuts off is *torn*: it was being written when its writer died, or it still is.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "Damage",
    "Frame",
    "HEAD_SIZE",
    "LARGEST",
    "MARKER",
    "Scanner",
    "frame",
    "read_frame",
]

MARKER = b"\xd7LM\n"
VERSION = 1
HEAD = struct.Struct("<4s8sBBHIII")
_SUMMED_PART = struct.Struct("<4s8sBBHII")
_SUM = struct.Struct("<I")
HEAD_SIZE = HEAD.size
LARGEST = 1 << 30
"""Bytes of a body; a head that says more is taken for damaged."""

_SUMMED = _SUMMED_PART.size


class Frame(NamedTuple):
    """A record that is whole."""

    offset: int
    """Where its frame begins in the log."""
    kind: int
    nonce: bytes
    body: bytes

    @property
    def end(self) -> int:
        """Where the next frame begins."""
        return self.offset + HEAD_SIZE + len(self.body)


class Damage(NamedTuple):
    """Bytes that are no record."""

    offset: int
    size: int
    torn: bool
    """The end of the file cuts it off, so it may still be on its way."""


def frame(kind: int, nonce: bytes, body: bytes) -> bytes:
    """One frame, to be appended."""
    head = _SUMMED_PART.pack(MARKER, nonce, kind, VERSION, 0, len(body), zlib.crc32(body))
    return b"".join((head, _SUM.pack(zlib.crc32(head)), body))


def read_frame(data: bytes, offset: int, nonce: bytes) -> Frame | None:
    """The frame that these bytes, read at ``offset``, begin with; None if it is not whole."""
    head = _head(data, 0, nonce)
    if head is None:
        return None
    kind, size, checksum, _ = head
    body = data[HEAD_SIZE : HEAD_SIZE + size]
    if len(body) != size or zlib.crc32(body) != checksum:
        return None
    return Frame(offset, kind, nonce, body)


def _head(
    data: bytes | bytearray, at: int, nonce: bytes | None
) -> tuple[int, int, int, bytes] | None:
    """Kind, size, checksum and nonce, if there is a whole head."""
    if len(data) - at < HEAD_SIZE:
        return None
    marker, own, kind, version, _, size, body_sum, head_sum = HEAD.unpack_from(data, at)
    if marker != MARKER or version != VERSION or size > LARGEST:
        return None
    if nonce is not None and own != nonce:
        return None
    if zlib.crc32(memoryview(data)[at : at + _SUMMED]) != head_sum:
        return None
    return kind, size, body_sum, own


class Scanner:
    """Finds the frames of a log in pieces of it, fed in order. Holds one frame at most.

    ``offset`` is where the first piece begins; ``nonce`` is that of the log, where it is known,
    and is otherwise learnt from the first frame that is whole.
    """

    def __init__(self, offset: int = 0, nonce: bytes | None = None) -> None:
        self.nonce = nonce
        self._data = bytearray()
        self._base = offset  # where _data begins in the log
        self._at = 0  # how much of it is done with
        self._bad: int | None = None  # where damage began

    def feed(self, piece: bytes) -> Iterator[Frame | Damage]:
        """What is certain with this piece."""
        if self._at:
            del self._data[: self._at]
            self._base += self._at
            self._at = 0
        self._data += piece
        yield from self._scan()

    def end(self) -> Iterator[Frame | Damage]:
        """The file ends here: what is left over, if anything is."""
        while self._at < len(self._data):
            # A head that promises more than there is may be the torn last one, or a frame whose
            # middle is lost; whatever is whole behind it is had all the same.
            start = self._at if self._bad is None else self._bad - self._base
            at = self._next(self._at + 1)
            if at is None:
                torn = self._base + start
                yield Damage(torn, len(self._data) - start, self._torn(start))
                self._at, self._bad = len(self._data), None
                return
            self._skip_to(at)
            yield from self._scan()
        yield from self._close_damage()

    def _torn(self, start: int) -> bool:
        """Whether what begins there could be the beginning of a frame."""
        if start < 0:  # it is long gone, so much lies behind it
            return False
        left = len(self._data) - start
        if left < HEAD_SIZE:
            known = MARKER if self.nonce is None else MARKER + self.nonce
            return self._data[start : start + len(known)] == known[:left]
        return _head(self._data, start, self.nonce) is not None

    def _scan(self) -> Iterator[Frame | Damage]:
        data = self._data
        while len(data) - self._at >= HEAD_SIZE:
            head = _head(data, self._at, self.nonce)
            if head is None:
                at = self._next(self._at + 1)
                self._skip_to(len(data) - HEAD_SIZE + 1 if at is None else at)
                if at is None:
                    return
                continue
            kind, size, checksum, nonce = head
            start = self._at + HEAD_SIZE
            if len(data) - start < size:
                return
            body = bytes(memoryview(data)[start : start + size])
            if zlib.crc32(body) == checksum:
                yield from self._close_damage()
                self.nonce = nonce
                yield Frame(self._base + self._at, kind, nonce, body)
                self._at = start + size
            elif self._follows(start + size):
                self._skip_to(start + size)
            else:
                self._skip_to(self._at + 1)

    def _follows(self, at: int) -> bool:
        """Whether a frame begins there, or nothing does yet."""
        return at == len(self._data) or _head(self._data, at, self.nonce) is not None

    def _next(self, at: int) -> int | None:
        """The next whole head, from there on."""
        sought = MARKER if self.nonce is None else MARKER + self.nonce
        while (at := self._data.find(sought, at)) >= 0:
            if _head(self._data, at, self.nonce) is not None:
                return at
            at += 1
        return None

    def _skip_to(self, at: int) -> None:
        if self._bad is None:
            self._bad = self._base + self._at
        self._at = at

    def _close_damage(self) -> Iterator[Damage]:
        if self._bad is not None:
            yield Damage(self._bad, self._base + self._at - self._bad, torn=False)
            self._bad = None
