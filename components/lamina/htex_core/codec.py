"""Frames to bytes and back; the one module that knows msgpack.

A frame is one msgpack value, unless it carries large buffers. Those stand behind it, uncopied::

    0xC1 · count (4 bytes) · the size of each (8 bytes) · msgpack value · the buffers

all little-endian. 0xC1 begins no msgpack value. In the value an extension of type 1 stands in
for each: 4 bytes with its number.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgpack

from lamina.htex_core.frames import Frame, Large
from lamina.htex_core.shapes import Sender, well_formed
from lamina.htex_core.stream import Buffer
from lamina.vocabulary import LaminaError

__all__ = ["MalformedFrame", "Parts", "pack", "pack_parts", "unpack"]

Parts: TypeAlias = Sequence[Buffer]

_MARK: Final = 0xC1
_STANDS_FOR: Final = 1
_BUFFERS_LIMIT: Final = 2**16

_COUNT = struct.Struct("<BI")
_NUMBER = struct.Struct("<I")


class MalformedFrame(LaminaError):
    """Bytes came that are no frame of ours. Nothing of them was used."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"not a frame: {self.why}"


def pack(kind: int, epoch: int, body: Any) -> bytes:
    """Write a frame in one piece."""
    return b"".join(pack_parts(kind, epoch, body))


def pack_parts(kind: int, epoch: int, body: Any) -> list[Buffer]:
    """Write a frame as parts that belong together; all but the first are its large buffers."""
    beside: list[Buffer] = []

    def stand_in(value: Any) -> Any:
        if type(value) is not Large:
            msg = f"{type(value).__name__} cannot be in a frame"
            raise TypeError(msg)
        if len(beside) == _BUFFERS_LIMIT:
            return bytes(value.view)  # so many are better copied than not taken
        beside.append(value.view)
        return msgpack.ExtType(_STANDS_FOR, _NUMBER.pack(len(beside) - 1))

    data: bytes = msgpack.packb((kind, epoch, body), use_bin_type=True, default=stand_in)
    if not beside:
        return [data]
    sizes = struct.pack(f"<{len(beside)}Q", *map(len, beside))
    return [_COUNT.pack(_MARK, len(beside)) + sizes + data, *beside]


def unpack(data: Buffer | Parts, sender: Sender | None = None) -> Frame:
    """Read a frame, and check that its body has the shape of its kind.

    Args:
        data: Its bytes, in one piece or in the parts in which they came.
        sender: Who is at the other end; with None it may be anybody's frame.

    Raises:
        MalformedFrame: It is none; whoever sent it is no peer of ours.
    """
    others: list[Buffer] = []
    if isinstance(data, bytes | bytearray | memoryview):
        first = data
    else:
        first, *others = data
    try:
        if len(first) and first[0] == _MARK:
            value = _with_buffers(first, others)
        else:
            value = _read(b"".join((first, *others)) if others else first, _no_buffers)
        kind, epoch, body = value
    except Exception as error:  # msgpack raises many classes, some of them bare ValueErrors
        raise MalformedFrame(f"{type(error).__name__}: {error}") from None
    if type(kind) is not int or type(epoch) is not int:
        raise MalformedFrame("its kind and epoch are not numbers")
    if not well_formed(kind, body, sender):
        raise MalformedFrame(f"the body of kind {kind} has another shape")
    return Frame(kind, epoch, body)


def _read(data: Buffer, stand_in: Any) -> Any:
    # Lengths inside are checked against what there is, so a lie costs no memory. Beyond that,
    # lists are what costs most per byte, for room is made for as many items as they claim to
    # have; and msgpack itself stops at a depth of 512.
    return msgpack.unpackb(
        data,
        raw=False,
        strict_map_key=False,
        max_array_len=2**20,
        max_map_len=2**16,
        max_str_len=2**24,
        max_ext_len=_NUMBER.size,
        ext_hook=stand_in,
    )


def _no_buffers(code: int, data: bytes) -> Any:
    msg = f"an extension of type {code}"
    raise ValueError(msg)


def _with_buffers(first: Buffer, others: list[Buffer]) -> Any:
    _, count = _COUNT.unpack_from(first)
    if not 0 < count <= _BUFFERS_LIMIT:
        msg = f"{count} large buffers"
        raise ValueError(msg)
    sizes: tuple[int, ...] = struct.unpack_from(f"<{count}Q", first, _COUNT.size)
    start = _COUNT.size + 8 * count
    view = memoryview(first)
    if others:
        # What stands before the buffers may itself have come in pieces.
        stop = len(first) + sum(map(len, others)) - sum(sizes)
        before = 0
        have = len(first)
        while have < stop and before < len(others):
            have += len(others[before])
            before += 1
        if have != stop:
            msg = "large buffers of other lengths than they are said to have"
            raise ValueError(msg)
        if before:
            view = memoryview(b"".join((first, *others[:before])))
        buffers = _put_together(others[before:], sizes)
    else:
        stop = at = len(first) - sum(sizes)
        if stop < start:
            msg = "large buffers of more bytes than there are"
            raise ValueError(msg)
        buffers = []
        for size in sizes:
            buffers.append(view[at : at + size])
            at += size
        view = view[:stop]

    def stand_in(code: int, data: bytes) -> Any:
        if code != _STANDS_FOR:
            return _no_buffers(code, data)
        return Large(buffers[_NUMBER.unpack(data)[0]])

    return _read(view[start:], stand_in)


def _put_together(parts: list[Buffer], sizes: tuple[int, ...]) -> list[memoryview]:
    """Large buffers from the parts in which they came; one that came whole is not copied."""
    buffers: list[memoryview] = []
    left = iter(parts)
    for size in sizes:
        taken: list[Buffer] = []
        have = 0
        while have < size:
            part = next(left, b"")
            if not len(part):
                break
            taken.append(part)
            have += len(part)
        if have != size:
            msg = f"a large buffer of {size} bytes came as {have}"
            raise ValueError(msg)
        buffers.append(memoryview(taken[0] if len(taken) == 1 else b"".join(taken)))
    if next(left, None) is not None:
        msg = "more parts than buffers"
        raise ValueError(msg)
    return buffers
