import threading

import pytest

from lamina.executors import Call
from lamina.executors.calls import run_call
from lamina.executors.packing import packed, run_packed
from lamina.vocabulary import SerializationError


def test_a_packed_call_is_run_by_its_payload() -> None:
    local = 5
    for call, value in ((Call(abs, (-3,)), 3), (Call(lambda x: x + local, (), {"x": 1}), 6)):
        payload = packed(call)
        assert run_call(payload) == run_packed(payload.data) == value


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(SerializationError, match=r"args\[1\]"):
        packed(Call(max, (1, threading.Lock())))
