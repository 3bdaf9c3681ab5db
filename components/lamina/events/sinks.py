"""Sinks that need nothing: a file of JSON lines, and a list."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from lamina.vocabulary import Event

__all__ = ["BUILTIN", "JsonLinesSink", "MemorySink"]

BUILTIN = {"json_lines": ".sinks:JsonLinesSink", "memory": ".sinks:MemorySink"}


class JsonLinesSink:
    """Appends each event to a file, as one line of JSON with ``at``, ``kind`` and its facts.

    The file is opened at the first event, and is up to date after every batch. A fact called
    ``at`` or ``kind`` gives way; what JSON cannot hold is written as its ``repr``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Write the events down.

        Raises:
            OSError: The file cannot be opened or written.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write("".join(_line(event) + "\n" for event in events))
        self._file.flush()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _line(event: Event) -> str:
    own = {"at": event.at, "kind": event.kind}
    try:
        return json.dumps({**event.facts, **own}, default=repr)
    except (TypeError, ValueError):  # keys that are no text, or a circle, within a fact
        return json.dumps({str(name): repr(fact) for name, fact in event.facts.items()} | own)


class MemorySink:
    """Keeps the last events in a list, for tests and for looking at a short run.

    Args:
        limit: How many to keep at most; None for all.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.closed = False
        self._events: list[Event] = []
        self._changed = threading.Condition()

    @property
    def events(self) -> list[Event]:
        """What has been taken so far, oldest first."""
        with self._changed:
            return list(self._events)

    def wait_for(self, kind: str, timeout: float) -> bool:
        """Wait until an event of this kind is there; False if ``timeout`` seconds pass first."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(e.kind == kind for e in self._events), timeout
            )

    def take(self, events: Sequence[Event]) -> None:
        """Keep the events."""
        with self._changed:
            self._events.extend(events)
            if self.limit is not None and len(self._events) > self.limit:
                del self._events[: len(self._events) - self.limit]
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is held back; what was taken can still be read."""
        self.closed = True
