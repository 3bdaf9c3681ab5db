"""Who wants to hear what happened."""

from collections.abc import Sequence
from typing import Protocol

from lamina.vocabulary import Event

__all__ = ["EventSink"]


class EventSink(Protocol):
    """**Protocol:** takes events, in batches, on a thread that is its own to delay.

    A sink that raises is reported once in the log and not asked again.
    """

    def take(self, events: Sequence[Event]) -> None:
        """Take some events, in the order in which they happened."""
        ...

    def close(self) -> None:
        """No more events will come; write down what is still held."""
        ...
