import random
from collections.abc import Sequence
from mmap import mmap

import pytest

from lamina.htex_core import FrameCutter, Outgoing

SEED = 20261123
LONG = 2**16 + 1  # bytes; what is read into a place of its own


def stream(frames: Sequence[bytes]) -> bytes:
    out = Outgoing()
    for frame in frames:
        out.frame([frame])
    return b"".join(out.head())


def cut(cutter: FrameCutter, data: bytes, chance: random.Random, step: int) -> list[bytes]:
    """Read as a shell does, in pieces of any size."""
    seen: list[bytes] = []
    at = 0
    while at < len(data):
        size = chance.randrange(1, step)
        room = cutter.room
        if room is None:
            frames = cutter.feed(data[at : at + size])
        else:
            size = min(size, len(room), len(data) - at)
            room[:size] = data[at : at + size]
            frames = cutter.filled(size)
        seen += map(bytes, frames)
        at += size
    return seen


@pytest.mark.parametrize("largest", [3, 50, 5000, 3 * LONG])
def test_frames_come_out_as_they_went_in_however_they_are_cut(largest: int) -> None:
    chance = random.Random(SEED + largest)
    frames = [chance.randbytes(chance.randrange(largest)) for _ in range(60)]
    cutter = FrameCutter()
    assert cut(cutter, stream(frames), chance, 2 * largest) == frames
    assert cutter.room is None
    assert cutter.feed(b"") == []


def test_a_long_frame_is_read_into_a_place_of_its_own() -> None:
    cutter = FrameCutter()
    data = stream([b"short", bytes(LONG)])
    assert cutter.feed(data[:100]) == [b"short"]
    room = cutter.room
    assert room is not None
    assert len(room) == len(data) - 100
    (frame,) = cutter.filled(len(room))
    assert isinstance(frame, memoryview)
    assert not frame.readonly
    assert frame == bytes(LONG)


def test_pieces_are_written_in_order_and_long_ones_are_not_copied() -> None:
    chance = random.Random(SEED)
    parts = [chance.randbytes(chance.choice((0, 1, 30, 5000, LONG))) for _ in range(700)]
    out, written = Outgoing(), b""
    out.add(parts)
    assert any(piece is part for piece in out.head() for part in parts if len(part) == LONG)
    while out:
        data = b"".join(out.head())
        count = chance.randrange(len(data) + 1)
        written += data[:count]
        out.sent(count)
    assert written == b"".join(parts)


def test_a_small_part_does_not_grow_a_piece_that_was_begun() -> None:
    out = Outgoing()
    out.add([b"abc"])
    out.sent(1)
    out.add([b"def"])
    assert b"".join(out.head()) == b"bcdef"
    out.clear()
    assert not out


def test_a_frame_may_have_more_than_four_gigabytes() -> None:
    out = Outgoing()
    with mmap(-1, 2**32) as memory, memoryview(memory) as long:
        out.frame([b"head", long])
        head, tail = out.head()
        assert head == (2**32 + 4).to_bytes(8, "little") + b"head"
        assert tail is long
        out.clear()
        del tail
