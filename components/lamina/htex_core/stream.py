"""Frames over a stream, without a socket: what was read is cut, what is to be written gathers.

Before each frame stand 8 bytes with its length, little-endian.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

__all__ = ["Buffer", "FrameCutter", "Outgoing"]

Buffer: TypeAlias = bytes | bytearray | memoryview

_HEAD = 8  # bytes; four would not do for arguments of 4 GiB
_WHOLE = 2**16  # bytes; a longer frame is read into a place of its own
_SMALL = 2**12  # bytes; shorter pieces are joined, for each piece has a price as well
_PIECES = 256  # handed to the system at once; Linux takes no more than 1024


class FrameCutter:
    """Cuts a stream of bytes into frames, however the bytes come.

    While a long frame is under way, ``room`` is the place for what is still to come of it; it
    is read there directly, and so never copied. Otherwise there is no ``room``, and whatever
    was read goes to ``feed``.
    """

    __slots__ = ("_at", "_long", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._long: memoryview | None = None
        self._at = 0

    @property
    def room(self) -> memoryview | None:
        """Where to read the rest of a long frame."""
        return None if self._long is None else self._long[self._at :]

    def filled(self, count: int) -> list[Buffer]:
        """So many bytes were read into ``room``; the frame, if it is whole."""
        frame = self._long
        assert frame is not None
        self._at += count
        if self._at < len(frame):
            return []
        self._long = None
        return [frame]

    def feed(self, data: bytes) -> list[Buffer]:
        """Add bytes; the frames that are whole now."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        frames: list[Buffer] = []
        at, end = 0, len(data)
        while end - at >= _HEAD:
            start = at + _HEAD
            length = int.from_bytes(data[at:start], "little")
            stop = start + length
            if stop > end:
                if length > _WHOLE:
                    self._begin(length, data, start)
                    return frames
                break
            frames.append(data[start:stop])
            at = stop
        self._rest = data[at:]
        return frames

    def _begin(self, length: int, data: bytes, start: int) -> None:
        self._long = memoryview(bytearray(length))
        self._at = len(data) - start
        self._long[: self._at] = memoryview(data)[start:]


class Outgoing:
    """What waits to be written, as pieces that are not copied unless they are small."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: deque[Buffer] = deque()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def frame(self, parts: Sequence[Buffer]) -> None:
        """Add a frame, which is what its parts are together."""
        length = sum(map(len, parts)) if len(parts) > 1 else len(parts[0])
        self.add((length.to_bytes(_HEAD, "little"), *parts))

    def add(self, parts: Iterable[Buffer]) -> None:
        """Add bytes. Whoever gave a long part must leave it as it is until it is written."""
        pieces = self._pieces
        for part in parts:
            if len(part) > _SMALL:
                pieces.append(part)
            elif pieces and type(pieces[-1]) is bytearray and len(pieces[-1]) < _WHOLE:
                pieces[-1] += part
            else:
                pieces.append(bytearray(part))

    def head(self) -> list[Buffer]:
        """The first pieces, for ``sendmsg``."""
        pieces = self._pieces
        if len(pieces) <= _PIECES:
            return list(pieces)
        return [pieces[index] for index in range(_PIECES)]

    def sent(self, count: int) -> None:
        """So many bytes were written."""
        pieces = self._pieces
        while pieces:
            first = pieces[0]
            if count < len(first):
                if count:
                    pieces[0] = memoryview(first)[count:]
                return
            count -= len(first)
            pieces.popleft()

    def clear(self) -> None:
        """Nobody will read it."""
        self._pieces.clear()
