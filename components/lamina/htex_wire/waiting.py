"""Waiting for ZeroMQ sockets and file descriptors at once, at a small price per turn."""

import select
from collections.abc import Sequence
from typing import cast

import zmq

__all__ = ["Waiter", "has_input"]


class Waiter:
    """An epoll that also knows ZeroMQ sockets.

    A ZeroMQ socket has a descriptor that says only that something *may* have changed, once; and
    any use of the socket may take that word. So, as the manual of ``ZMQ_FD`` demands, its events
    are asked for when the descriptor says so, and before a wait if it was used: whoever has sent
    or received something must say so with ``used``.
    """

    def __init__(self, sockets: Sequence["zmq.Socket[bytes]"]) -> None:
        self._epoll = select.epoll()
        self._sockets = {cast("int", each.getsockopt(zmq.FD)): each for each in sockets}
        self._used = set(self._sockets.values())
        self._known: dict[int, int] = {}
        for handle in self._sockets:
            self._epoll.register(handle, select.EPOLLIN)

    def watch(self, handle: int, *, writing: bool = False) -> None:
        """Wait for this descriptor too, to read or also to write."""
        mask = select.EPOLLIN | (select.EPOLLOUT if writing else 0)
        if self._known.get(handle) == mask:
            return
        if handle in self._known:
            self._epoll.modify(handle, mask)
        else:
            self._epoll.register(handle, mask)
        self._known[handle] = mask

    def unwatch(self, handle: int) -> None:
        """Wait for it no more. Must be said before it is closed."""
        if self._known.pop(handle, None) is not None:
            self._epoll.unregister(handle)

    def wait(self, timeout: float | None) -> tuple[list["zmq.Socket[bytes]"], dict[int, bool]]:
        """Wait at most ``timeout`` seconds, for ever if None.

        Returns the sockets that have something to be read, and the descriptors that are ready,
        each with whether it can be written to.
        """
        readable = [each for each in self._used if has_input(each)] if self._used else []
        # One that has input stays among the used ones, so that it is asked again next time.
        self._used = set(readable)
        found: dict[int, bool] = {}
        for handle, what in self._epoll.poll(0 if readable else timeout):
            each = self._sockets.get(handle)
            if each is None:
                found[handle] = bool(what & select.EPOLLOUT)
            elif each not in self._used and has_input(each):
                self._used.add(each)
                readable.append(each)
        return readable, found

    def used(self, each: "zmq.Socket[bytes]") -> None:
        """Something was sent or received."""
        self._used.add(each)

    def close(self) -> None:
        """Forget everything; the sockets stay open."""
        self._epoll.close()
        self._known.clear()


def has_input(each: "zmq.Socket[bytes]") -> bool:
    """Whether something can be received; a tenth of the price of trying in vain."""
    return bool(cast("int", each.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
