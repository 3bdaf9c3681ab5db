"""A sieve: says at once of nearly every key that is not in an index that it is not.

A Bloom filter of a fixed size: 2 MiB, in which a key sets four bits, as its first 16 bytes say,
which are those of a digest. With a million keys two strangers in a thousand pass. It never says
of a key that was put in that it is not there.
"""

import struct
import zlib

__all__ = ["Sieve"]

_BYTES = 1 << 21
_MASK = 8 * _BYTES - 1
_FOUR = struct.Struct("<4I")


class Sieve:
    """What may be in an index. Two of them can be put together."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(_BYTES)

    def add(self, key: bytes) -> None:
        """This key is there."""
        bits = self._bits
        for place in _FOUR.unpack_from(key.ljust(_FOUR.size, b"\0")):
            place &= _MASK
            bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: bytes) -> bool:
        """Whether the key may be there."""
        bits = self._bits
        for place in _FOUR.unpack_from(key.ljust(_FOUR.size, b"\0")):
            place &= _MASK
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True

    def packed(self) -> bytes:
        """As it is written down."""
        return zlib.compress(self._bits, 1)

    def merge(self, packed: bytes) -> None:
        """Put in what another one holds, as it was written down.

        Raises:
            ValueError: It is none.
        """
        try:
            other = zlib.decompress(packed)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if len(other) != _BYTES:
            msg = f"a sieve has {_BYTES} bytes, not {len(other)}"
            raise ValueError(msg)
        both = int.from_bytes(self._bits, "little") | int.from_bytes(other, "little")
        self._bits = bytearray(both.to_bytes(_BYTES, "little"))
