import resource

import msgpack
import pytest

from lamina.htex_core import (
    PROTOCOL,
    READY,
    Frame,
    Large,
    MalformedFrame,
    pack,
    pack_parts,
    unpack,
)
from lamina.htex_core.frames import LARGE

UNHEARD_OF = 99  # a kind that nobody knows, so its body may be anything


def test_a_frame_comes_back_as_it_was_written() -> None:
    body = [[1, None, [b"x"], {"walltime": 1.5}], {"a": [True, None]}]
    assert unpack(pack(UNHEARD_OF, 7, body)) == Frame(UNHEARD_OF, 7, body)


def test_a_view_of_bytes_can_be_read() -> None:
    assert unpack(memoryview(pack(UNHEARD_OF, 1, None))) == Frame(UNHEARD_OF, 1, None)


def test_maps_may_have_numbers_as_keys() -> None:
    assert unpack(pack(READY, 1, {"address": "", 1: b"one"})).body[1] == b"one"


def test_a_body_of_another_shape_is_no_frame() -> None:
    with pytest.raises(MalformedFrame, match="kind 2"):
        unpack(pack(READY, 1, ["address"]))
    with pytest.raises(MalformedFrame, match="kind 20"):
        unpack(pack(20, 1, ["uid", 1, []]), "manager")
    assert unpack(pack(20, 1, ["uid", 1, []]), "interchange").body == ["uid", 1, []]


def test_a_lie_about_a_length_costs_no_memory() -> None:
    depth, width = 400, 10**6
    liar = (b"\xdd" + width.to_bytes(4, "big")) * depth + bytes(width)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MalformedFrame):
        unpack(liar)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"hello",
        pack(READY, PROTOCOL, [1, 2, 3])[:-1],
        pack(READY, PROTOCOL, None) + b"\x00",
        b"\xdd\xff\xff\xff\xff",
        msgpack.packb([1, 2]),
        msgpack.packb(["1", 2, None]),
        msgpack.packb([1, True, None]),
        msgpack.packb(5),
        msgpack.packb([UNHEARD_OF, 1, msgpack.ExtType(1, b"class")]),
        msgpack.packb([UNHEARD_OF, 1, [None] * (2**20 + 1)]),
        b"\x91" * 10_000,
    ],
)
def test_what_is_no_frame_is_refused_with_one_class_of_error(data: bytes) -> None:
    with pytest.raises(MalformedFrame, match="not a frame"):
        unpack(data)


# Large buffers.


def _body() -> list[object]:
    return [[1, b"small", Large(b"a" * LARGE)], {"x": Large(memoryview(b"b" * (3 * LARGE)))}]


def test_large_buffers_stand_behind_the_frame_uncopied() -> None:
    parts = pack_parts(UNHEARD_OF, 7, _body())
    assert [len(part) for part in parts[1:]] == [LARGE, 3 * LARGE]
    assert len(parts[0]) < 100
    for data in (parts, b"".join(parts), memoryview(b"".join(parts))):
        frame = unpack(data)
        assert frame == Frame(UNHEARD_OF, 7, _body())
        assert pack_parts(*frame) == parts  # a hop passes it on as it came


def test_a_large_buffer_that_came_in_pieces_is_put_together() -> None:
    head, first, second = pack_parts(UNHEARD_OF, 7, _body())
    pieces = [head, first[:5], first[5:], second[:LARGE], second[LARGE:]]
    assert unpack(pieces) == Frame(UNHEARD_OF, 7, _body())


def test_so_does_what_stands_before_the_large_buffers() -> None:
    body = [[1, b"s" * (LARGE - 1)] * 5, Large(b"a" * LARGE)]
    head, large = pack_parts(UNHEARD_OF, 7, body)
    pieces = [*(head[at : at + LARGE] for at in range(0, len(head), LARGE)), large]
    assert len(pieces) > 3
    assert unpack(pieces) == Frame(UNHEARD_OF, 7, body)


def test_a_frame_may_have_more_large_buffers_than_can_stand_behind_it() -> None:
    one = Large(bytes(LARGE))
    parts = pack_parts(UNHEARD_OF, 7, [one] * (2**16 + 1))
    found = unpack(parts).body
    assert len(found) == 2**16 + 1
    assert found[-2:] == [one, bytes(LARGE)]


@pytest.mark.parametrize(
    "data",
    [
        [*pack_parts(UNHEARD_OF, 7, _body())[:2], b"b" * (3 * LARGE - 1)],
        [*pack_parts(UNHEARD_OF, 7, _body()), b"more"],
        pack_parts(UNHEARD_OF, 7, _body())[:2],
        pack(UNHEARD_OF, 7, _body())[:-1],
        pack(UNHEARD_OF, 7, _body()) + b"x",
        b"\xc1\xff\xff\xff\xff" + bytes(100),
        b"\xc1\x01\0\0\0" + b"\xff" * 8 + bytes(100),
        b"\xc1\x01\0\0\0" + bytes(8) + msgpack.packb([99, 1, msgpack.ExtType(1, b"\7\0\0\0")]),
        b"\xc1\x01\0\0\0" + bytes(8) + msgpack.packb([99, 1, msgpack.ExtType(2, b"\0\0\0\0")]),
    ],
)
def test_large_buffers_that_are_not_what_they_are_said_to_be_are_refused(
    data: bytes | list[bytes],
) -> None:
    with pytest.raises(MalformedFrame, match="not a frame"):
        unpack(data)


def test_only_what_frames_are_made_of_can_be_packed() -> None:
    with pytest.raises(TypeError, match="set cannot be in a frame"):
        pack(UNHEARD_OF, 1, {1})
