import msgpack
import pytest

from lamina.htex_core import PROTOCOL, READY, Frame, MalformedFrame, pack, unpack


def test_a_frame_comes_back_as_it_was_written() -> None:
    body = [[1, None, [b"x"], {"walltime": 1.5}], {"a": [True, None]}]
    assert unpack(pack(READY, 7, body)) == Frame(READY, 7, body)


def test_a_view_of_bytes_can_be_read() -> None:
    assert unpack(memoryview(pack(READY, 1, None))) == Frame(READY, 1, None)


def test_maps_may_have_numbers_as_keys() -> None:
    assert unpack(pack(READY, 1, {1: b"one"})).body == {1: b"one"}


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
    ],
)
def test_what_is_no_frame_is_refused_with_one_class_of_error(data: bytes) -> None:
    with pytest.raises(MalformedFrame, match="not a frame"):
        unpack(data)
