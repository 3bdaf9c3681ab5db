import pytest

from lamina.htex_core import Large, unwrapped, wrapped
from lamina.htex_core.frames import LARGE


@pytest.mark.parametrize("size", [0, LARGE - 1, LARGE, 2 * LARGE])
def test_what_is_wrapped_is_a_snapshot_and_comes_out_as_it_was(size: int) -> None:
    mine = bytearray(b"x" * size)
    inside = wrapped(memoryview(mine))
    mine[:] = b"y" * size
    assert unwrapped(inside) == b"x" * size
    assert (type(inside) is Large) == (size >= LARGE)
    fixed = bytes(size)
    assert unwrapped(wrapped(fixed)) == fixed


def test_a_large_buffer_is_equal_to_one_of_the_same_bytes() -> None:
    assert Large(b"ab") == Large(bytearray(b"ab"))
    assert Large(b"ab") == b"ab"
    assert Large(b"ab") != Large(b"ac")
    assert len(Large(memoryview(b"abcd"))) == 4
    assert repr(Large(b"ab")) == "Large(2 bytes)"
