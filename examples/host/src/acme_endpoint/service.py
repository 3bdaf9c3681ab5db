"""Functions and their calls, without a word about how clients reach them."""

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from acme_endpoint import worker
from acme_endpoint.bundle import Endpoint, UsageError

__all__ = ["Service", "Unknown"]


class Unknown(KeyError):
    """There is no function, or no task, of this name."""


class StateCounter:
    """An event sink of our own: how many tasks and blocks have come to each state."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, events: Sequence[Any]) -> None:
        """Count the states among these events."""
        with self._lock:
            for event in events:
                if event.kind in ("task.state", "block.state"):
                    self._counts[f"{event.kind}.{event.facts['state']}"] += 1

    def close(self) -> None:
        """Keep the counts; the service shows them to its end."""

    def counts(self) -> dict[str, int]:
        """The counts so far."""
        with self._lock:
            return dict(self._counts)


class Service:
    """Keeps functions by the digest of their source, and runs calls of them."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._counter = StateCounter()
        sinks = [*config.get("event_sinks", ()), self._counter]
        self.endpoint = Endpoint({**config, "event_sinks": sinks})
        self._functions: dict[str, tuple[str, str]] = {}
        self._tasks: dict[str, Any] = {}
        self._lock = threading.Lock()

    def register(self, name: str, source: str) -> str:
        """Keep a function and give the word by which it is called."""
        digest = hashlib.sha256(f"{name}\0{source}".encode()).hexdigest()[:16]
        with self._lock:
            self._functions[digest] = (name, source)
        return digest

    def call(self, function: str, arguments: list[object]) -> str:
        """Run a function on some node, and give the word by which to ask for the result."""
        with self._lock:
            found = self._functions.get(function)
        if found is None:
            raise Unknown(function)
        name, source = found
        submitter = self.endpoint.options(name=name, walltime="5 min")
        payload = worker.pack(source, name, arguments)
        future = submitter.submit_payload(f"{worker.__name__}:run", payload)
        task = str(future.task)
        with self._lock:
            self._tasks[task] = future
        return task

    def result(self, task: str, wait: float) -> dict[str, object]:
        """What became of a task, waiting for it for so many seconds."""
        with self._lock:
            future = self._tasks.get(task)
        if future is None:
            raise Unknown(task)
        try:
            error = future.exception(wait)
        except TimeoutError:
            return {"state": "running" if future.running() else "waiting"}
        if error is not None:
            return {"state": "failed", "error": f"{type(error).__name__}: {error}"}
        return {"state": "done", "value": worker.unpack(future.result())}

    def status(self) -> dict[str, object]:
        """The blocks that there are, and how many states of each kind have been seen."""
        blocks = [
            {"block": one.block, "job": one.job, "state": one.state, "nodes": one.managers}
            for some in self.endpoint.blocks().values()
            for one in some
        ]
        return {"blocks": blocks, "seen": self._counter.counts()}

    def scale(self, blocks: int | None) -> None:
        """Have so many blocks, or as many as the strategy wants."""
        if blocks is not None and not isinstance(blocks, int):
            raise UsageError(f"blocks is {blocks!r}; it must be a number or null")
        self.endpoint.scale(blocks)
