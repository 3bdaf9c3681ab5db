import os
import socket
import time
from collections.abc import Iterator

import pytest
import zmq

from lamina.htex_wire.waiting import Waiter

PATIENCE = 10.0  # seconds


@pytest.fixture
def pair() -> Iterator[tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]]:
    context = zmq.Context()
    ours, theirs = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    ours.bind("inproc://pair")
    theirs.connect("inproc://pair")
    yield ours, theirs
    ours.close(linger=0)
    theirs.close(linger=0)
    context.term()


def test_every_message_is_noticed_however_many_were_left_unread(
    pair: tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"],
) -> None:
    ours, theirs = pair
    waiter = Waiter([ours])
    for number in range(20):
        theirs.send(b"%d" % number)
        if number % 3 == 0:  # answering takes the word of the descriptor, too
            ours.send(b"busy")
            waiter.used(ours)
    for number in range(20):
        readable, _ = waiter.wait(PATIENCE)
        assert readable == [ours]
        assert ours.recv(zmq.NOBLOCK) == b"%d" % number
    assert waiter.wait(0) == ([], {})
    waiter.close()


def test_descriptors_are_ready_to_read_and_to_write(
    pair: tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"],
) -> None:
    waiter = Waiter([pair[0]])
    left, right = socket.socketpair()
    handle = left.fileno()
    with left, right:
        waiter.watch(handle)
        assert waiter.wait(0) == ([], {})
        right.send(b"x")
        assert waiter.wait(PATIENCE) == ([], {handle: False})
        waiter.watch(handle, writing=True)
        assert waiter.wait(PATIENCE) == ([], {handle: True})
        waiter.unwatch(handle)
        assert waiter.wait(0) == ([], {})
        waiter.watch(handle)  # as a new descriptor with the same number would be
        assert waiter.wait(PATIENCE) == ([], {handle: False})
        waiter.unwatch(handle)
        waiter.unwatch(handle)
    waiter.close()


def test_a_time_out_ends_the_wait(
    pair: tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"],
) -> None:
    waiter = Waiter([pair[0]])
    inner, outer = os.pipe()
    waiter.watch(inner)
    began = time.monotonic()
    assert waiter.wait(0.01) == ([], {})
    assert time.monotonic() - began >= 0.01
    waiter.close()
    os.close(inner)
    os.close(outer)
