"""Frames to bytes and back; the one module that knows msgpack."""

from typing import Any

import msgpack

from lamina.htex_core.frames import Frame
from lamina.vocabulary import LaminaError

__all__ = ["MalformedFrame", "pack", "unpack"]


class MalformedFrame(LaminaError):
    """Bytes came that are no frame of ours. Nothing of them was used."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"not a frame: {self.why}"


def pack(kind: int, epoch: int, body: Any) -> bytes:
    """Write a frame."""
    packed: bytes = msgpack.packb((kind, epoch, body), use_bin_type=True)
    return packed


def unpack(data: bytes | memoryview) -> Frame:
    """Read a frame.

    Raises:
        MalformedFrame: It is none; whoever sent it is no peer of ours.
    """
    try:
        # Lengths inside are checked against what there is, so a lie costs no memory.
        kind, epoch, body = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except Exception as error:  # msgpack raises many classes, some of them bare ValueErrors
        raise MalformedFrame(f"{type(error).__name__}: {error}") from None
    if type(kind) is not int or type(epoch) is not int:
        raise MalformedFrame("its kind and epoch are not numbers")
    return Frame(kind, epoch, body)
