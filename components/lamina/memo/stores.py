"""Where results are: what a store of them promises, and the one in memory."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from lamina.codec import Buffers
from lamina.memo.calls import CallPrint
from lamina.memo.protocol import MemoKey, OutputMark
from lamina.vocabulary import Clock, ConfigError, LaminaError

__all__ = ["Form", "InMemoryResultStore", "ResultDamaged", "ResultStore", "StoredResult"]

Form: TypeAlias = Literal["value", "error"]

RECENT = 16
"""How many calls of each function a store remembers for comparison."""


class ResultDamaged(LaminaError):
    """A result is in a store and cannot be had from it. Computing it again mends it."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(where, why)
        self.where, self.why = where, why

    def __str__(self) -> str:
        return f"the result in {self.where} cannot be read: {self.why}"


class StoredResult(NamedTuple):
    """What a call came to, as a store keeps it. The store never looks into ``data``."""

    key: MemoKey
    name: str
    """What the task was called."""
    at: float
    """When it was recorded, in seconds since the epoch."""
    form: Form
    data: Buffers
    outputs: tuple[OutputMark, ...] = ()
    made_of: CallPrint | None = None

    @property
    def size(self) -> int:
        """Bytes of its data."""
        return sum(memoryview(part).nbytes for part in self.data)


class ResultStore(Protocol):
    """**Protocol:** keeps results by their keys, as bytes.

    Methods may be called from any thread. Of two results with one key, the later counts.
    """

    def open(self, run_dir: Path, clock: Clock) -> None:
        """Make ready; ``run_dir`` is this run's own directory. What is there can be had now.

        Raises:
            ConfigError: What was asked for cannot be; asking again will not help.
            OSError: It cannot be opened; again may help.
        """
        ...

    def get(self, key: MemoKey) -> StoredResult | None:
        """The result of a call, or None.

        Raises:
            ResultDamaged: It is there and cannot be read. Again will not help.
        """
        ...

    def put(self, results: Sequence[StoredResult]) -> None:
        """Keep results. When it returns they are as safe as the store is set to make them.

        Raises:
            OSError: They are not kept; the store stays usable.
        """
        ...

    def recent(self, function: str) -> Sequence[CallPrint]:
        """Some calls of a function that are in the store, the latest among them."""
        ...

    def sync(self) -> None:
        """Return when everything put so far survives the death of this machine.

        Raises:
            OSError: It cannot be written; again may help.
        """
        ...

    def close(self) -> None:
        """Sync, and let go of everything. A second call does nothing."""
        ...


class InMemoryResultStore:
    """Keeps results in this process, as bytes: every hit is a copy of its own.

    The least recently used go first when there are more than ``max_entries`` or they hold more
    than ``max_bytes``; None is no limit. A result larger than the limit is not kept.

    Raises:
        ConfigError: A limit is less than 1.
    """

    def __init__(self, max_entries: int | None = None, max_bytes: int | None = None) -> None:
        for name, limit in (("max_entries", max_entries), ("max_bytes", max_bytes)):
            if limit is not None and limit < 1:
                msg = f"{name} is {limit!r}; it must be 1 or more, or None for no limit"
                raise ConfigError(msg)
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._results: OrderedDict[MemoKey, StoredResult] = OrderedDict()
        self._recent: dict[str, deque[CallPrint]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def open(self, run_dir: Path, clock: Clock) -> None:
        """Nothing needs to be opened; what an earlier run put in is still there."""

    def get(self, key: MemoKey) -> StoredResult | None:
        """The result of a call, or None."""
        with self._lock:
            result = self._results.get(key)
            if result is not None:
                self._results.move_to_end(key)
            return result

    def put(self, results: Sequence[StoredResult]) -> None:
        """Keep results, and forget what is then too much."""
        with self._lock:
            for result in results:
                self._drop(bytes(result.key))
                data = tuple(bytes(part) for part in result.data)
                self._results[bytes(result.key)] = result._replace(key=bytes(result.key), data=data)
                self._bytes += result.size
                if result.made_of is not None:
                    function = result.made_of.function
                    calls = self._recent.setdefault(function, deque(maxlen=RECENT))
                    calls.append(result.made_of)
            while self._results and self._full():
                self._drop(next(iter(self._results)))

    def _full(self) -> bool:
        return (self.max_entries is not None and len(self._results) > self.max_entries) or (
            self.max_bytes is not None and self._bytes > self.max_bytes
        )

    def _drop(self, key: MemoKey) -> None:
        result = self._results.pop(key, None)
        if result is not None:
            self._bytes -= result.size

    def recent(self, function: str) -> Sequence[CallPrint]:
        """Some calls of a function that were put in, the latest among them."""
        with self._lock:
            return tuple(self._recent.get(function, ()))

    def sync(self) -> None:
        """Nothing of this survives the process."""

    def close(self) -> None:
        """Nothing is held that must be written."""
