import random
import zlib

import pytest

from lamina.memo_log.sieve import Sieve


def keys(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(20) for _ in range(count)]


def test_what_was_put_in_is_always_there_and_strangers_hardly_ever() -> None:
    sieve = Sieve()
    there = keys(20_000, 1)
    for key in there:
        sieve.add(key)
    assert all(key in sieve for key in there)
    assert sum(key in sieve for key in keys(20_000, 2)) < 20


def test_keys_of_any_length_can_be_put_in() -> None:
    sieve = Sieve()
    for key in (b"", b"a", b"x" * 100):
        sieve.add(key)
        assert key in sieve
    assert b"b" not in sieve


def test_two_can_be_put_together() -> None:
    one, other = Sieve(), Sieve()
    one.add(b"one")
    other.add(b"other")
    one.merge(other.packed())
    assert b"one" in one
    assert b"other" in one
    assert b"other" in other
    assert b"one" not in other


def test_what_is_none_is_refused() -> None:
    for packed in (b"", b"garbage", zlib.compress(b"short")):
        with pytest.raises(ValueError):
            Sieve().merge(packed)
