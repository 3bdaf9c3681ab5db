"""Memos that live and die with the program."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from lamina.memo.calls import memo_key
from lamina.memo.files import FilePolicy, check_policy
from lamina.memo.protocol import Entry, Hit, MemoKey, Miss, Subject
from lamina.vocabulary import Clock, ConfigError

__all__ = ["InMemoryMemo", "NoMemo"]


class InMemoryMemo:
    """Keeps results in this process, the least recently used going first when it is full.

    ``max_entries`` is a count; None keeps everything. A hit is the very object that was recorded.
    Of exceptions, those of the classes in ``errors`` are kept. ``files`` says how a File among
    the arguments counts: by ``"name"``, by ``"stat"`` (size and time of change) or ``"content"``.

    Raises:
        ConfigError: One of them cannot work.
    """

    def __init__(
        self,
        max_entries: int | None = None,
        errors: Iterable[type[BaseException]] = (),
        files: FilePolicy = "stat",
    ) -> None:
        if max_entries is not None and max_entries < 1:
            msg = f"max_entries is {max_entries!r}; it must be 1 or more, or None for no limit"
            raise ConfigError(msg)
        check_policy(files, "files")
        self.max_entries = max_entries
        self.errors: tuple[type[BaseException], ...] = tuple(errors)
        self.files: FilePolicy = files
        self._entries: OrderedDict[MemoKey, Hit] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, run_dir: Path, clock: Clock) -> None:
        """Nothing needs to be opened; what an earlier kernel recorded is still known."""

    def key(self, subject: Subject) -> MemoKey:
        """The key of a call: equal for equal calls, in whatever process.

        Raises:
            MemoKeyError: An argument's type has no rule.
        """
        return memo_key(subject, self.files)

    def look_up(self, key: MemoKey) -> Hit | Miss:
        """What is known of a call."""
        with self._lock:
            hit = self._entries.get(key)
            if hit is None:
                return Miss("no such call was recorded in this process")
            self._entries.move_to_end(key)
            return hit

    def record(self, entries: Sequence[Entry]) -> None:
        """Remember results; of two with one key, the later."""
        with self._lock:
            for entry in entries:
                if entry.error is not None and not isinstance(entry.error, self.errors):
                    continue
                self._entries[entry.key] = Hit(entry.value, entry.outputs, entry.error)
                self._entries.move_to_end(entry.key)
            if self.max_entries is not None:
                while len(self._entries) > self.max_entries:
                    self._entries.popitem(last=False)

    def checkpoint(self) -> None:
        """Nothing of this survives the process."""

    def close(self) -> None:
        """Nothing is held that must be written."""


class NoMemo:
    """Remembers nothing, but makes keys, so that identical calls in flight are still merged."""

    def start(self, run_dir: Path, clock: Clock) -> None:
        """Nothing needs to be opened."""

    def key(self, subject: Subject) -> MemoKey:
        """The key of a call: equal for equal calls, in whatever process.

        Raises:
            MemoKeyError: An argument's type has no rule.
        """
        return memo_key(subject)

    def look_up(self, key: MemoKey) -> Hit | Miss:
        """Always a miss."""
        return Miss("nothing is remembered")

    def record(self, entries: Sequence[Entry]) -> None:
        """Forget them."""

    def checkpoint(self) -> None:
        """There is nothing to keep."""

    def close(self) -> None:
        """Nothing is held."""
