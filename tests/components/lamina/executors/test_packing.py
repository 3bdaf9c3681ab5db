import threading

import pytest

from lamina.executors import Call
from lamina.executors.calls import run_call
from lamina.executors.packing import end_of, packed, packed_end, run_packed
from lamina.vocabulary import SerializationError


def test_a_packed_call_is_run_by_its_payload() -> None:
    local = 5
    for call, value in ((Call(abs, (-3,)), 3), (Call(lambda x: x + local, (), {"x": 1}), 6)):
        payload = packed(call)
        assert run_call(payload) == run_packed(payload.data) == value


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(SerializationError, match=r"args\[1\]"):
        packed(Call(max, (1, threading.Lock())))


def test_values_and_exceptions_come_home_as_bytes() -> None:
    assert end_of(packed_end([1, b"2"], None)) == ([1, b"2"], None)
    value, error = end_of(packed_end(None, KeyError("k")))
    assert value is None
    assert repr(error) == "KeyError('k')"
    with pytest.raises(SerializationError):
        packed_end(threading.Lock(), None)
