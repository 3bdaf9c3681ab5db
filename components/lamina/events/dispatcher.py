"""Handing events to sinks, on a thread that may be delayed."""

import logging
import threading
from collections.abc import Iterable, Sequence
from queue import Empty, SimpleQueue

from lamina.events.protocol import EventSink
from lamina.vocabulary import Event

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)


class Dispatcher:
    """Takes batches of events from any thread, and hands them to sinks on its own.

    Calling it is an ``Emit``: it never raises and never waits. Batches that have come while the
    sinks were busy are handed over as one. A sink that raises is reported once in the log and
    not asked again. What comes after ``close`` is dropped.
    """

    def __init__(self, sinks: Iterable[EventSink]) -> None:
        self._sinks = list(sinks)
        self._batches: SimpleQueue[Sequence[Event] | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = not self._sinks
        self._thread = threading.Thread(target=self._hand_over, name=__name__, daemon=True)
        if self._sinks:
            self._thread.start()

    def __call__(self, events: Sequence[Event]) -> None:
        """Take a batch; the sinks get it soon."""
        if events and not self._closed:
            self._batches.put(events)

    def close(self, timeout: float | None = None) -> bool:
        """Hand over what has come, and close the sinks. A second call only waits.

        Returns whether all was done within ``timeout`` seconds; if not, it goes on.
        """
        with self._closing:
            if not self._closed:
                self._closed = True
                self._batches.put(None)
        if self._thread.ident is None or self._thread is threading.current_thread():
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        last = False
        while not last:
            events, last = self._drain()
            if events:
                self._sinks = [sink for sink in self._sinks if self._survives(sink, events)]
        for sink in self._sinks:
            try:
                sink.close()
            except Exception:  # a foreign sink must not keep the others from closing
                _log.exception("event sink %r could not be closed", sink)

    def _drain(self) -> tuple[list[Event], bool]:
        """All that has come, waiting for something; and whether it is the last."""
        events: list[Event] = []
        batch = self._batches.get()
        while batch is not None:
            events.extend(batch)
            try:
                batch = self._batches.get_nowait()
            except Empty:
                return events, False
        return events, True

    def _survives(self, sink: EventSink, events: Sequence[Event]) -> bool:
        try:
            sink.take(events)
        except Exception:  # a foreign sink must not harm the others, nor the run
            _log.exception(
                "event sink %r failed and is dropped; it misses %d events and all that follow",
                sink,
                len(events),
            )
            try:
                sink.close()
            except Exception:  # it has failed already, and this was said
                _log.debug("event sink %r could not be closed either", sink, exc_info=True)
            return False
        return True
